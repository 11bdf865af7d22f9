"""Grid LSTM: gates and a cell along the depth of the network as well as along time.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, L layers, H
hidden_size, D directions, S = D * H width of a state.
"""

from typing import cast

import torch
from torch import nn

from rnncls.config.sections import ModelSection
from rnncls.nn.dropout import Dropout, drop_recurrent
from rnncls.nn.initialization import init_recurrent_weights
from rnncls.nn.kernels import LayerWeights, reorder, run_kernel
from rnncls.nn.states import HiddenState, States, compute_reverse_index


class GridLstm(nn.Module):
    """A stack of Grid LSTM blocks (Kalchbrenner, Danihelka and Graves 2016).

    In a plain stack, the state of one layer is the input of the next. Here each word
    passes through the layers as the state of a second LSTM, which runs along the depth:
    at each layer its gates decide what to keep and what to add. Its input is the state
    that the layer has just computed along time (the paper's "priority dimensions"). So
    the step along time is torch's dense LSTM over the states from the layer below, and
    the step along depth is one LSTM cell applied to all words at once. Each direction
    has its own stack.
    """

    def __init__(self, section: ModelSection) -> None:
        """Build the blocks."""
        super().__init__()
        size = section.hidden_size
        self.num_directions = 2 if section.bidirectional else 1
        self.num_layers = section.num_layers
        self.state_size = size * self.num_directions
        self.project = nn.Linear(section.embedding_dim, 2 * size)
        num_blocks = self.num_layers * self.num_directions
        time = [nn.LSTM(size, size) for _ in range(num_blocks)]
        depth = [nn.LSTMCell(size, size) for _ in range(num_blocks)]
        for lstm in time:
            init_recurrent_weights(lstm)
        for cell in depth:
            init_recurrent_weights(cell)
        self.time = nn.ModuleList(time)
        self.depth = nn.ModuleList(depth)

    def forward(
        self,
        inputs: torch.Tensor,
        lengths: torch.Tensor,
        dropout: Dropout | None = None,
        *,
        is_ragged: bool = True,
        dtype: torch.dtype | None = None,
    ) -> States:
        """Return the states along depth of the last layer; see `Encoder.forward`."""
        projected = self.project(inputs)  # [T, B, 2 * H]
        if self.num_directions == 1:
            return States(self._run_stack(projected, 0, dropout, dtype))
        index = compute_reverse_index(lengths, len(inputs), is_ragged=is_ragged)
        backward = self._run_stack(reorder(projected, index), 1, dropout, dtype)
        return States(self._run_stack(projected, 0, dropout, dtype), backward, index)

    def _run_stack(
        self,
        projected: torch.Tensor,
        direction: int,
        dropout: Dropout | None,
        dtype: torch.dtype | None,
    ) -> torch.Tensor:
        """Run all layers in one direction. [T, B, 2 * H] -> [T, B, H]."""
        state, cell = projected.chunk(2, dim=-1)  # [T, B, H]
        masks = self._masks_between(dropout, direction)
        for layer in range(self.num_layers):
            if masks and layer > 0:
                state = state * masks[layer - 1]
            block = layer * self.num_directions + direction
            along_time = self._step_time(block, state, dropout, dtype)  # [T, B, H]
            state, cell = self._step_depth(block, along_time, state, cell)
        return state

    def _masks_between(
        self, dropout: Dropout | None, direction: int
    ) -> list[torch.Tensor]:
        """Return one direction's columns of the masks between layers. [B, H] each."""
        if dropout is None:
            return []
        size = self.state_size // self.num_directions
        first = direction * size
        return [mask[:, first : first + size] for mask in dropout.between]

    def _step_time(
        self,
        block: int,
        states: torch.Tensor,
        dropout: Dropout | None,
        dtype: torch.dtype | None,
    ) -> torch.Tensor:
        """Run a block's LSTM along time over the states from below. [T, B, H]."""
        lstm = cast(nn.LSTM, self.time[block])
        weights = LayerWeights(*lstm.all_weights[0])
        weights = drop_recurrent(weights, dropout, block)
        return run_kernel("LSTM", states, weights, dtype)

    def _step_depth(
        self,
        block: int,
        along_time: torch.Tensor,
        state: torch.Tensor,
        cell: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Apply a block's LSTM cell along depth to all words. Each [T, B, H]."""
        below = state.flatten(0, 1), cell.flatten(0, 1)  # [T * B, H]
        state, cell = self.depth[block](along_time.flatten(0, 1), below)  # [T * B, H]
        return state.view_as(along_time), cell.view_as(along_time)

    def step(
        self, vectors: torch.Tensor, hidden_state: HiddenState
    ) -> tuple[torch.Tensor, HiddenState]:
        """Read one more token of each text, in one direction; see `Encoder.step`."""
        state, cell = self.project(vectors).chunk(2, dim=-1)  # [B, H]
        hidden, cells = [], []
        for layer in range(self.num_layers):
            previous = tuple(part[layer, None] for part in hidden_state)  # [1, B, H]
            along_time, following = self.time[layer](state[None], previous or None)
            state, cell = self.depth[layer](along_time[0], (state, cell))  # [B, H]
            hidden.append(following[0])
            cells.append(following[1])
        return state, (torch.cat(hidden), torch.cat(cells))

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer, the last layer first.

        The first layer's include the projection of the word vectors.
        """
        layers: list[list[nn.Parameter]] = [[] for _ in range(self.num_layers)]
        for block in range(len(self.time)):
            layer = layers[block // self.num_directions]
            layer.extend(self.time[block].parameters())
            layer.extend(self.depth[block].parameters())
        layers[0].extend(self.project.parameters())
        return layers[::-1]

    def recurrent_weights(self) -> list[nn.Parameter]:
        """Return the recurrent weights along time, ordered as `Dropout.recurrent`."""
        return [cast(nn.LSTM, time).all_weights[0][1] for time in self.time]
