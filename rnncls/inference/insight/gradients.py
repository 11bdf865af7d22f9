"""How far back the loss reaches: the length of its gradient with respect to each state,
by
the distance from the end.

A state is all that a recurrent layer hands on from a token to the next: h of an RNN or
a GRU, h and c together of an LSTM. The gradient is the whole one, through every later
state, so the layers are run step by step here: torch's dense kernels have no gradient
of the states in between. Hochreiter (1991) and Bengio, Simard and Frasconi (1994)
showed that it vanishes with the distance.

What the curve means depends on the pooling. With `last` alone the loss sees a word only
through all the states after it, and the curve is that of the vanishing gradient. Any
other pooling also reads each state itself, which the gradient takes in. In two
directions each has a curve of its own, and its end is where it stops reading: the
backward direction's is a text's first token.

Shapes: N texts, B texts in a batch, T tokens in the longest of them, E width of a
layer's input, H hidden_size, G gates of a cell, C classes.
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
"""The share of a gradient's length at the end below which what was read counts as
forgotten."""
FEWEST_TEXTS = 30
"""A distance that fewer texts reach is left out."""
_BATCH_SIZE = 128


@dataclass(frozen=True)
class Curve:
    """The gradient of one network's loss with respect to the states of its last layer.

    Attributes:
        direction: "forward" or "backward".
        norms: At distance d from the direction's last token, the mean length over the
            texts of more than d tokens.
        shares: The median over those texts of the length by the same text's at distance
            0. A mean would be that of the few texts whose gradient grows; texts without
            a gradient at distance 0 are left out.
        num_texts: How many texts are of more than d tokens, at least `FEWEST_TEXTS` or
            all.
    """

    direction: str
    norms: list[float]
    shares: list[float]
    num_texts: list[int]

    @property
    def memory(self) -> int | None:
        """The effective memory in tokens: the least distance with a share below
        `FLOOR`; None: no distance has one.
        """
        return next(
            (distance for distance, share in enumerate(self.shares) if share < FLOOR),
            None,
        )


@dataclass(frozen=True)
class Measured:
    """A curve, and whose it is.

    Attributes:
        name: Of the network.
        weights: "first" or "trained".
        cell: The kind of cell.
        pooling: How its states become one vector.
        curve: The curve.
    """

    name: str
    weights: str
    cell: str
    pooling: tuple[str, ...]
    curve: Curve

    def to_dict(self) -> dict[str, Any]:
        """Return all that there is to say, as plain values."""
        own = {key: value for key, value in asdict(self).items() if key != "curve"}
        return {**own, **asdict(self.curve), "memory": self.curve.memory}

    @property
    def label(self) -> str:
        """The network's name, and the direction unless that is the usual one."""
        return (
            self.name
            if self.curve.direction == "forward"
            else f"{self.name}, {self.curve.direction}"
        )

    @property
    def memory_shown(self) -> str:
        """The effective memory in tokens, or that it is beyond the longest distance
        that enough texts reach.
        """
        return (
            f"> {len(self.curve.shares) - 1}"
            if self.curve.memory is None
            else str(self.curve.memory)
        )


def measure_network(
    name: str, weights: str, model: TextClassifier, split: EncodedSplit
) -> list[Measured]:
    """Return what `measure_gradient` does, with the network's name and kind."""
    section = model.section
    return [
        Measured(name, weights, section.cell, tuple(section.pooling), curve)
        for curve in measure_gradient(model, split)
    ]


