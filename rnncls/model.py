"""The network: embedding → recurrent cell → pooling → dropout → linear.

Nothing in it lets a pad change a text's logits. A batch of one length goes through the cell as it is. In a batch of
several lengths padding stands after the text, where the forward direction has already passed by; the backward
direction reads each text reversed within its own length, so that it too meets the padding last. Both ways take the
dense kernels: a ragged `PackedSequence` runs more than three times slower on a CPU with oneDNN.

Shapes: B texts, T tokens in the longest of them, V words, E embedding_dim, H hidden_size, D directions, C classes,
S = D * H width of a state, P poolings.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from rnncls.config import ModelSection
from rnncls.vocab import PAD_ID, UNK_ID

EMBEDDING_STD = 0.1
"""Spread of a word's first vector. With torch's own, 1, AG News ends 0.9 points lower (docs/experiments.md)."""

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_KERNELS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {
    "RNN_TANH": torch.rnn_tanh,
    "LSTM": torch.lstm,
    "GRU": torch.gru,
}


class TextClassifier(nn.Module):
    """Token ids in, one logit a class out; see the module's text for what holds of padding."""

    def __init__(self, section: ModelSection, vocab_size: int, num_classes: int) -> None:
        """Build the network with fresh weights, drawn from torch's global random stream."""
        super().__init__()
        self.word_dropout = section.word_dropout
        # Sparse: a step costs what the words of its batch cost, however many words there are.
        self.embedding = nn.Embedding(vocab_size, section.embedding_dim, padding_idx=PAD_ID, sparse=True)
        with torch.no_grad():
            self.embedding.weight *= EMBEDDING_STD
        self.encoder: Encoder | None = None
        state_size, poolings = section.embedding_dim, ["mean"]
        if section.cell != "none":
            self.encoder = Encoder(section)
            state_size, poolings = self.encoder.state_size, list(section.pooling)
        self.pooling = Pooling(poolings, state_size, bidirectional=section.bidirectional)
        self.dropout = nn.Dropout(section.dropout)
        self.linear = nn.Linear(len(poolings) * state_size, num_classes)

    def forward(self, token_ids: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool) -> torch.Tensor:
        """Return the logits.

        Args:
            token_ids: [B, T] int64 in 0..V-1, `PAD_ID` after a text's end.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.

        Returns:
            [B, C] float32.
        """
        if self.training and self.word_dropout:
            dropped = torch.rand(token_ids.shape, device=token_ids.device) < self.word_dropout  # [B, T]
            token_ids = token_ids.masked_fill(dropped, UNK_ID)
        # Laid out step by step in memory, [T, B, E], which is how the cells read and write: nothing has to be copied.
        states = self.embedding(token_ids.t()).transpose(0, 1)  # [B, T, E]
        if self.encoder is not None:
            states = self.encoder(states, lengths, is_ragged=is_ragged)  # [B, T, S]
        pooled = self.pooling(states, lengths, is_ragged=is_ragged)  # [B, P * S]
        logits: torch.Tensor = self.linear(self.dropout(pooled))  # [B, C]
        return logits

    def start_from_vectors(self, vectors: torch.Tensor, found: torch.Tensor) -> None:
        """Copy pretrained vectors into the first columns of the embedding.

        Args:
            vectors: [V, at most E] float32.
            found: [V] bool, which words have one.
        """
        with torch.no_grad():
            self.embedding.weight[found, : vectors.shape[1]] = vectors[found].to(self.embedding.weight.device)


