"""The recurrent cells of torch.nn in NumPy: one layer in one direction.

Shapes: B texts, T tokens in the longest of them, E width of a layer's input, H
hidden_size, N rows of any kind.
"""

import numpy as np

from rnncls.runs.portable import Array, CellArrays


def run_cell(cell: str, inputs: Array, weights: CellArrays) -> Array:
    """Return the states of a layer that starts from zeros.

    Args:
        cell: rnn, lstm or gru.
        inputs: [T, B, E], in reading order.
        weights: The weights of the layer in this direction.

    Returns:
        [T, B, H].
    """
    from_inputs = apply_linear(inputs, weights.weight_ih, weights.bias_ih)
    if cell == "lstm":
        return _run_lstm(from_inputs, weights)
    if cell == "gru":
        return _run_gru(from_inputs, weights)
    return _run_rnn(from_inputs, weights)


def apply_linear(inputs: Array, weight: Array, bias: Array) -> Array:
    """Apply a linear layer. [..., E] -> [..., H]."""
    rows = inputs.reshape(-1, inputs.shape[-1])  # [N, E]
    outputs = rows @ weight.T + bias  # [N, H]
    return outputs.reshape(*inputs.shape[:-1], -1)


def sigmoid(values: Array) -> Array:
    """Return the logistic function of each value; no value overflows."""
    result: Array = np.tanh(values * np.float32(0.5))
    result += np.float32(1.0)
    result *= np.float32(0.5)
    return result


def take_lstm_step(gate_inputs: Array, cell: Array) -> tuple[Array, Array]:
    """Take one step of an LSTM.

    Args:
        gate_inputs: [N, 4 * H], the arguments of the gates in torch's order: input,
            forget, candidate, output.
        cell: [N, H], the previous cell.

    Returns:
        The state and the cell, [N, H] each.
    """
    size = cell.shape[-1]
    candidate_start, output_start = 2 * size, 3 * size
    gates = sigmoid(gate_inputs[:, :candidate_start])  # [N, 2 * H]
    candidate = np.tanh(gate_inputs[:, candidate_start:output_start])  # [N, H]
    output = sigmoid(gate_inputs[:, output_start:])  # [N, H]
    added = gates[:, :size] * candidate  # [N, H]
    kept = gates[:, size:] * cell  # [N, H]
    new_cell = kept + added  # [N, H]
    return output * np.tanh(new_cell), new_cell


def _run_lstm(from_inputs: Array, weights: CellArrays) -> Array:
    """Run an LSTM over the inputs' share of its gates. [T, B, 4 * H] -> [T, B, H]."""
    states = _allocate_states(from_inputs, weights)  # [T, B, H]
    recurrent, bias = weights.weight_hh.T, weights.bias_hh
    hidden = np.zeros_like(states[0])  # [B, H]
    cell = hidden
    for step, from_input in enumerate(from_inputs):
        gate_inputs = hidden @ recurrent  # [B, 4 * H]
        gate_inputs += bias
        gate_inputs += from_input
        hidden, cell = take_lstm_step(gate_inputs, cell)
        states[step] = hidden
    return states


def _run_gru(from_inputs: Array, weights: CellArrays) -> Array:
    """Run a GRU over the inputs' share of its gates. [T, B, 3 * H] -> [T, B, H]."""
    states = _allocate_states(from_inputs, weights)  # [T, B, H]
    hidden = np.zeros_like(states[0])  # [B, H]
    recurrent, bias = weights.weight_hh.T, weights.bias_hh
    for step, from_input in enumerate(from_inputs):
        from_state = hidden @ recurrent  # [B, 3 * H]
        from_state += bias
        hidden = _take_gru_step(from_input, from_state, hidden)  # [B, H]
        states[step] = hidden
    return states


def _take_gru_step(from_input: Array, from_state: Array, hidden: Array) -> Array:
    """Take one step of a GRU.

    Args:
        from_input: [B, 3 * H], the input's share of the gates' arguments in torch's
            order: reset, update, candidate.
        from_state: [B, 3 * H], the previous state's share.
        hidden: [B, H], the previous state.

    Returns:
        [B, H].
    """
    size = hidden.shape[-1]
    gates_end = 2 * size
    gate_inputs = from_input[:, :gates_end] + from_state[:, :gates_end]  # [B, 2 * H]
    gates = sigmoid(gate_inputs)  # [B, 2 * H]
    reset = gates[:, :size]  # [B, H]
    update = gates[:, size:]  # [B, H]
    from_reset = reset * from_state[:, gates_end:]  # [B, H]
    candidate = np.tanh(from_input[:, gates_end:] + from_reset)  # [B, H]
    new: Array = candidate + update * (hidden - candidate)
    return new


def _run_rnn(from_inputs: Array, weights: CellArrays) -> Array:
    """Run a plain network over its inputs' share. [T, B, H] -> [T, B, H]."""
    states = _allocate_states(from_inputs, weights)  # [T, B, H]
    recurrent, bias = weights.weight_hh.T, weights.bias_hh
    hidden = np.zeros_like(states[0])  # [B, H]
    for step, from_input in enumerate(from_inputs):
        hidden = np.tanh(from_input + (hidden @ recurrent + bias))
        states[step] = hidden
    return states


def _allocate_states(from_inputs: Array, weights: CellArrays) -> Array:
    num_steps, batch_size, _ = from_inputs.shape
    hidden_size = weights.weight_hh.shape[1]
    return np.empty((num_steps, batch_size, hidden_size), np.float32)