def measure_gradient(model: TextClassifier, split: EncodedSplit) -> list[Curve]:
    """Return a curve a direction, over all texts of a split.

    The loss is the cross-entropy of a text and its label, without dropout or label
    smoothing.

    Raises:
        ConfigError: The model has no recurrent layer, or is a grid, which has no one
            state.
    """
    encoder = model.encoder
    if not isinstance(encoder, Encoder):
        raise ConfigError(
            f"model.cell: {model.section.cell} has no states to follow: give a run of"
            " an rnn, lstm or gru"
        )
    names = ["forward", "backward"][: 2 if encoder.rnn.bidirectional else 1]
    lengths = split.texts.lengths
    found = np.full(
        (len(names), len(lengths), int(lengths.max())), np.nan
    )  # [D, N, T], by distance from the end
    device = model.linear.weight.device

    def read(rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float64]]:
        batch = assemble(split.texts, rows).to(device)
        labels = torch.from_numpy(split.labels[rows]).to(device)
        return [
            norms.double().cpu().numpy()
            for norms in state_gradients(model, batch, labels)
        ]

    # The longest first, so that no worker is left with a long one at the end.
    plan = plan_in_order_of_length(lengths, _BATCH_SIZE)[::-1]
    for rows, directions in zip(
        plan, start_workers(device).map(read, plan), strict=True
    ):
        for own, norms in zip(found, directions, strict=True):
            own[rows] = _by_distance(norms, lengths[rows], own.shape[1])
    return [_curve(name, own) for name, own in zip(names, found, strict=True)]


def state_gradients(
    model: TextClassifier, batch: Batch, labels: torch.Tensor
) -> list[torch.Tensor]:
    """Return the length of the gradient of each text's loss with respect to each state
    of
    the last layer.

    Args:
        model: One whose encoder is an `Encoder`.
        batch: The texts.
        labels: [B] int64.

    Returns:
        [T, B] for each direction, in the order in which it reads; 0 past a text's end.
    """
    assert isinstance(model.encoder, Encoder)
    inputs = model.embedding(batch.token_ids.t())  # [T, B, E]
    unrolled = unroll(model.encoder, inputs, batch.lengths, is_ragged=batch.is_ragged)
    pooled = model.pooling(
        unrolled.states, batch.lengths, is_ragged=batch.is_ragged
    )  # [B, P * S]
    logits = model.classify(pooled)  # [B, C]
    # A text's states affect only its own loss, so one backward pass does for all texts.
    loss = F.cross_entropy(logits, labels, reduction="sum")
    names = ["hidden", "cell"] if model.encoder.rnn.mode == "LSTM" else ["hidden"]
    values = [
        step[name] for steps in unrolled.steps for step in steps for name in names
    ]  # [B, H] each
    gradients = torch.autograd.grad(
        loss, values, allow_unused=True, materialize_grads=True
    )
    parts = torch.stack(gradients).view(
        len(unrolled.steps), len(inputs), len(names), *values[0].shape
    )  # [D, T, 1 or 2, B, H]
    return list(parts.square().sum(dim=(2, 4)).sqrt())


def _by_distance(
    norms: npt.NDArray[np.float64], lengths: npt.NDArray[np.int64], longest: int
) -> npt.NDArray[np.float64]:
    """Return each text's values from its end to its start, NaN beyond that. [T, B] ->
    [B, longest].
    """
    places = lengths[:, None] - 1 - np.arange(longest)  # [B, longest]
    own = norms.T[np.arange(len(lengths))[:, None], np.maximum(places, 0)]
    return np.where(places >= 0, own, np.nan)


def _curve(direction: str, norms: npt.NDArray[np.float64]) -> Curve:
    """Return the means and medians of [N, T], up to the longest distance that enough
    texts reach.
    """
    num_texts = np.isfinite(norms).sum(axis=0)  # [T]
    norms = norms[:, num_texts >= min(FEWEST_TEXTS, len(norms))]
    moved = norms[norms[:, 0] > 0]
    shares = (
        np.nanmedian(moved / moved[:, :1], axis=0)
        if len(moved)
        else np.zeros(norms.shape[1])
    )
    return Curve(
        direction,
        np.nanmean(norms, axis=0).tolist(),
        shares.tolist(),
        num_texts[: norms.shape[1]].tolist(),
    )


def choose_rows(split: EncodedSplit, num_rows: int, seed: int) -> EncodedSplit:
    """Return so many rows of a split, drawn by the seed, or all where it has no more."""
    if len(split.labels) <= num_rows:
        return split
    rows = np.sort(
        np.random.default_rng(seed).permutation(len(split.labels))[:num_rows]
    )
    return split.select(rows)
