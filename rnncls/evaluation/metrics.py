"""Scores of a classification, computed by scikit-learn from a confusion matrix.

The confusion matrix is a sum over texts, so that parts evaluated apart add up exactly.

Shapes: N texts, C classes.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

NUM_RESAMPLES = 2_000
"""Samples of the bootstrap."""


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of one class, each 0 where nothing was predicted or
    nothing is there; its support.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """What a classification is worth.

    Attributes:
        accuracy: Share of texts classified right.
        accuracy_interval: Its 95 % interval (Wilson 1927).
        macro_f1: Mean of the classes' F1.
        macro_f1_interval: Its 95 % interval, by the bootstrap.
        accuracy_bootstrap_interval: That of the accuracy, to set beside Wilson's; it is
            too narrow near 0 and 1.
        loss: Mean cross-entropy of a text in nats, without label smoothing, by the
            probabilities that are printed.
        num_rows: N.
        per_class: One entry a class.
        confusion_matrix: [C][C] counts, a row a true class, a column a predicted one.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    accuracy_bootstrap_interval: tuple[float, float]
    loss: float
    num_rows: int
    per_class: list[ClassScores]
    confusion_matrix: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as plain lists, dictionaries and numbers."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


def count_confusion(
    labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64], num_classes: int
) -> npt.NDArray[np.int64]:
    """Return how often class i was predicted as class j, from two arrays [N]. [C, C]
    int64.
    """
    pairs = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def accuracy_of(confusion: npt.NDArray[np.int64]) -> float:
    """Return the share of texts on the diagonal of a confusion matrix [C, C]."""
    return float(np.trace(confusion) / confusion.sum())


def macro_f1_of(confusion: npt.NDArray[np.int64]) -> float:
    """Return the mean F1 of the classes of a confusion matrix [C, C], 0 for a class
    that never occurs.
    """
    sums = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(2 * np.diag(confusion) / np.maximum(sums, 1)))


def wilson_interval(num_right: float, num_rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); a formula, for SciPy's takes
    half a second to import.
    """
    z = NormalDist().inv_cdf(0.975)
    share, extra = num_right / num_rows, z**2 / num_rows
    centre = (share + extra / 2) / (1 + extra)
    half = (
        z
        / (1 + extra)
        * math.sqrt(share * (1 - share) / num_rows + extra / (4 * num_rows))
    )
    return max(centre - half, 0.0), min(centre + half, 1.0)


def bootstrap(
    confusion: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return accuracy and macro-F1 of `NUM_RESAMPLES` samples, with replacement, of the
    texts of a confusion matrix.

    How many texts of each cell a sample has is multinomial, so that no text is drawn
    one by one (Efron 1979). The same matrix has the same samples.

    Args:
        confusion: [C, C] int64, of at least one text.

    Returns:
        Two arrays [`NUM_RESAMPLES`].
    """
    num_rows = int(confusion.sum())
    true, predicted = np.nonzero(confusion)  # [K] cells that any text is in
    samples = np.random.default_rng(0).multinomial(
        num_rows, confusion[true, predicted] / num_rows, NUM_RESAMPLES
    )
    classes = np.arange(len(confusion))
    is_true, is_predicted = (
        true[:, None] == classes,
        predicted[:, None] == classes,
    )  # [K, C]
    right = samples @ (is_true & is_predicted).astype(np.float64)  # [R, C]
    sums = samples @ (is_true.astype(np.float64) + is_predicted)  # [R, C]
    return right.sum(axis=1) / num_rows, np.mean(
        2 * right / np.maximum(sums, 1), axis=1
    )


def percentile_interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of the middle 95 % of what the bootstrap found."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def score(
    confusion: npt.NDArray[np.int64], loss: float, label_names: Sequence[str]
) -> Scores:
    """Return all scores of a confusion matrix [C, C] int64 of at least one text."""
    from sklearn.metrics import precision_recall_fscore_support

    num_classes, num_rows = len(label_names), int(confusion.sum())
    accuracies, macro_f1s = bootstrap(confusion)
    true, predicted = np.divmod(np.arange(num_classes**2), num_classes)
    columns = precision_recall_fscore_support(
        true,
        predicted,
        labels=np.arange(num_classes),
        sample_weight=confusion.ravel(),
        zero_division=0.0,
    )
    per_class = [
        ClassScores(name, float(p), float(r), float(f), int(row.sum()))
        for name, p, r, f, row in zip(label_names, *columns[:3], confusion, strict=True)
    ]
    return Scores(
        accuracy=accuracy_of(confusion),
        accuracy_interval=wilson_interval(int(np.trace(confusion)), num_rows),
        macro_f1=float(columns[2].mean()),
        macro_f1_interval=percentile_interval(macro_f1s),
        accuracy_bootstrap_interval=percentile_interval(accuracies),
        loss=loss,
        num_rows=num_rows,
        per_class=per_class,
        confusion_matrix=confusion.tolist(),
    )
