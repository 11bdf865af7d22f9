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

Shapes: N texts, B texts in a batch, T tokens in the longest of them, E width of a
layer's input, H hidden_size, D directions, C classes, P poolings, S width of a state.
"""

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
from rnncls.text.batching import Batch, assemble, plan_in_order_of_length

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
    smoothing.

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
    device = model.linear.weight.device
    lengths = split.texts.lengths

    def measure_batch(rows: npt.NDArray[np.int64]) -> list[FloatArray]:
        batch = assemble(split.texts, rows).to(device)
        labels = torch.from_numpy(split.labels[rows]).to(device)
        norms = state_gradients(model, batch, labels)
        return [direction.double().cpu().numpy() for direction in norms]

    # The longest texts first, so that no worker is left with a long batch at the end.
    plan = plan_in_order_of_length(lengths, _BATCH_SIZE)[::-1]
    batches = start_workers(device).map(measure_batch, plan)
    names = ["forward", "backward"][: encoder.num_directions]
    longest = int(lengths.max())
    curves = []
    for direction, name in enumerate(names):
        by_distance = np.full((len(lengths), longest), np.nan)  # [N, T]
        for rows, norms in zip(plan, batches, strict=True):
            by_distance[rows] = _by_distance(norms[direction], lengths[rows], longest)
        curves.append(_summarise(name, by_distance))
    return curves


def state_gradients(
    model: TextClassifier, batch: Batch, labels: torch.Tensor
) -> list[torch.Tensor]:
    """Return the loss's gradient norm with respect to each state of the last layer.

    Args:
        model: A model whose encoder is an `Encoder`.
        batch: The texts.
        labels: [B] int64.

    Returns:
        [T, B] for each direction, in its reading order; 0 after the end of a text.
    """
    assert isinstance(model.encoder, Encoder)
    inputs = model.embedding(batch.token_ids.t())  # [T, B, E]
    unrolled = unroll(model.encoder, inputs, batch.lengths, is_ragged=batch.is_ragged)
    pooled = model.pooling(
        unrolled.states, batch.lengths, is_ragged=batch.is_ragged
    )  # [B, P * S]
    logits = model.classify(pooled)  # [B, C]
    # A text's states affect only its own loss, so one backward pass serves all texts.
    loss = F.cross_entropy(logits, labels, reduction="sum")
    names = ["hidden", "cell"] if model.encoder.rnn.mode == "LSTM" else ["hidden"]
    states: list[torch.Tensor] = []  # [B, H] each
    for steps in unrolled.steps:
        for step in steps:
            states.extend(step[name] for name in names)
    gradients = torch.autograd.grad(
        loss, states, allow_unused=True, materialize_grads=True
    )
    num_directions, num_steps = len(unrolled.steps), len(inputs)
    parts = torch.stack(gradients).view(
        num_directions, num_steps, len(names), *states[0].shape
    )  # [D, T, 1 or 2, B, H]
    return list(parts.square().sum(dim=(2, 4)).sqrt())


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
    is_shown = num_texts >= min(MIN_TEXTS, len(norms))  # [T]
    norms = norms[:, is_shown]
    num_distances = norms.shape[1]
    shares = np.zeros(num_distances)
    with_gradient = norms[norms[:, 0] > 0]
    if len(with_gradient):
        at_distance_0 = with_gradient[:, :1]
        shares = np.nanmedian(with_gradient / at_distance_0, axis=0)
    return GradientCurve(
        direction=direction,
        norms=np.nanmean(norms, axis=0).tolist(),
        shares=shares.tolist(),
        num_texts=num_texts[:num_distances].tolist(),
    )


def choose_rows(split: EncodedSplit, num_rows: int, seed: int) -> EncodedSplit:
    """Return a random sample of the rows of a split, or all if there are no more."""
    if len(split.labels) <= num_rows:
        return split
    shuffled = np.random.default_rng(seed).permutation(len(split.labels))
    return split.select(np.sort(shuffled[:num_rows]))
