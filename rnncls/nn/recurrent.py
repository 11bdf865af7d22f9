"""The recurrent part of the network: word vectors into states, with no padding ever
read
before a word.

Padding stands after a text, where the forward direction has already passed by; the
backward direction reads each text reversed within its own length, so that it too meets
the padding last. Each direction is a call of its own of torch's dense kernel: on a CPU
that is faster than the kernel for both, and more than three times as fast as a ragged
`PackedSequence` (docs/performance.md). Only a plain RNN that trains on a CPU has a
kernel of its own, `_TanhRnn`.

All is laid out step by step, [T, B, …], which is how the cells read and write.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, H hidden_size, D
directions, S = D * H width of a state, G gates of a cell, P poolings.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from rnncls.config.sections import ModelSection

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
_KERNELS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {
    "RNN_TANH": torch.rnn_tanh,
    "LSTM": torch.lstm,
    "GRU": torch.gru,
}


Carried = tuple[torch.Tensor, ...]
"""What a reader in one direction takes along from token to token, [L, B, H] each:
states,
and an LSTM's cells too. At a text's start it is empty."""


@dataclass(frozen=True)
class Dropout:
    """What dropout does to each text of a batch, drawn beforehand: 0, or what makes up
    for
    the dropped values.

    Attributes:
        between: [B, S] for each layer but the last: one draw for all steps of a text
            (Gal and Ghahramani 2016).
        last: [B, P * S], the pooled states before the linear layer; [B, S], each state
            of a language model.
        inputs: [B, E], the word vectors, likewise one draw for all steps; None:
            nothing.
        recurrent: [G * H, H] for each recurrent weight matrix, one draw for all texts
            and steps (Merity, Keskar and Socher 2018, AWD-LSTM); or none.
    """

    between: list[torch.Tensor]
    last: torch.Tensor
    inputs: torch.Tensor | None = None
    recurrent: list[torch.Tensor] = field(default_factory=list)

    def of(self, texts: slice) -> "Dropout":
        """Return those of some of the texts."""
        inputs = None if self.inputs is None else self.inputs[texts]
        return Dropout(
            [mask[texts] for mask in self.between],
            self.last[texts],
            inputs,
            self.recurrent,
        )


def draw_mask(
    num_rows: int, width: int, share: float, generator: torch.Generator
) -> torch.Tensor:
    """Return 0 for about that share of the values, and what makes up for them for the
    others. [num_rows, width].
    """
    keep = 1.0 - share
    return (
        torch.rand(num_rows, width, generator=generator, device=generator.device)
        .lt_(keep)
        .div_(keep)
    )


def draw_recurrent(
    weights: Sequence[torch.Tensor], share: float, generator: torch.Generator
) -> list[torch.Tensor]:
    """Return a mask for each of the recurrent weight matrices; none where nothing is to
    drop.
    """
    return (
        [
            draw_mask(len(weight), weight.shape[1], share, generator)
            for weight in weights
        ]
        if share
        else []
    )


@dataclass(frozen=True)
class States:
    """The states of a batch, each direction in the order in which it reads; past a
    text's
    end they mean nothing.

    Attributes:
        ahead: [T, B, H], from a text's start to its end.
        back: [T, B, H], from a text's end to its start; None in one direction.
        order: [T * B] or [T] int64, the `reversal` between the two orders; None in one
            direction.
    """

    ahead: torch.Tensor
    back: torch.Tensor | None = None
    order: torch.Tensor | None = None

    def joined(self) -> torch.Tensor:
        """Return the states of both directions side by side at each token. [T, B, S]."""
        if self.back is None or self.order is None:
            return self.ahead
        return torch.cat([self.ahead, reorder(self.back, self.order)], dim=-1)


class Encoder(nn.Module):
    """A torch.nn RNN, LSTM or GRU that never lets padding reach a state that is used."""

    def __init__(self, section: ModelSection) -> None:
        """Build the recurrent layers."""
        super().__init__()
        self.rnn = CELLS[section.cell](
            section.embedding_dim,
            section.hidden_size,
            section.num_layers,
            bidirectional=section.bidirectional,
        )
        start_weights(self.rnn)
        self.state_size = section.hidden_size * (2 if section.bidirectional else 1)

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
            dropout: What to drop between layers and from the recurrent weights; None:
                nothing.
            is_ragged: Whether any length may be below T.
            dtype: What the kernels compute in; None: what the inputs are.
        """
        weights = [
            _drop_recurrent(own, dropout, number)
            for number, own in enumerate(self.rnn.all_weights)
        ]
        order = None
        if self.rnn.bidirectional:
            order = reversal(
                lengths, len(inputs), is_ragged=is_ragged
            )  # [T * B] or [T]
        for layer in range(self.rnn.num_layers):
            if order is None:
                states = States(
                    run_kernel(self.rnn.mode, inputs, weights[layer], dtype)
                )
            else:
                back = run_kernel(
                    self.rnn.mode, reorder(inputs, order), weights[2 * layer + 1], dtype
                )
                states = States(
                    run_kernel(self.rnn.mode, inputs, weights[2 * layer], dtype),
                    back,
                    order,
                )
            if layer < self.rnn.num_layers - 1:
                inputs = states.joined()  # [T, B, S]
                inputs = (
                    inputs * dropout.between[layer]
                    if dropout and dropout.between
                    else inputs
                )
        return states

    def step(
        self, vectors: torch.Tensor, carried: Carried
    ) -> tuple[torch.Tensor, Carried]:
        """Read one more token of each text, in one direction.

        Args:
            vectors: [B, E], of the token.
            carried: What the last step returned, or ().

        Returns:
            The last layer's states, [B, H], and what to carry on.
        """
        before = (
            None if not carried else carried if self.rnn.mode == "LSTM" else carried[0]
        )
        states, after = self.rnn(vectors[None], before)  # [1, B, H]
        return states[0], after if self.rnn.mode == "LSTM" else (after,)

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the weights of each layer, the last layer first."""
        num_directions = 2 if self.rnn.bidirectional else 1
        directions = self.rnn.all_weights
        starts = range(0, len(directions), num_directions)
        return [
            [w for own in directions[start : start + num_directions] for w in own]
            for start in reversed(starts)
        ]

    def recurrent_weights(self) -> list[nn.Parameter]:
        """Return the matrix from state to state of each layer and direction, as
        `Dropout.recurrent` counts them.
        """
        return [weights[1] for weights in self.rnn.all_weights]


class GridLstm(nn.Module):
    """A stack of Grid LSTM blocks (Kalchbrenner, Danihelka and Graves 2016): gates and
    a
    cell along the depth too.

    In a plain stack a layer's state is simply the next one's input. Here a word goes up
    through the layers as the state of an LSTM of its own, whose gates say at each layer
    what to keep and what to add, and whose input is the state that the layer has just
    reached in time (the paper's "priority dimensions"). The step along time is
    therefore torch's dense LSTM over the states from below, and the step along depth an
    LSTM cell for all words at once. Each direction is a stack of its own.
    """

    def __init__(self, section: ModelSection) -> None:
        """Build the blocks."""
        super().__init__()
        size = section.hidden_size
        self.num_directions = 2 if section.bidirectional else 1
        self.num_layers = section.num_layers
        self.state_size = size * self.num_directions
        num_blocks = self.num_layers * self.num_directions
        self.project = nn.Linear(section.embedding_dim, 2 * size)
        self.time = nn.ModuleList(nn.LSTM(size, size) for _ in range(num_blocks))
        self.depth = nn.ModuleList(nn.LSTMCell(size, size) for _ in range(num_blocks))
        for block in [*self.time, *self.depth]:
            start_weights(block)

    def forward(
        self,
        inputs: torch.Tensor,
        lengths: torch.Tensor,
        dropout: Dropout | None = None,
        *,
        is_ragged: bool = True,
        dtype: torch.dtype | None = None,
    ) -> States:
        """Return what leaves the grid at its top; see `Encoder.forward`."""
        bottom = self.project(inputs)  # [T, B, 2 * H]
        if self.num_directions == 1:
            return States(self._climb(bottom, 0, dropout, dtype))
        order = reversal(lengths, len(inputs), is_ragged=is_ragged)  # [T * B] or [T]
        back = self._climb(reorder(bottom, order), 1, dropout, dtype)
        return States(self._climb(bottom, 0, dropout, dtype), back, order)

    def _climb(
        self,
        bottom: torch.Tensor,
        direction: int,
        dropout: Dropout | None,
        dtype: torch.dtype | None,
    ) -> torch.Tensor:
        """Go through all layers in one direction. [T, B, 2 * H] -> [T, B, H]."""
        state, cell = bottom.chunk(2, dim=-1)  # [T, B, H]
        size = state.shape[2]
        for layer in range(self.num_layers):
            number = layer * self.num_directions + direction
            weights = _drop_recurrent(self._weights_along_time(number), dropout, number)
            reached = run_kernel("LSTM", state, weights, dtype)  # [T, B, H]
            below = state.flatten(0, 1), cell.flatten(0, 1)  # [T * B, H]
            state, cell = (
                each.view_as(reached)
                for each in self.depth[number](reached.flatten(0, 1), below)
            )
            if dropout and dropout.between and layer < self.num_layers - 1:
                state = (
                    state
                    * dropout.between[layer][
                        :, direction * size : (direction + 1) * size
                    ]
                )
        return state

    def step(
        self, vectors: torch.Tensor, carried: Carried
    ) -> tuple[torch.Tensor, Carried]:
        """Read one more token of each text, in one direction; see `Encoder.step`."""
        state, cell = self.project(vectors).chunk(2, dim=-1)  # [B, H]
        after = []
        for layer, (time, depth) in enumerate(zip(self.time, self.depth, strict=True)):
            before = tuple(each[layer, None] for each in carried) or None  # [1, B, H]
            reached, kept = time(state[None], before)  # [1, B, H]
            state, cell = depth(reached[0], (state, cell))  # [B, H]
            after.append(kept)
        return state, tuple(torch.cat(kind) for kind in zip(*after, strict=True))

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the weights of each layer, the last first; the first has those that
        bring a word into the grid.
        """
        numbers = range(self.num_layers * self.num_directions)
        blocks = [
            [*self.time[number].parameters(), *self.depth[number].parameters()]
            for number in numbers
        ]
        starts = range(0, len(blocks), self.num_directions)
        found = [
            [w for own in blocks[start : start + self.num_directions] for w in own]
            for start in reversed(starts)
        ]
        found[-1] += self.project.parameters()
        return found

    def recurrent_weights(self) -> list[nn.Parameter]:
        """Return the matrix from state to state along time of each block, as
        `Dropout.recurrent` counts them.
        """
        return [self._weights_along_time(number)[1] for number in range(len(self.time))]

    def _weights_along_time(self, number: int) -> list[nn.Parameter]:
        return cast(nn.LSTM, self.time[number]).all_weights[0]


def build_encoder(section: ModelSection) -> Encoder | GridLstm:
    """Return the recurrent layers with fresh weights."""
    return GridLstm(section) if section.cell == "grid_lstm" else Encoder(section)


def run_kernel(
    mode: str,
    inputs: torch.Tensor,
    weights: list[torch.Tensor],
    dtype: torch.dtype | None,
) -> torch.Tensor:
    """Run one layer in one direction from a zero state. [T, B, E] -> [T, B, H], of the
    inputs' own type again.

    Args:
        mode: torch's name of the cell: RNN_TANH, LSTM or GRU.
        inputs: [T, B, E].
        weights: [G * H, E], [G * H, H], [G * H], [G * H].
        dtype: What to compute in; None: what the inputs are.
    """
    outside, dtype = inputs.dtype, dtype or inputs.dtype
    inputs, weights = inputs.to(dtype), [weight.to(dtype) for weight in weights]
    is_training = torch.is_grad_enabled()
    if mode == "RNN_TANH" and inputs.device.type == "cpu" and is_training:
        return _TanhRnn.apply(inputs, *weights).to(outside)  # type: ignore[no-any-return, no-untyped-call]
    zeros = inputs.new_zeros(1, inputs.shape[1], weights[1].shape[1])  # [1, B, H]
    initial = (zeros, zeros) if mode == "LSTM" else zeros
    has_biases, num_layers, dropout, bidirectional, batch_first = (
        True,
        1,
        0.0,
        False,
        False,
    )
    states = _KERNELS[mode](
        inputs,
        initial,
        weights,
        has_biases,
        num_layers,
        dropout,
        is_training,
        bidirectional,
        batch_first,
    )[0]
    return states.to(outside)


class _TanhRnn(torch.autograd.Function):
    """A plain RNN's layer, with a gradient of its own.

    autograd multiplies and adds up for the gradient of the weights at every step; here
    one product over all steps does, and the recursion back through time is left with
    two operations a step (docs/performance.md).
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        from_inputs: torch.Tensor,
        from_states: torch.Tensor,
        bias: torch.Tensor,
        other_bias: torch.Tensor,
    ) -> torch.Tensor:
        states = F.linear(
            inputs, from_inputs, bias + other_bias
        )  # [T, B, H], of the inputs alone so far
        steps = states.unbind()
        steps[0].tanh_()
        for before, state in itertools.pairwise(steps):
            state.addmm_(before, from_states.t()).tanh_()
        ctx.save_for_backward(inputs, from_inputs, from_states, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        inputs, from_inputs, from_states, states = ctx.saved_tensors
        slopes = torch.addcmul(
            states.new_ones(()), states, states, value=-1
        )  # [T, B, H], of tanh
        sums = (
            gradient.clone()
        )  # [T, B, H], in the end the gradient of what goes into tanh
        steps, slope_of = sums.unbind(), slopes.unbind()
        steps[-1].mul_(slope_of[-1])
        for step in reversed(range(len(steps) - 1)):
            steps[step].addmm_(steps[step + 1], from_states).mul_(slope_of[step])
        flat = sums.flatten(0, 1)  # [T * B, H]
        of_states = sums[1:].flatten(0, 1).t() @ states[:-1].flatten(0, 1)  # [H, H]
        of_bias = flat.sum(dim=0)  # [H]
        # Each bias gets a gradient of its own: a step adds up and clips them in place.
        return (
            sums @ from_inputs,
            flat.t() @ inputs.flatten(0, 1),
            of_states,
            of_bias,
            of_bias.clone(),
        )


def _drop_recurrent(
    weights: list[nn.Parameter], dropout: Dropout | None, number: int
) -> list[torch.Tensor]:
    """Return the weights of a kernel, with what dropout leaves of the matrix from state
    to state.
    """
    if dropout is None or not dropout.recurrent:
        return [*weights]
    from_inputs, from_states, *biases = weights
    return [from_inputs, from_states * dropout.recurrent[number], *biases]


def start_weights(rnn: nn.RNNBase | nn.LSTMCell) -> None:
    """Draw recurrent weights orthogonal, input weights Glorot's, gate by gate; no bias
    but
    an open forget gate.

    Orthogonal weights carry a state over many steps (Saxe, McClelland and Ganguli
    2014), and so does a forget gate that starts with a bias of 1 (Jozefowicz, Zaremba
    and Sutskever 2015). Measured in docs/experiments.md.
    """
    size = rnn.hidden_size
    for name, parameter in rnn.named_parameters():
        for gate in torch.split(parameter.detach(), size):
            if "weight_hh" in name:
                nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(gate)
        if isinstance(rnn, nn.LSTM | nn.LSTMCell) and "bias_ih" in name:
            nn.init.ones_(
                parameter.detach()[size : 2 * size]
            )  # torch's order: input, forget, cell, output


def reversal(
    lengths: torch.Tensor, longest: int, *, is_ragged: bool = True
) -> torch.Tensor:
    """Return where each position of a flattened [T, B] stands once every text is
    reversed
    within its length.

    Padding stays where it is, and doing it twice undoes it. Where all texts are of one
    length, whole steps change places, which is faster. [B] int64 -> [T * B] int64, or
    [T] int64 for whole steps.
    """
    positions = torch.arange(longest, device=lengths.device)  # [T]
    if not is_ragged:
        return positions.flip(0)
    mirrored = lengths - 1 - positions[:, None]  # [T, B]
    mirrored = torch.where(mirrored >= 0, mirrored, positions[:, None])  # [T, B]
    return (
        mirrored * len(lengths) + torch.arange(len(lengths), device=lengths.device)
    ).flatten()  # [T * B]


def reorder(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return [T, B, …] with its steps, or its T * B positions, in the order of a
    `reversal`.
    """
    return _Reorder.apply(states, order)  # type: ignore[no-any-return, no-untyped-call]


class _Reorder(torch.autograd.Function):
    """`reorder`, which is its own gradient: an order that undoes itself needs no adding
    up of positions.
    """

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(order)
        return _take(states, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (order,) = ctx.saved_tensors
        return _take(gradient, order), None


def _take(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    if len(order) == len(states):
        return states.index_select(0, order)
    return states.flatten(0, 1).index_select(0, order).view_as(states)
