"""The network: embedding → recurrent cell → pooling → dropout → linear.

Nothing in it lets a pad change a text's logits: the recurrent part never reads padding
before a word (rnncls.nn.recurrent), and no pooling takes it in.

Shapes: B texts, T tokens in the longest of them, V words, E embedding_dim, H
hidden_size, D directions, C classes, S = D * H width of a state, P poolings.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from rnncls.config.sections import ModelSection
from rnncls.nn.recurrent import (
    Dropout,
    Encoder,
    GridLstm,
    States,
    build_encoder,
    draw_mask,
    draw_recurrent,
)
from rnncls.text.vocab import PAD_ID

EMBEDDING_STD = 0.1
"""Spread of a word's first vector. With torch's own, 1, AG News ends 0.9 points lower
(docs/experiments.md)."""


class TextClassifier(nn.Module):
    """Token ids in, one logit a class out; see the module's text for what holds of
    padding.
    """

    def __init__(
        self, section: ModelSection, vocab_size: int, num_classes: int
    ) -> None:
        """Build the network with fresh weights, drawn from torch's global random
        stream.
        """
        super().__init__()
        self.section = section
        self.embedding = nn.Embedding(
            vocab_size, section.embedding_dim, padding_idx=PAD_ID
        )
        with torch.no_grad():
            self.embedding.weight *= EMBEDDING_STD
        self.encoder: Encoder | GridLstm | None = None
        state_size, poolings = section.embedding_dim, ["mean"]
        if section.cell != "none":
            self.encoder = build_encoder(section)
            state_size, poolings = self.encoder.state_size, list(section.pooling)
        self.pooling = Pooling(poolings, state_size)
        self.linear = nn.Linear(len(poolings) * state_size, num_classes)
        # what logits are divided by, once it is fitted (rnncls.evaluation.calibration)
        self.temperature = 1.0

    def forward(  # noqa: PLR0913 - a batch is three of them
        self,
        token_ids: torch.Tensor,
        lengths: torch.Tensor,
        *,
        is_ragged: bool,
        table: torch.Tensor | None = None,
        dropout: Dropout | None = None,
        shift: torch.Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the logits.

        Args:
            token_ids: [B, T] int64, rows of the table, `PAD_ID` or any other after a
                text's end.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.
            table: [R, E] float32, the vectors of the words at hand; None: those of all
                V words.
            dropout: What to drop; None: nothing.
            shift: [T, B, E] float32, what is added to the word vectors; None: nothing.
            dtype: What the recurrent cell computes in; None: what the word vectors are.

        Returns:
            [B, C] float32.
        """
        inputs = F.embedding(
            token_ids.t(), self.embedding.weight if table is None else table
        )  # [T, B, E]
        if shift is not None:
            inputs = inputs + shift
        if dropout is not None and dropout.inputs is not None:
            inputs = inputs * dropout.inputs
        states = States(inputs)
        if self.encoder is not None:
            states = self.encoder(
                inputs, lengths, dropout, is_ragged=is_ragged, dtype=dtype
            )
        pooled = self.pooling(states, lengths, is_ragged=is_ragged)  # [B, P * S]
        return self.classify(pooled * dropout.last if dropout else pooled)

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return the logits of pooled states, calibrated where the model is. [..., P *
        S] -> [..., C].
        """
        logits: torch.Tensor = self.linear(pooled)
        return logits / self.temperature

    @property
    def has_attention(self) -> bool:
        """Whether any of its poolings is attention."""
        return self.pooling.attention is not None

    def attend(
        self, token_ids: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool
    ) -> torch.Tensor:
        """Return how much of each position attention pooling takes in, where the model
        has
        it.

        Args:
            token_ids: [B, T] int64.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.

        Returns:
            [B, T] float32, summing to 1 over a text, 0 on padding.
        """
        assert self.encoder is not None
        assert self.pooling.attention is not None
        inputs = self.embedding(token_ids.t())  # [T, B, E]
        states = self.encoder(inputs, lengths, is_ragged=is_ragged)
        weights: torch.Tensor = self.pooling.attention(
            states.joined(), find_inside(states, lengths)
        )  # [T, B]
        return weights.t()

    def draw_dropout(self, num_texts: int, generator: torch.Generator) -> Dropout:
        """Draw what a training step drops from each of its texts."""
        section, encoder = self.section, self.encoder
        sizes = [encoder.state_size] * (section.num_layers - 1) if encoder else []
        *between, last = (
            draw_mask(num_texts, size, section.dropout, generator)
            for size in [*sizes, self.linear.in_features]
        )
        inputs = None
        if section.input_dropout:
            inputs = draw_mask(
                num_texts, section.embedding_dim, section.input_dropout, generator
            )
        weights = encoder.recurrent_weights() if encoder else []
        return Dropout(
            between,
            last,
            inputs,
            draw_recurrent(weights, section.recurrent_dropout, generator),
        )

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the weights of each layer but the embedding, from the classes down to
        the words.
        """
        top = [*self.linear.parameters(), *self.pooling.parameters()]
        return [top, *(self.encoder.layers() if self.encoder else [])]


def least_weights(section: ModelSection, vocab_size: int, num_classes: int) -> int:
    """Return how many weights a network of this shape has at the least, without
    building it.
    """
    if section.cell == "none":
        return section.embedding_dim * (vocab_size + num_classes)
    recurrent = section.hidden_size * (
        section.embedding_dim + section.num_layers * section.hidden_size
    )
    return (
        section.embedding_dim * vocab_size
        + recurrent
        + section.hidden_size * num_classes
    )


