"""The network: embedding → recurrent cell → pooling → dropout → linear.

Nothing in it lets a pad change a text's logits. Padding stands after a text, where the forward direction has already
passed by; the backward direction reads each text reversed within its own length, so that it too meets the padding
last. Each direction is a call of its own of torch's dense kernel: on a CPU that is faster than the kernel for both, and
more than three times as fast as a ragged `PackedSequence` (docs/performance.md).

All is laid out step by step, [T, B, …], which is how the cells read and write.

Shapes: B texts, T tokens in the longest of them, V words, E embedding_dim, H hidden_size, D directions, C classes,
S = D * H width of a state, P poolings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from rnncls.config import ModelSection
from rnncls.vocab import PAD_ID

EMBEDDING_STD = 0.1
"""Spread of a word's first vector. With torch's own, 1, AG News ends 0.9 points lower (docs/experiments.md)."""

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_KERNELS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {
    "RNN_TANH": torch.rnn_tanh,
    "LSTM": torch.lstm,
    "GRU": torch.gru,
}


@dataclass(frozen=True)
class Dropout:
    """What dropout does to each text of a batch, drawn beforehand: 0, or what makes up for the dropped values.

    Attributes:
        between: [B, S] for each layer but the last: one draw for all steps of a text (Gal and Ghahramani 2016).
        last: [B, P * S], the pooled states before the linear layer; [B, S], each state of a language model.
        inputs: [B, E], the word vectors, likewise one draw for all steps; None: nothing.
    """

    between: list[torch.Tensor]
    last: torch.Tensor
    inputs: torch.Tensor | None = None

    def of(self, texts: slice) -> "Dropout":
        """Return those of some of the texts."""
        inputs = None if self.inputs is None else self.inputs[texts]
        return Dropout([mask[texts] for mask in self.between], self.last[texts], inputs)


def draw_mask(num_texts: int, width: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """Return 0 for about that share of the values, and what makes up for them for the others. [num_texts, width]."""
    keep = 1.0 - share
    return torch.rand(num_texts, width, generator=generator, device=generator.device).lt_(keep).div_(keep)


class TextClassifier(nn.Module):
    """Token ids in, one logit a class out; see the module's text for what holds of padding."""

    def __init__(self, section: ModelSection, vocab_size: int, num_classes: int) -> None:
        """Build the network with fresh weights, drawn from torch's global random stream."""
        super().__init__()
        self.section = section
        self.embedding = nn.Embedding(vocab_size, section.embedding_dim, padding_idx=PAD_ID)
        with torch.no_grad():
            self.embedding.weight *= EMBEDDING_STD
        self.encoder: Encoder | None = None
        state_size, poolings = section.embedding_dim, ["mean"]
        if section.cell != "none":
            self.encoder = Encoder(section)
            state_size, poolings = self.encoder.state_size, list(section.pooling)
        self.pooling = Pooling(poolings, state_size)
        self.linear = nn.Linear(len(poolings) * state_size, num_classes)

    def forward(
        self,
        token_ids: torch.Tensor,
        lengths: torch.Tensor,
        *,
        is_ragged: bool,
        table: torch.Tensor | None = None,
        dropout: Dropout | None = None,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the logits.

        Args:
            token_ids: [B, T] int64, rows of the table, `PAD_ID` or any other after a text's end.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.
            table: [R, E] float32, the vectors of the words at hand; None: those of all V words.
            dropout: What to drop; None: nothing.
            dtype: What the recurrent cell computes in; None: what the word vectors are.

        Returns:
            [B, C] float32.
        """
        inputs = F.embedding(token_ids.t(), self.embedding.weight if table is None else table)  # [T, B, E]
        states = States(inputs)
        if self.encoder is not None:
            between = dropout.between if dropout else ()
            states = self.encoder(inputs, lengths, between, is_ragged=is_ragged, dtype=dtype)
        pooled = self.pooling(states, lengths, is_ragged=is_ragged)  # [B, P * S]
        logits: torch.Tensor = self.linear(pooled * dropout.last if dropout else pooled)  # [B, C]
        return logits

    def draw_dropout(self, num_texts: int, generator: torch.Generator) -> Dropout:
        """Draw what a training step drops from each of its texts."""
        share = self.section.dropout
        sizes = [self.encoder.state_size] * (self.section.num_layers - 1) if self.encoder else []
        *between, last = (draw_mask(num_texts, size, share, generator) for size in [*sizes, self.linear.in_features])
        return Dropout(between, last)


@dataclass(frozen=True)
class States:
    """The states of a batch, each direction in the order in which it reads; past a text's end they mean nothing.

    Attributes:
        ahead: [T, B, H], from a text's start to its end.
        back: [T, B, H], from a text's end to its start; None in one direction.
        order: [T * B] or [T] int64, the `reversal` between the two orders; None in one direction.
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
            section.embedding_dim, section.hidden_size, section.num_layers, bidirectional=section.bidirectional
        )
        start_weights(self.rnn)
        self.state_size = section.hidden_size * (2 if section.bidirectional else 1)

    def forward(
        self,
        inputs: torch.Tensor,
        lengths: torch.Tensor,
        between: Sequence[torch.Tensor] = (),
        *,
        is_ragged: bool = True,
        dtype: torch.dtype | None = None,
    ) -> States:
        """Return the states of the last layer.

        Args:
            inputs: [T, B, E] float32.
            lengths: [B] int64.
            between: [B, S] for each layer but the last, what its states are multiplied by; empty: nothing.
            is_ragged: Whether any length may be below T.
            dtype: What the kernels compute in; None: what the inputs are.
        """
        weights = self.rnn.all_weights
        order = None
        if self.rnn.bidirectional:
            order = reversal(lengths, len(inputs), is_ragged=is_ragged)  # [T * B] or [T]
        for layer in range(self.rnn.num_layers):
            if order is None:
                states = States(self._run(inputs, weights[layer], dtype))
            else:
                back = self._run(reorder(inputs, order), weights[2 * layer + 1], dtype)
                states = States(self._run(inputs, weights[2 * layer], dtype), back, order)
            if layer < self.rnn.num_layers - 1:
                inputs = states.joined()  # [T, B, S]
                inputs = inputs * between[layer] if between else inputs
        return states

    def _run(self, inputs: torch.Tensor, weights: list[nn.Parameter], dtype: torch.dtype | None) -> torch.Tensor:
        """Run one layer in one direction from a zero state. [T, B, E] -> [T, B, H], of the inputs' own type again."""
        dtype = dtype or inputs.dtype
        zeros = inputs.new_zeros(1, inputs.shape[1], self.rnn.hidden_size, dtype=dtype)  # [1, B, H]
        initial = (zeros, zeros) if self.rnn.mode == "LSTM" else zeros
        has_biases, num_layers, dropout, bidirectional, batch_first = True, 1, 0.0, False, False
        states = _KERNELS[self.rnn.mode](
            inputs.to(dtype),
            initial,
            [weight.to(dtype) for weight in weights],
            has_biases,
            num_layers,
            dropout,
            torch.is_grad_enabled(),
            bidirectional,
            batch_first,
        )[0]
        return states.to(inputs.dtype)


