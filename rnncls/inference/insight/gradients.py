"""Gradients of the loss with respect to the states, by distance from the end of a text.

A state is what a recurrent layer passes on from one token to the next: h of an RNN or a
GRU, h and c together of an LSTM. The gradient is the total one, through all later
states, so the layers are unrolled step by step (`rnncls.nn.unroll`). Hochreiter (1991)
and Bengio, Simard and Frasconi (1994) showed that it vanishes with the distance.

The meaning of a curve depends on the pooling. With `last` alone, the loss depends on a
word only through all states after it, and the curve shows the vanishing gradient. Any
other pooling also reads each state directly, and the gradient includes that path. In a
bidirectional model each direction has its own curve, and the distance is counted from
where it stops reading: the backward direction ends at a text's first token.

Shapes: N texts, B texts in a batch, T tokens in the longest of them, K steps in it (T,
unless a step reads several tokens), E width of a layer's input, H hidden_size, D
directions, C classes, P poolings, S width of a state.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls import ConfigError
from rnncls.data.loading import EncodedSplit
from rnncls.machine.threads import start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.encoder import Encoder
from rnncls.nn.unroll import unroll
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.batching import Batch, assemble

FLOOR = 0.01
"""Below this share of the gradient norm at distance 0, a token counts as forgotten."""
MIN_TEXTS = 30
"""A curve stops at the distance that fewer texts reach."""
_BATCH_SIZE = 128

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GradientCurve:
    """Gradient norms of a loss with respect to the states of the last layer.

    Attributes:
        direction: "forward" or "backward".
        norms: At distance d from the last token that the direction reads, the mean norm
            over the texts of more than d tokens.
        shares: The median over these texts of the norm divided by the same text's norm
            at distance 0. A mean would be dominated by the few texts whose gradient
            grows. Texts without a gradient at distance 0 are left out.
        num_texts: How many texts have more than d tokens: at least `MIN_TEXTS`, or all.
    """

    direction: str
    norms: list[float]
    shares: list[float]
    num_texts: list[int]

    @property
    def memory(self) -> int | None:
        """The effective memory: the smallest distance with a share below `FLOOR`.

        In tokens; None if no distance has such a share.
        """
        for distance, share in enumerate(self.shares):
            if share < FLOOR:
                return distance
        return None


@dataclass(frozen=True)
class Measured:
    """A gradient curve and the network that it belongs to.

    Attributes:
        name: Name of the network.
        weights: "first", the untrained ones, or "trained".
        cell: Kind of the cell.
        pooling: The poolings of the network.
        curve: The curve.
    """

    name: str
    weights: str
    cell: str
    pooling: tuple[str, ...]
    curve: GradientCurve

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        values = asdict(self)
        curve = values.pop("curve")
        return {**values, **curve, "memory": self.curve.memory}

    @property
    def label(self) -> str:
        """The network's name, and the direction if it is backward."""
        if self.curve.direction == "forward":
            return self.name
        return f"{self.name}, {self.curve.direction}"

    @property
    def weights_shown(self) -> str:
        """Which weights the network has, as displayed: "untrained" or "trained"."""
        return "untrained" if self.weights == "first" else self.weights

    @property
    def memory_shown(self) -> str:
        """The effective memory in tokens; "> d" if it exceeds the longest distance."""
        if self.curve.memory is None:
            return f"> {len(self.curve.shares) - 1}"
        return str(self.curve.memory)


def measure_network(
    name: str, weights: str, model: TextClassifier, split: EncodedSplit
) -> list[Measured]:
    """Return the curves of `measure_gradient` with the network's name and kind."""
    section = model.section
    return [
        Measured(name, weights, section.cell, tuple(section.pooling), curve)
        for curve in measure_gradient(model, split)
    ]


def measure_gradient(model: TextClassifier, split: EncodedSplit) -> list[GradientCurve]:
    """Return one curve per direction, over all texts of a split.

    The loss is the cross-entropy of a text and its label, without dropout or label
    smoothing; for several labels a text, the sum of their binary cross-entropies.

    Raises:
        ConfigError: The model has no recurrent layer, or is a Grid LSTM, whose layers
            have no single state.
    """
    encoder = model.encoder
    if not isinstance(encoder, Encoder):
        raise ConfigError(
            f"model.cell: {model.section.cell} has no hidden state with a gradient"
            " to measure: expected a run of an rnn, lstm or gru"
        )
    lengths = split.texts.lengths
    longest = int(lengths.max())
    num_directions = encoder.num_directions
    num_texts = len(lengths)
    norms = np.full((num_directions, num_texts, longest), np.nan)  # [D, N, T]
    for rows, batch_norms in _measure_batches(model, split):
        batch_lengths = lengths[rows]  # [B]
        for direction in range(num_directions):
            in_reading_order = batch_norms[direction]  # [T, B]
            norms[direction, rows] = _by_distance(
                in_reading_order, batch_lengths, longest
            )
    curves = [_summarise("forward", norms[0])]
    if num_directions == 2:
        curves.append(_summarise("backward", norms[1]))
    return curves


def _measure_batches(
    model: TextClassifier, split: EncodedSplit
) -> Iterator[tuple[npt.NDArray[np.int64], list[FloatArray]]]:
    """Yield the rows of each batch, and their norms for each direction, [T, B] each."""
    device = model.linear.weight.device
    model = model.bind(split.texts.unknown)

    def measure_batch(rows: npt.NDArray[np.int64]) -> list[FloatArray]:
        batch = assemble(split.texts, rows).to(device)
        labels = torch.from_numpy(split.labels[rows]).to(device)
        norms = state_gradients(model, batch, labels)
        return [direction.double().cpu().numpy() for direction in norms]

    # The longest texts first, so that no worker is left with a long batch at the end.
    plan = plan_in_order_of_length(split.texts.lengths, _BATCH_SIZE)[::-1]
    batches = start_workers(device).map(measure_batch, plan)
    yield from zip(plan, batches, strict=True)