def start_from_vectors(
    embedding: nn.Embedding, vectors: torch.Tensor, found: torch.Tensor
) -> None:
    """Copy pretrained vectors into the first columns of an embedding.

    Args:
        embedding: V words, E columns.
        vectors: [V, at most E] float32.
        found: [V] bool, which words have one.
    """
    with torch.no_grad():
        embedding.weight[found, : vectors.shape[1]] = vectors[found].to(
            embedding.weight.device
        )


class Pooling(nn.Module):
    """States of a text into one vector: any of last, max, mean and attention, side by
    side.
    """

    def __init__(self, names: Sequence[str], state_size: int) -> None:
        """Take the names of the poolings, in the order of their place in the result."""
        super().__init__()
        self.names = tuple(names)
        self.attention = Attention(state_size) if "attention" in names else None

    def forward(
        self, states: States, lengths: torch.Tensor, *, is_ragged: bool
    ) -> torch.Tensor:
        """Return the pooled states. [T, B, S], [B] -> [B, P * S]."""
        inside = (
            find_inside(states, lengths) if is_ragged else None
        )  # [T, B]; None: every position is
        plain = [name for name in self.names if name != "attention"]
        # No need to turn the backward states round: the last of them is the one after a
        # text's first token.
        directions = (
            [states.ahead] if states.back is None else [states.ahead, states.back]
        )
        parts = zip(
            *(pool(direction, lengths, inside, plain) for direction in directions),
            strict=True,
        )
        pooled = dict(zip(plain, parts, strict=True))
        if self.attention is not None:
            joined = states.joined()  # [T, B, S]
            weights = self.attention(joined, inside)  # [T, B]
            pooled["attention"] = (torch.einsum("tb,tbs->bs", weights, joined),)
        return torch.cat([part for name in self.names for part in pooled[name]], dim=-1)


def find_inside(states: States, lengths: torch.Tensor) -> torch.Tensor:
    """Return which positions are no padding. [T, B] bool."""
    return torch.arange(len(states.ahead), device=lengths.device)[:, None] < lengths


def pool(
    states: torch.Tensor,
    lengths: torch.Tensor,
    inside: torch.Tensor | None,
    names: Sequence[str],
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
    """`pool` with a gradient of its own: autograd's goes over [T, B, H] a dozen times,
    this one twice.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        lengths: torch.Tensor,
        inside: torch.Tensor | None,
        names: tuple[str, ...],
    ) -> tuple[torch.Tensor, ...]:
        pooled = {}
        if "last" in names:
            pooled["last"] = states[
                lengths - 1, torch.arange(len(lengths), device=states.device)
            ]  # [B, H]
        if "max" in names:
            shown = (
                states
                if inside is None
                else states.masked_fill(~inside[..., None], -torch.inf)
            )
            pooled["max"] = shown.amax(dim=0)  # [B, H]
        if "mean" in names:
            shown = (
                states
                if inside is None
                else states.masked_fill(~inside[..., None], 0.0)
            )
            pooled["mean"] = shown.sum(dim=0) / lengths[:, None]  # [B, H]
        ctx.save_for_backward(states, lengths, inside, pooled.get("max"))
        ctx.names = names
        return tuple(pooled[name] for name in names)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        states, lengths, inside, top = ctx.saved_tensors
        of = dict(zip(ctx.names, gradients, strict=True))  # each [B, H]
        mean = (
            of["mean"] / lengths[:, None] if "mean" in of else states.new_zeros(())
        )  # [B, H]
        if "max" in of:
            # 1.0 at a top and 0.0 elsewhere: numbers are compared and multiplied faster
            # than truths are made and used.
            gradient = states.clone().eq_(top)  # [T, B, H]
            if inside is not None:
                gradient *= inside[..., None]
            share = of["max"] / gradient.sum(dim=0)  # [B, H]: equal tops share alike
            gradient = torch.addcmul(mean, gradient, share, out=gradient)
        else:
            gradient = torch.empty_like(states).copy_(
                mean.expand_as(states)
            )  # [T, B, H]
        if inside is not None:
            gradient *= inside[..., None]
        if "last" in of:
            gradient[lengths - 1, torch.arange(len(lengths), device=states.device)] += (
                of["last"]
            )
        return gradient, None, None, None


class Attention(nn.Module):
    """Soft attention over states with a learned query (Yang et al. 2016, "Hierarchical
    attention networks").
    """

    def __init__(self, state_size: int) -> None:
        """Build the projection and the query, each as wide as a state."""
        super().__init__()
        self.projection = nn.Linear(state_size, state_size)
        self.query = nn.Linear(state_size, 1, bias=False)

    def forward(
        self, states: torch.Tensor, inside: torch.Tensor | None
    ) -> torch.Tensor:
        """Return each position's weight, summing to 1 over a text, 0 on padding. [T, B,
        S], [T, B] bool -> [T, B].
        """
        scores = self.score(states)  # [T, B]
        if inside is not None:
            scores = scores.masked_fill(~inside, -torch.inf)
        return scores.softmax(dim=0)

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """Return each state's score, whose softmax is its weight. [..., S] -> [...]."""
        scores: torch.Tensor = self.query(torch.tanh(self.projection(states))).squeeze(
            -1
        )
        return scores