def start_weights(rnn: nn.RNNBase) -> None:
    """Draw recurrent weights orthogonal, input weights Glorot's, gate by gate; no bias but an open forget gate.

    Orthogonal weights carry a state over many steps (Saxe, McClelland and Ganguli 2014), and so does a forget gate that
    starts with a bias of 1 (Jozefowicz, Zaremba and Sutskever 2015). Measured in docs/experiments.md.
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
        if rnn.mode == "LSTM" and "bias_ih" in name:
            nn.init.ones_(parameter.detach()[size : 2 * size])  # torch's order: input, forget, cell, output


def start_from_vectors(embedding: nn.Embedding, vectors: torch.Tensor, found: torch.Tensor) -> None:
    """Copy pretrained vectors into the first columns of an embedding.

    Args:
        embedding: V words, E columns.
        vectors: [V, at most E] float32.
        found: [V] bool, which words have one.
    """
    with torch.no_grad():
        embedding.weight[found, : vectors.shape[1]] = vectors[found].to(embedding.weight.device)


class Pooling(nn.Module):
    """States of a text into one vector: any of last, max, mean and attention, side by side."""

    def __init__(self, names: Sequence[str], state_size: int) -> None:
        """Take the names of the poolings, in the order of their place in the result."""
        super().__init__()
        self.names = tuple(names)
        self.attention = Attention(state_size) if "attention" in names else None

    def forward(self, states: States, lengths: torch.Tensor, *, is_ragged: bool) -> torch.Tensor:
        """Return the pooled states. [T, B, S], [B] -> [B, P * S]."""
        inside = None  # every position is
        if is_ragged:
            inside = torch.arange(len(states.ahead), device=lengths.device)[:, None] < lengths  # [T, B]
        plain = [name for name in self.names if name != "attention"]
        # No need to turn the backward states round: the last of them is the one after a text's first token.
        directions = [states.ahead] if states.back is None else [states.ahead, states.back]
        parts = zip(*(pool(direction, lengths, inside, plain) for direction in directions), strict=True)
        pooled = dict(zip(plain, parts, strict=True))
        if self.attention is not None:
            joined = states.joined()  # [T, B, S]
            weights = self.attention(joined, inside)  # [T, B]
            pooled["attention"] = (torch.einsum("tb,tbs->bs", weights, joined),)
        return torch.cat([part for name in self.names for part in pooled[name]], dim=-1)


def pool(
    states: torch.Tensor, lengths: torch.Tensor, inside: torch.Tensor | None, names: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """Return the last, max and mean of each text's states, those that are named.

    Args:
        states: [T, B, H] of one direction, in the order in which it reads.
        lengths: [B] int64.
        inside: [T, B] bool, which positions are no padding; None where all are.
        names: Any of last, max, mean.

    Returns:
        One [B, H] a name.
    """
    return _Pool.apply(states, lengths, inside, tuple(names))  # type: ignore[no-any-return, no-untyped-call]


class _Pool(torch.autograd.Function):
    """`pool` with a gradient of its own: autograd's goes over [T, B, H] a dozen times, this one twice."""

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, lengths: torch.Tensor, inside: torch.Tensor | None, names: tuple[str, ...]
    ) -> tuple[torch.Tensor, ...]:
        pooled = {}
        if "last" in names:
            pooled["last"] = states[lengths - 1, torch.arange(len(lengths), device=states.device)]  # [B, H]
        if "max" in names:
            shown = states if inside is None else states.masked_fill(~inside[..., None], -torch.inf)
            pooled["max"] = shown.amax(dim=0)  # [B, H]
        if "mean" in names:
            shown = states if inside is None else states.masked_fill(~inside[..., None], 0.0)
            pooled["mean"] = shown.sum(dim=0) / lengths[:, None]  # [B, H]
        ctx.save_for_backward(states, lengths, inside, pooled.get("max"))
        ctx.names = names
        return tuple(pooled[name] for name in names)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        states, lengths, inside, top = ctx.saved_tensors
        of = dict(zip(ctx.names, gradients, strict=True))  # each [B, H]
        mean = of["mean"] / lengths[:, None] if "mean" in of else states.new_zeros(())  # [B, H]
        if "max" in of:
            # 1.0 at a top and 0.0 elsewhere: numbers are compared and multiplied faster than truths are made and used.
            gradient = states.clone().eq_(top)  # [T, B, H]
            if inside is not None:
                gradient *= inside[..., None]
            share = of["max"] / gradient.sum(dim=0)  # [B, H]: equal tops share alike
            gradient = torch.addcmul(mean, gradient, share, out=gradient)
        else:
            gradient = torch.empty_like(states).copy_(mean.expand_as(states))  # [T, B, H]
        if inside is not None:
            gradient *= inside[..., None]
        if "last" in of:
            gradient[lengths - 1, torch.arange(len(lengths), device=states.device)] += of["last"]
        return gradient, None, None, None


