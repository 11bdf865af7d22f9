"""The recurrent layers: word vectors to states, unaffected by padding.

Padding follows the text, so the forward direction reads it last. The backward direction
reads each text reversed within its own length, so it reads padding last as well.
Directions, dense kernels and their speed: `rnncls.nn.kernels`.

Tensors are laid out step by step, [T, B, …], as the cells read and write them.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, L layers, H
hidden_size, D directions, S = D * H width of a state.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn

from rnncls.config.sections import ModelSection
from rnncls.nn.dropout import Dropout, drop_between, drop_recurrent
from rnncls.nn.grid_lstm import GridLstm
from rnncls.nn.initialization import init_recurrent_weights
from rnncls.nn.kernels import LayerWeights, flatten_weights, reorder, run_kernel
from rnncls.nn.states import HiddenState, States, compute_reverse_index

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class Encoder(nn.Module):
    """A torch.nn RNN, LSTM or GRU whose states do not depend on padding."""

    def __init__(self, section: ModelSection) -> None:
        """Build the recurrent layers."""
        super().__init__()
        self.rnn = CELLS[section.cell](
            section.embedding_dim,
            section.hidden_size,
            section.num_layers,
            bidirectional=section.bidirectional,
        )
        init_recurrent_weights(self.rnn)
        self.num_layers = section.num_layers
        self.num_directions = 2 if section.bidirectional else 1
        self.state_size = section.hidden_size * self.num_directions

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Convert the weights, then store those of each kernel call together."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for weights in self.rnn.all_weights:
            flatten_weights(self.rnn.mode, LayerWeights(*weights))
        return self

    def forward(
        self,
        inputs: torch.Tensor,
        lengths: torch.Tensor,
        dropout: Dropout | None = None,
        *,
        is_ragged: bool = True,
        dtype: torch.dtype | None = None,
    ) -> States:
        """Return the states of the last layer.

        Args:
            inputs: [T, B, E] float32.
            lengths: [B] int64.
            dropout: Masks between layers and for the recurrent weights; None: no
                dropout.
            is_ragged: Whether any length may be below T.
            dtype: The dtype the kernels compute in; None: the dtype of the inputs.
        """
        index = None
        if self.num_directions == 2:
            index = compute_reverse_index(lengths, len(inputs), is_ragged=is_ragged)
        states = self._run_layer(0, inputs, index, dropout, dtype)
        for layer in range(1, self.num_layers):
            below = states.joined()  # [T, B, S]
            inputs = drop_between(below, dropout, layer - 1)  # [T, B, S]
            states = self._run_layer(layer, inputs, index, dropout, dtype)
        return states

    def _run_layer(
        self,
        layer: int,
        inputs: torch.Tensor,
        index: torch.Tensor | None,
        dropout: Dropout | None,
        dtype: torch.dtype | None,
    ) -> States:
        """Run one layer in all its directions; `index` is the reverse index."""
        first = layer * self.num_directions
        if index is None:
            return States(self._run_direction(first, inputs, dropout, dtype))
        reversed_inputs = reorder(inputs, index)  # [T, B, E or S]
        backward = self._run_direction(first + 1, reversed_inputs, dropout, dtype)
        forward = self._run_direction(first, inputs, dropout, dtype)
        return States(forward, backward, index)

    def _run_direction(
        self,
        index: int,
        inputs: torch.Tensor,
        dropout: Dropout | None,
        dtype: torch.dtype | None,
    ) -> torch.Tensor:
        """Run the layer and direction with this index in `all_weights`. [T, B, H]."""
        weights = LayerWeights(*self.rnn.all_weights[index])
        weights = drop_recurrent(weights, dropout, index)
        return run_kernel(self.rnn.mode, inputs, weights, dtype)

    def step(
        self, vectors: torch.Tensor, hidden_state: HiddenState
    ) -> tuple[torch.Tensor, HiddenState]:
        """Read one more token of each text, in one direction.

        Args:
            vectors: [B, E], the token's word vector.
            hidden_state: What the previous step returned; () before the first.

        Returns:
            The last layer's states, [B, H], and the new hidden state.
        """
        has_cells = self.rnn.mode == "LSTM"
        previous: HiddenState | torch.Tensor | None = None
        if hidden_state:
            previous = hidden_state if has_cells else hidden_state[0]
        states, following = self.rnn(vectors[None], previous)  # [1, B, H]
        return states[0], following if has_cells else (following,)

    def weights_of(self, layer: int, direction: int) -> LayerWeights:
        """Return the weights of one layer and direction.

        Args:
            layer: From 0, the layer above the word vectors.
            direction: 0 for forward, 1 for backward.
        """
        index = layer * self.num_directions + direction
        return LayerWeights(*self.rnn.all_weights[index])

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer, the last layer first."""
        layers: list[list[nn.Parameter]] = [[] for _ in range(self.num_layers)]
        for index, weights in enumerate(self.rnn.all_weights):
            layers[index // self.num_directions].extend(weights)
        return layers[::-1]

    def recurrent_weights(self) -> list[nn.Parameter]:
        """Return the recurrent weight matrices in the order of `Dropout.recurrent`."""
        return [weights[1] for weights in self.rnn.all_weights]


def build_encoder(section: ModelSection) -> Encoder | GridLstm:
    """Build the recurrent layers with fresh weights."""
    return GridLstm(section) if section.cell == "grid_lstm" else Encoder(section)
