"""The recurrent layers in NumPy: word vectors to states, unaffected by padding.

As in `rnncls.nn.encoder`, each direction is a pass of its own, and the backward one
reads each text reversed within its length, so that padding is always read last.

Shapes: B texts, T tokens in the longest of them, K steps in the longest of them, E
embedding_dim, H hidden_size, D directions, S = D * H width of a state.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.inference.light.cells import apply_linear, run_cell, take_lstm_step
from rnncls.runs.portable import Array, PortableClassifier

Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True)
class States:
    """The states of a batch, each direction in its own reading order.

    Values after the end of a text are undefined.

    Attributes:
        directions: [T, B, H] for each of the D directions.
        lengths: [B] int64.
    """

    directions: list[Array]
    lengths: Lengths

    def joined(self) -> Array:
        """Concatenate the states of all directions at each token. [T, B, S]."""
        if len(self.directions) == 1:
            return self.directions[0]
        forward, backward = self.directions
        return np.concatenate([forward, reverse(backward, self.lengths)], axis=-1)

    def mask(self) -> npt.NDArray[np.bool_]:
        """Return True for tokens and False for padding. [T, B]."""
        num_steps = len(self.directions[0])
        is_token: npt.NDArray[np.bool_] = np.arange(num_steps)[:, None] < self.lengths
        return is_token


def reverse(values: Array, lengths: Lengths) -> Array:
    """Reverse each text within its own length; padding keeps its position.

    Args:
        values: [T, B, E].
        lengths: [B] int64 in 1..T.
    """
    steps = np.arange(len(values))[:, None]  # [T, 1]
    mirrored = lengths - 1 - steps  # [T, B]
    source = np.where(mirrored >= 0, mirrored, steps)  # [T, B]
    reversed_values: Array = np.take_along_axis(values, source[..., None], axis=0)
    return reversed_values


def encode(classifier: PortableClassifier, inputs: Array, lengths: Lengths) -> States:
    """Return the states of the last layer.

    Args:
        classifier: Any classifier with recurrent layers.
        inputs: [T, B, E] word vectors.
        lengths: [B] int64.

    Returns:
        The states of K steps: T, or fewer if a step reads several tokens.
    """
    inputs, lengths = _sum_tokens(inputs, lengths, classifier.model.tokens_per_step)
    if classifier.model.cell == "grid_lstm":
        return _encode_grid(classifier, inputs, lengths)
    states = States([inputs], lengths)
    for layer in range(classifier.model.num_layers):
        states = _run_layer(classifier, layer, states)
    return states


def _sum_tokens(
    inputs: Array, lengths: Lengths, tokens_per_step: int
) -> tuple[Array, Lengths]:
    """Return what each step reads, and the steps of a text: `rnncls.nn.token_steps`.

    Args:
        inputs: [T, B, E].
        lengths: [B].
        tokens_per_step: The tokens of a step.

    Returns:
        [K, B, E] and [B].
    """
    if tokens_per_step == 1:
        return inputs, lengths
    is_token = np.arange(len(inputs))[:, None] < lengths  # [T, B]
    without_padding = np.where(is_token[..., None], inputs, np.float32(0))  # [T, B, E]
    starts = np.arange(0, len(inputs), tokens_per_step)  # [K]
    sums: Array = np.add.reduceat(without_padding, starts, axis=0)  # [K, B, E]
    return sums, -(-lengths // tokens_per_step)


def _run_layer(classifier: PortableClassifier, layer: int, below: States) -> States:
    """Run one rnn, lstm or gru layer over the states of the layer below."""
    inputs = below.joined()  # [T, B, E or S]
    directions = []
    for direction in range(classifier.num_directions):
        read = reverse(inputs, below.lengths) if direction else inputs
        weights = classifier.cell(layer, direction)
        directions.append(run_cell(classifier.model.cell, read, weights))
    return States(directions, below.lengths)


def _encode_grid(
    classifier: PortableClassifier, inputs: Array, lengths: Lengths
) -> States:
    """Return the states along depth of a Grid LSTM; see `rnncls.nn.grid_lstm`."""
    weights = classifier.weights
    projected = apply_linear(
        inputs, weights["encoder.project.weight"], weights["encoder.project.bias"]
    )  # [T, B, 2 * H]
    directions = []
    for direction in range(classifier.num_directions):
        read = reverse(projected, lengths) if direction else projected
        directions.append(_run_grid_stack(classifier, direction, read))
    return States(directions, lengths)


def _run_grid_stack(
    classifier: PortableClassifier, direction: int, projected: Array
) -> Array:
    """Run all blocks of one direction. [T, B, 2 * H] -> [T, B, H]."""
    num_steps, batch_size, width = projected.shape
    rows = projected.reshape(num_steps * batch_size, width)  # [T * B, 2 * H]
    state, cell = np.split(rows, 2, axis=-1)  # [T * B, H]
    for layer in range(classifier.model.num_layers):
        time = classifier.grid_time(layer, direction)
        depth = classifier.grid_depth(layer, direction)
        by_step = state.reshape(num_steps, batch_size, -1)  # [T, B, H]
        along_time = run_cell("lstm", by_step, time)  # [T, B, H]
        inputs = along_time.reshape(num_steps * batch_size, -1)  # [T * B, H]
        from_time = apply_linear(inputs, depth.weight_ih, depth.bias_ih)
        from_below = apply_linear(state, depth.weight_hh, depth.bias_hh)
        gate_inputs = from_time + from_below  # [T * B, 4 * H]
        state, cell = take_lstm_step(gate_inputs, cell)  # [T * B, H]
    return state.reshape(num_steps, batch_size, -1)