class Attention(nn.Module):
    """Soft attention over states with a learned query (Yang et al. 2016, "Hierarchical attention networks")."""

    def __init__(self, state_size: int) -> None:
        """Build the projection and the query, each as wide as a state."""
        super().__init__()
        self.projection = nn.Linear(state_size, state_size)
        self.query = nn.Linear(state_size, 1, bias=False)

    def forward(self, states: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
        """Return each position's weight, summing to 1 over a text, 0 on padding. [T, B, S], [T, B] bool -> [T, B]."""
        scores: torch.Tensor = self.query(torch.tanh(self.projection(states))).squeeze(-1)  # [T, B]
        if inside is not None:
            scores = scores.masked_fill(~inside, -torch.inf)
        return scores.softmax(dim=0)


def reversal(lengths: torch.Tensor, longest: int, *, is_ragged: bool = True) -> torch.Tensor:
    """Return where each position of a flattened [T, B] stands once every text is reversed within its length.

    Padding stays where it is, and doing it twice undoes it. Where all texts are of one length, whole steps change
    places, which is faster. [B] int64 -> [T * B] int64, or [T] int64 for whole steps.
    """
    positions = torch.arange(longest, device=lengths.device)  # [T]
    if not is_ragged:
        return positions.flip(0)
    mirrored = lengths - 1 - positions[:, None]  # [T, B]
    mirrored = torch.where(mirrored >= 0, mirrored, positions[:, None])  # [T, B]
    return (mirrored * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()  # [T * B]


def reorder(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return [T, B, …] with its steps, or its T * B positions, in the order of a `reversal`."""
    return _Reorder.apply(states, order)  # type: ignore[no-any-return, no-untyped-call]


class _Reorder(torch.autograd.Function):
    """`reorder`, which is its own gradient: an order that undoes itself needs no adding up of positions."""

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