class Encoder(nn.Module):
    """A torch.nn RNN, LSTM or GRU that never lets padding reach a state that is used."""

    def __init__(self, section: ModelSection) -> None:
        """Build the recurrent layers."""
        super().__init__()
        self.rnn = CELLS[section.cell](
            section.embedding_dim,
            section.hidden_size,
            section.num_layers,
            batch_first=True,
            dropout=section.dropout if section.num_layers > 1 else 0.0,
            bidirectional=section.bidirectional,
        )
        start_weights(self.rnn)
        self.state_size = section.hidden_size * (2 if section.bidirectional else 1)

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool) -> torch.Tensor:
        """Return the states of the last layer, those of both directions side by side.

        Args:
            inputs: [B, T, E] float32.
            lengths: [B] int64.
            is_ragged: Whether any length is below T.

        Returns:
            [B, T, S] float32; what stands past a text's end means nothing.
        """
        if is_ragged and self.rnn.bidirectional:
            return self._read_both_ways(inputs, lengths)
        states: torch.Tensor = self.rnn(inputs)[0]  # [B, T, S]
        return states

    def _read_both_ways(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Run each direction of each layer as a forward pass of its own, the second over reversed texts."""
        order = reversal(lengths, inputs.shape[1])  # [T * B]
        states = inputs.transpose(0, 1)  # [T, B, E]
        weights = self.rnn.all_weights
        for layer, (forward, backward) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
            if layer:
                states = F.dropout(states, self.rnn.dropout, self.training)
            ahead = self._run(states, forward)  # [T, B, H]
            back = reorder(self._run(reorder(states, order), backward), order)  # [T, B, H]
            states = torch.cat([ahead, back], dim=-1)  # [T, B, S]
        return states.transpose(0, 1)  # [B, T, S]

    def _run(self, inputs: torch.Tensor, weights: list[nn.Parameter]) -> torch.Tensor:
        """Run one layer in one direction from a zero state. [T, B, E] -> [T, B, H]."""
        zeros = inputs.new_zeros(1, inputs.shape[1], self.rnn.hidden_size)  # [1, B, H]
        initial = (zeros, zeros) if self.rnn.mode == "LSTM" else zeros
        has_biases, num_layers, dropout, bidirectional, batch_first = True, 1, 0.0, False, False
        return _KERNELS[self.rnn.mode](
            inputs,
            initial,
            weights,
            has_biases,
            num_layers,
            dropout,
            self.training,
            bidirectional,
            batch_first,
        )[0]


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


class Pooling(nn.Module):
    """States of a text into one vector: any of last, max, mean and attention, side by side."""

    def __init__(self, names: Sequence[str], state_size: int, *, bidirectional: bool) -> None:
        """Take the names of the poolings, in the order of their place in the result."""
        super().__init__()
        self.names = tuple(names)
        self.bidirectional = bidirectional
        self.attention = Attention(state_size) if "attention" in names else None

    def forward(self, states: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool) -> torch.Tensor:
        """Return the pooled states. [B, T, S], [B] -> [B, P * S]."""
        inside = None  # every position is
        if is_ragged:
            inside = torch.arange(states.shape[1], device=states.device) < lengths[:, None]  # [B, T]
        plain = [name for name in self.names if name != "attention"]
        pooled = dict(zip(plain, pool(states, lengths, inside, plain, bidirectional=self.bidirectional), strict=True))
        if self.attention is not None:
            weights = self.attention(states, inside)  # [B, T]
            pooled["attention"] = torch.einsum("bt,bts->bs", weights, states)
        return torch.cat([pooled[name] for name in self.names], dim=-1)


def pool(
    states: torch.Tensor,
    lengths: torch.Tensor,
    inside: torch.Tensor | None,
    names: Sequence[str],
    *,
    bidirectional: bool,
) -> tuple[torch.Tensor, ...]:
    """Return the last, max and mean of each text's states, those that are named.

    Args:
        states: [B, T, S].
        lengths: [B] int64.
        inside: [B, T] bool, which positions are no padding; None where all are.
        names: Any of last, max, mean.
        bidirectional: Whether the second half of S is the backward direction.

    Returns:
        One [B, S] a name.
    """
    return _Pool.apply(states, lengths, inside, tuple(names), bidirectional)  # type: ignore[no-any-return, no-untyped-call]


class _Pool(torch.autograd.Function):
    """`pool` with a gradient of its own: autograd's goes over [B, T, S] a dozen times, this one twice."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        lengths: torch.Tensor,
        inside: torch.Tensor | None,
        names: tuple[str, ...],
        bidirectional: bool,  # noqa: FBT001 - autograd hands all over by position
    ) -> tuple[torch.Tensor, ...]:
        pooled = {}
        if "last" in names:
            pooled["last"] = last_states(states, lengths, bidirectional=bidirectional)  # [B, S]
        if "max" in names:
            shown = states if inside is None else states.masked_fill(~inside[..., None], -torch.inf)
            pooled["max"] = shown.amax(dim=1)  # [B, S]
        if "mean" in names:
            shown = states if inside is None else states.masked_fill(~inside[..., None], 0.0)
            pooled["mean"] = shown.sum(dim=1) / lengths[:, None]  # [B, S]
        ctx.save_for_backward(states, lengths, inside, pooled.get("max"))
        ctx.names, ctx.bidirectional = names, bidirectional
        return tuple(pooled[name] for name in names)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        states, lengths, inside, top = ctx.saved_tensors
        of = dict(zip(ctx.names, gradients, strict=True))  # each [B, S]
        mean = of["mean"] / lengths[:, None] if "mean" in of else states.new_zeros(())  # [B, S]
        mean = mean.unsqueeze(1) if mean.dim() else mean  # [B, 1, S]
        if "max" in of:
            is_top = states == top[:, None]  # [B, T, S]
            # Counted in bytes where that cannot overflow: ten times as fast.
            num_tops = is_top.sum(dim=1, dtype=torch.uint8 if states.shape[1] < 256 else torch.int64)  # [B, S]
            share = (of["max"] / num_tops).unsqueeze(1)  # [B, 1, S]: equal tops share alike
            gradient = torch.where(is_top, share + mean, mean)  # [B, T, S]
        else:
            gradient = torch.empty_like(states).copy_(mean.expand_as(states))  # [B, T, S]
        if inside is not None:
            gradient *= inside[..., None]
        if "last" in of:
            half = states.shape[-1] // 2 if ctx.bidirectional else states.shape[-1]
            texts = torch.arange(len(states), device=states.device)  # [B]
            gradient[texts, lengths - 1, :half] += of["last"][:, :half]
            gradient[:, 0, half:] += of["last"][:, half:]
        return gradient, None, None, None, None