def state_gradients(
    model: TextClassifier, batch: Batch, labels: torch.Tensor
) -> list[torch.Tensor]:
    """Return the loss's gradient norm with respect to each state of the last layer.

    Args:
        model: A model whose encoder is an `Encoder`.
        batch: The texts.
        labels: [B] int64; for several labels a text [B, C] bool.

    Returns:
        [T, B] for each direction, in its reading order; 0 after the end of a text.
    """
    encoder = model.encoder
    assert isinstance(encoder, Encoder)
    lengths, is_ragged = batch.lengths, batch.is_ragged
    num_tokens = batch.token_ids.shape[1]
    inputs, num_steps = model.embed_steps(
        batch.token_ids, lengths, is_ragged=is_ragged
    )  # [K, B, E], [B]
    unrolled = unroll(encoder, inputs, num_steps, is_ragged=is_ragged)
    pooled = model.pooling(
        unrolled.states, num_steps, is_ragged=is_ragged
    )  # [B, P * S]
    logits = model.classify(pooled)  # [B, C]
    # A text's states affect only its own loss, so one backward pass serves all texts.
    loss = _compute_loss(model, logits, labels)
    names = ["hidden", "cell"] if encoder.rnn.mode == "LSTM" else ["hidden"]
    states: list[torch.Tensor] = []  # [B, H] each
    for steps in unrolled.steps:
        for step in steps:
            states.extend(step[name] for name in names)
    gradients = torch.autograd.grad(
        loss, states, allow_unused=True, materialize_grads=True
    )
    stacked = torch.stack(gradients)  # [D * K * (1 or 2), B, H]
    parts = stacked.view(
        len(unrolled.steps), len(inputs), len(names), *stacked.shape[1:]
    )  # [D, K, 1 or 2, B, H]
    norms = parts.square().sum(dim=(2, 4)).sqrt()  # [D, K, B]
    return [
        _spread(values, lengths, num_tokens, model.section.tokens_per_step, direction)
        for direction, values in enumerate(norms)
    ]


def _spread(
    norms: torch.Tensor,
    lengths: torch.Tensor,
    num_tokens: int,
    tokens_per_step: int,
    direction: int,
) -> torch.Tensor:
    """Give each token the norm of the step that reads it.

    Args:
        norms: [K, B], in the reading order of the direction.
        lengths: [B], the tokens of each text.
        num_tokens: T.
        tokens_per_step: The tokens of a step.
        direction: 0 for forward, 1 for backward.

    Returns:
        [T, B], in the same order; 0 after the end of a text.
    """
    tokens = torch.arange(num_tokens, device=lengths.device)[:, None]  # [T, 1]
    is_padding = tokens >= lengths  # [T, B]
    last_tokens = lengths - 1  # [B]
    positions = last_tokens - tokens if direction else tokens.expand_as(is_padding)
    steps = positions.clamp_min(0) // tokens_per_step  # [T, B]
    if direction:
        steps = last_tokens // tokens_per_step - steps
    return norms.gather(0, steps).masked_fill(is_padding, 0.0)


def _compute_loss(
    model: TextClassifier, logits: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Return the summed loss of the texts. [B, C], and [B] or [B, C] -> []."""
    if model.section.has_several_labels:
        targets = labels.to(logits.dtype)  # [B, C]
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return F.cross_entropy(logits, labels, reduction="sum")


def _by_distance(
    norms: FloatArray, lengths: npt.NDArray[np.int64], longest: int
) -> FloatArray:
    """Reverse the norms of each text, with NaN beyond its first token.

    Args:
        norms: [T, B], in reading order.
        lengths: [B].
        longest: Number of distances.

    Returns:
        [B, longest].
    """
    steps = lengths[:, None] - 1 - np.arange(longest)  # [B, longest]
    texts = np.arange(len(lengths))[:, None]  # [B, 1]
    reversed_norms = norms.T[texts, np.maximum(steps, 0)]  # [B, longest]
    return np.where(steps >= 0, reversed_norms, np.nan)


def _summarise(direction: str, norms: FloatArray) -> GradientCurve:
    """Return means and medians of [N, T] over the distances that enough texts reach."""
    num_texts = np.isfinite(norms).sum(axis=0)  # [T]
    num_needed = min(MIN_TEXTS, len(norms))
    is_shown = num_texts >= num_needed  # [T]
    norms = norms[:, is_shown]
    return GradientCurve(
        direction=direction,
        norms=np.nanmean(norms, axis=0).tolist(),
        shares=_median_shares(norms).tolist(),
        num_texts=num_texts[is_shown].tolist(),
    )


def _median_shares(norms: FloatArray) -> FloatArray:
    """Return the median of norm / norm at distance 0, of [N, T]; 0 without gradients.

    Returns:
        [T].
    """
    has_gradient = norms[:, 0] > 0  # [N]
    if not has_gradient.any():
        return np.zeros(norms.shape[1])
    with_gradient = norms[has_gradient]
    at_distance_0 = with_gradient[:, :1]
    shares: FloatArray = np.nanmedian(with_gradient / at_distance_0, axis=0)
    return shares


def choose_rows(split: EncodedSplit, num_rows: int, seed: int) -> EncodedSplit:
    """Return a random sample of the rows of a split, or all if there are no more."""
    if len(split.labels) <= num_rows:
        return split
    shuffled = np.random.default_rng(seed).permutation(len(split.labels))
    return split.select(np.sort(shuffled[:num_rows]))
