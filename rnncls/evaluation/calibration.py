"""Calibration: whether a probability is right as often as it says, and the temperature
that makes it so.

Shapes: N texts, C classes.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rnncls.evaluation.metrics import wilson_interval

NUM_BINS = 15
"""Bins of equal width over the probabilities from 0 to 1, as in Guo et al. (2017)."""
COVERAGES = (1.0, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Shares of the texts, the most confident ones, of which the accuracy is told."""
_WIDEST, _HALVINGS = math.log(1e3), 50


@dataclass(frozen=True)
class Bin:
    """The texts whose label has a probability in [low, high), 1 included: how sure, and
    how often right, on average.
    """

    low: float
    high: float
    num_rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Coverage:
    """The texts whose label has at least the probability `min_confidence`, and how
    often
    they are right.

    Attributes:
        min_confidence: The threshold.
        share: Of all texts.
        num_rows: How many they are.
        accuracy: Share of them that are right.
        interval: Its 95 % interval (Wilson 1927).
    """

    min_confidence: float
    share: float
    num_rows: int
    accuracy: float
    interval: tuple[float, float]


def fit_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return what to divide logits by so that the labels become as probable as can be
    (Guo
    et al. 2017).

    Its inverse b has the prior Gamma(2, 1), which weighs as little as one text: b - log
    b is added to the loss. Without it a few validation rows, all judged right, would
    ask for probabilities of 1. The sum is convex in b.

    Args:
        logits: [N, C] float32, of rows that were not trained on.
        labels: [N] int64.
    """
    logits = logits.double()
    gained = logits.gather(1, labels[:, None]).sum()

    def slope(inverse: float) -> float:
        expected = ((logits * inverse).softmax(dim=1) * logits).sum()
        return (expected - gained).item() + 1 - 1 / inverse

    low, high = -_WIDEST, _WIDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def find_bins(
    confidences: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]
) -> list[Bin]:
    """Return the bins of a reliability diagram that have any text in them, from two
    arrays [N].
    """
    places = np.minimum((confidences * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    bins = []
    for place in np.unique(places).tolist():
        inside = places == place
        confidence, accuracy = (
            float(confidences[inside].mean()),
            float(is_right[inside].mean()),
        )
        bins.append(
            Bin(
                place / NUM_BINS,
                (place + 1) / NUM_BINS,
                int(inside.sum()),
                confidence,
                accuracy,
            )
        )
    return bins


def expected_calibration_error(bins: list[Bin]) -> float:
    """Return by how much confidence and accuracy differ in a bin, on average over all
    texts (Naeini et al. 2015).
    """
    num_rows = sum(each.num_rows for each in bins)
    return (
        sum(each.num_rows * abs(each.accuracy - each.confidence) for each in bins)
        / num_rows
    )


def find_coverages(
    confidences: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]
) -> list[Coverage]:
    """Return how often the most confident texts are right, for each of `COVERAGES`,
    from
    two arrays [N].

    Texts as confident as the last one of a share belong to it too.
    """
    ordered = np.sort(confidences)[::-1]
    found = []
    for share in COVERAGES:
        threshold = float(ordered[math.ceil(share * len(ordered)) - 1])
        covered = confidences >= threshold
        num_rows, num_right = int(covered.sum()), int(is_right[covered].sum())
        interval = wilson_interval(num_right, num_rows)
        found.append(
            Coverage(
                threshold,
                num_rows / len(ordered),
                num_rows,
                num_right / num_rows,
                interval,
            )
        )
    return found


def trace_coverage(
    confidences: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the share of the k most confident texts and their accuracy, for k = 1 to
    N. Two arrays [N].
    """
    ordered = is_right[np.argsort(-confidences, kind="stable")]
    counts = np.arange(1, len(ordered) + 1)
    return counts / len(ordered), np.cumsum(ordered) / counts