class Attention(nn.Module):
    """Soft attention over states with a learned query (Yang et al. 2016, "Hierarchical attention networks")."""

    def __init__(self, state_size: int) -> None:
        """Build the projection and the query, each as wide as a state."""
        super().__init__()
        self.projection = nn.Linear(state_size, state_size)
        self.query = nn.Linear(state_size, 1, bias=False)

    def forward(self, states: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
        """Return each position's weight, summing to 1 over a text, 0 on padding. [B, T, S], [B, T] bool -> [B, T]."""
        scores: torch.Tensor = self.query(torch.tanh(self.projection(states))).squeeze(-1)  # [B, T]
        if inside is not None:
            scores = scores.masked_fill(~inside, -torch.inf)
        return scores.softmax(dim=-1)


def last_states(states: torch.Tensor, lengths: torch.Tensor, *, bidirectional: bool) -> torch.Tensor:
    """Return what each direction holds after its last token: the text's end, and its start for the backward one.

    Args:
        states: [B, T, S], the backward direction's states in the second half of S.
        lengths: [B] int64.
        bidirectional: Whether there is a backward direction.

    Returns:
        [B, S].
    """
    ends = states[torch.arange(len(states), device=states.device), lengths - 1]  # [B, S]
    if not bidirectional:
        return ends
    half = states.shape[-1] // 2
    return torch.cat([ends[:, :half], states[:, 0, half:]], dim=-1)


def reversal(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """Return where each position of a flattened [T, B] stands once every text is reversed within its length.

    Padding stays where it is, and doing it twice undoes it. [B] int64 -> [T * B] int64.
    """
    positions = torch.arange(longest, device=lengths.device)[:, None]  # [T, 1]
    mirrored = lengths - 1 - positions  # [T, B]
    mirrored = torch.where(mirrored >= 0, mirrored, positions)  # [T, B]
    return (mirrored * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()  # [T * B]


def reorder(states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return [T, B, …] with its T * B positions in the order of a `reversal`."""
    return _Reorder.apply(states, order)  # type: ignore[no-any-return, no-untyped-call]


class _Reorder(torch.autograd.Function):
    """`reorder`, which is its own gradient: an order that undoes itself needs no adding up of positions."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(order)
        return states.flatten(0, 1).index_select(0, order).view_as(states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradient.flatten(0, 1).index_select(0, order).view_as(gradient), None
