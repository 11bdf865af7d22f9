"""A recurrent network step by step, with every state, cell and gate.

torch's kernels return only the states of the last layer, and no gradient of the states
in between. These are the equations of `torch.nn.RNN`, `LSTM` and `GRU`, gate by gate,
so that each value can be read and differentiated. The states equal the kernels' up to
rounding.

Shapes: B texts, T tokens in the longest of them, E width of a layer's input, L layers,
H hidden_size, G gates of a cell, D directions.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rnncls.nn.encoder import Encoder
from rnncls.nn.kernels import LayerWeights, reorder
from rnncls.nn.states import States, compute_reverse_index

Step = dict[str, torch.Tensor]
"""The values of one layer in one direction after a token, [B, H] each: `hidden`, an
LSTM's `cell`, and the gates by their names."""


@dataclass(frozen=True)
class UnrolledLayer:
    """One layer of a network, step by step.

    Attributes:
        states: The states of the layer.
        steps: For each direction its T steps, in reading order.
    """

    states: States
    steps: list[list[Step]]


def unroll(
    encoder: Encoder,
    inputs: torch.Tensor,
    lengths: torch.Tensor,
    *,
    is_ragged: bool = True,
    num_layers: int | None = None,
) -> UnrolledLayer:
    """Compute what `Encoder.forward` does without dropout, step by step.

    Args:
        encoder: The recurrent layers.
        inputs: [T, B, E].
        lengths: [B] int64 in 1..T.
        is_ragged: Whether any length may be below T.
        num_layers: Stop after that many layers; None: all.

    Returns:
        The last of these layers.
    """
    index = None
    if encoder.num_directions == 2:
        index = compute_reverse_index(lengths, len(inputs), is_ragged=is_ragged)
    layer = _unroll_layer(encoder, 0, inputs, index)
    for above in range(1, num_layers or encoder.num_layers):
        layer = _unroll_layer(encoder, above, layer.states.joined(), index)
    return layer


def _unroll_layer(
    encoder: Encoder, layer: int, inputs: torch.Tensor, index: torch.Tensor | None
) -> UnrolledLayer:
    mode = encoder.rnn.mode
    forward_steps = unroll_direction(mode, inputs, encoder.weights_of(layer, 0))
    forward = _stack_hidden(forward_steps)  # [T, B, H]
    if index is None:
        return UnrolledLayer(States(forward), [forward_steps])
    backward_inputs = reorder(inputs, index)  # [T, B, E]
    backward_steps = unroll_direction(
        mode, backward_inputs, encoder.weights_of(layer, 1)
    )
    backward = _stack_hidden(backward_steps)  # [T, B, H]
    states = States(forward, backward, index)
    return UnrolledLayer(states, [forward_steps, backward_steps])


def _stack_hidden(steps: list[Step]) -> torch.Tensor:
    """Stack the hidden states of T steps. [T, B, H]."""
    return torch.stack([step["hidden"] for step in steps])


def stack_steps(steps: list[Step]) -> dict[str, torch.Tensor]:
    """Stack the values of T steps. [T, B, H] for each name."""
    return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}


def unroll_direction(
    mode: str, inputs: torch.Tensor, weights: LayerWeights
) -> list[Step]:
    """Run one layer in one direction from a zero state, and keep every value.

    Args:
        mode: torch's name of the cell: RNN_TANH, LSTM or GRU.
        inputs: [T, B, E], in reading order.
        weights: The layer's weights.

    Returns:
        T steps. Each `hidden` and `cell` is the tensor that the next step reads, so
        autograd can differentiate with respect to it.
    """
    batch_size = inputs.shape[1]
    hidden_size = weights.recurrent.shape[1]
    zeros = inputs.new_zeros(batch_size, hidden_size)  # [B, H]
    step: Step = {"hidden": zeros, "cell": zeros}
    steps = []
    from_inputs = F.linear(inputs, weights.input, weights.input_bias)  # [T, B, G * H]
    for from_input in from_inputs:
        hidden = step["hidden"]  # [B, H]
        from_state = F.linear(
            hidden,
            weights.recurrent,
            weights.recurrent_bias,
        )  # [B, G * H]
        step = _take_step(mode, from_input, from_state, step)
        steps.append(step)
    return steps


def _take_step(
    mode: str, from_input: torch.Tensor, from_state: torch.Tensor, previous: Step
) -> Step:
    """Take one step of a cell.

    Args:
        mode: torch's name of the cell: RNN_TANH, LSTM or GRU.
        from_input: [B, G * H], the input's share of the gates' arguments.
        from_state: [B, G * H], the previous state's share.
        previous: The values after the previous step.
    """
    if mode == "LSTM":
        return _step_lstm(from_input + from_state, previous["cell"])
    if mode == "GRU":
        return _step_gru(from_input, from_state, previous["hidden"])
    return {"hidden": torch.tanh(from_input + from_state)}


def _step_lstm(gate_inputs: torch.Tensor, cell: torch.Tensor) -> Step:
    """Take one step of `torch.nn.LSTM`.

    Args:
        gate_inputs: [B, 4 * H], the arguments of the gates.
        cell: [B, H], the previous cell.
    """
    input_, forget, candidate, output = gate_inputs.chunk(4, dim=1)  # [B, H]
    gates = {
        "input": input_.sigmoid(),
        "forget": forget.sigmoid(),
        "output": output.sigmoid(),
    }
    kept = gates["forget"] * cell
    new_cell = kept + gates["input"] * candidate.tanh()
    hidden = gates["output"] * new_cell.tanh()
    # A copy, so that the gradient with respect to the cell that is passed on does not
    # include the path through this step's own hidden state.
    return {"hidden": hidden, "cell": new_cell.clone(), **gates}


def _step_gru(
    from_input: torch.Tensor, from_state: torch.Tensor, hidden: torch.Tensor
) -> Step:
    """Take one step of `torch.nn.GRU`.

    Args:
        from_input: [B, 3 * H], the input's share of the gates' arguments.
        from_state: [B, 3 * H], the previous state's share.
        hidden: [B, H], the previous state.
    """
    input_reset, input_update, input_new = from_input.chunk(3, dim=1)  # [B, H]
    state_reset, state_update, state_new = from_state.chunk(3, dim=1)  # [B, H]
    reset = (input_reset + state_reset).sigmoid()
    update = (input_update + state_update).sigmoid()
    candidate = (input_new + reset * state_new).tanh()
    hidden = (1 - update) * candidate + update * hidden
    return {"hidden": hidden, "reset": reset, "update": update}
