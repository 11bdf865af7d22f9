"""Scores of a classifier, computed from its confusion matrix.

A confusion matrix is a sum over texts, so the matrices of several parts of the data add
up exactly.

Shapes: N texts, C classes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Interval = tuple[float, float]

NUM_RESAMPLES = 2_000
"""Number of bootstrap samples."""
_MANY_CELLS = 5_000
"""From this number of non-empty cells, bootstrap samples may be drawn text by text."""


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of one class, and its support.

    A score whose denominator is 0 is 0.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """The scores of a classifier on N texts.

    Attributes:
        accuracy: Share of texts that are classified correctly.
        accuracy_interval: Its 95% interval (Wilson 1927).
        macro_f1: Mean F1 of the classes that have a true or predicted row, as in
            scikit-learn; the others are `absent_classes`.
        macro_f1_interval: Its 95% bootstrap interval.
        accuracy_bootstrap_interval: The 95% bootstrap interval of the accuracy, for
            comparison with Wilson's; it is too narrow near 0 and 1.
        loss: Mean cross-entropy in nats, without label smoothing, of the calibrated
            probabilities.
        num_rows: N.
        per_class: The scores of each class.
        confusion_matrix: [C][C] counts: a row for each true class, a column for each
            predicted class.
        absent_classes: The classes without a true or predicted row.
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
    absent_classes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as plain lists, dictionaries and numbers."""
        # `asdict` would copy each cell of the matrix on its own.
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["per_class"] = [asdict(row) for row in self.per_class]
        for key, value in values.items():
            if isinstance(value, tuple):
                values[key] = list(value)
        return values


def count_confusion(
    labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64], num_classes: int
) -> npt.NDArray[np.int64]:
    """Return how often class i was predicted as class j.

    Args:
        labels: [N] int64, the true classes.
        predictions: [N] int64, the predicted classes.
        num_classes: C.

    Returns:
        [C, C] int64.
    """
    pairs = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def accuracy_of(confusion: npt.NDArray[np.int64]) -> float:
    """Return the accuracy of a confusion matrix [C, C]."""
    return float(np.trace(confusion) / confusion.sum())


def macro_f1_of(confusion: npt.NDArray[np.int64]) -> float:
    """Return the macro-F1 of a confusion matrix [C, C].

    As in scikit-learn, a class without a true or predicted row does not count; a class
    that is only predicted counts as 0.
    """
    sums = confusion.sum(axis=0) + confusion.sum(axis=1)  # [C]
    is_present = sums > 0
    return float(np.mean(2 * np.diag(confusion)[is_present] / sums[is_present]))


def wilson_interval(num_correct: float, num_rows: int) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson 1927).

    SciPy has this function too, but importing it takes half a second.
    """
    z = NormalDist().inv_cdf(0.975)
    share = num_correct / num_rows
    extra = z**2 / num_rows
    centre = (share + extra / 2) / (1 + extra)
    variance = share * (1 - share) / num_rows + extra / (4 * num_rows)
    half_width = z / (1 + extra) * math.sqrt(variance)
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test (1947).

    Args:
        gained: Number of rows that only the first classifier gets right.
        lost: Number of rows that only the second one gets right.
    """
    num_discordant = gained + lost
    if num_discordant == 0:
        return 1.0
    # Each binomial coefficient is computed from the previous one: computing one alone
    # costs as much as all the previous ones together.
    binomial = tail = 1
    for k in range(min(gained, lost)):
        binomial = binomial * (num_discordant - k) // (k + 1)
        tail += binomial
    num_outcomes: int = 2**num_discordant
    return min(1.0, 2 * tail / num_outcomes)


def bootstrap(
    confusion: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return accuracy and macro-F1 of `NUM_RESAMPLES` bootstrap samples (Efron 1979).

    The same matrix always has the same samples.

    Args:
        confusion: [C, C] int64, of at least one text.

    Returns:
        Two arrays [`NUM_RESAMPLES`].
    """
    num_classes = len(confusion)
    true, predicted = np.nonzero(confusion)  # [K] non-empty cells
    counts = confusion[true, predicted]  # [K]
    num_rows = int(counts.sum())
    is_correct = true == predicted  # [K]
    correct_classes = true[is_correct]
    accuracies = np.empty(NUM_RESAMPLES)
    macro_f1s = np.empty(NUM_RESAMPLES)
    for index, sample in enumerate(_draw_samples(counts)):
        correct_counts = sample[is_correct]
        num_correct = np.bincount(correct_classes, correct_counts, num_classes)  # [C]
        num_true = np.bincount(true, sample, num_classes)  # [C]
        num_predicted = np.bincount(predicted, sample, num_classes)  # [C]
        sums = num_true + num_predicted
        is_present = sums > 0
        f1s = 2 * num_correct[is_present] / sums[is_present]
        accuracies[index] = num_correct.sum() / num_rows
        macro_f1s[index] = np.mean(f1s)
    return accuracies, macro_f1s


def _draw_samples(counts: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield how many texts of each cell are in each bootstrap sample. [K].

    The counts of a sample are multinomial. Drawing them is faster than drawing the
    texts one by one, unless there are nearly as many cells as texts.
    """
    generator = np.random.default_rng(0)
    num_cells = len(counts)
    num_rows = int(counts.sum())
    is_sparse = num_cells > _MANY_CELLS and num_rows < 8 * num_cells
    if not is_sparse:
        shares = counts / num_rows
        for _ in range(NUM_RESAMPLES):
            yield generator.multinomial(num_rows, shares)
        return
    cells = np.repeat(np.arange(num_cells), counts)  # [N] the cell of each text
    for _ in range(NUM_RESAMPLES):
        texts = generator.integers(0, num_rows, num_rows, dtype=np.int32)
        sampled_cells = cells[texts]
        yield np.bincount(sampled_cells, minlength=num_cells)


def percentile_interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of the middle 95% of bootstrap values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def defined_interval(values: npt.NDArray[np.float64]) -> Interval | None:
    """Return the range of the middle 95% of the values that are not NaN, if any."""
    defined = values[~np.isnan(values)]
    return percentile_interval(defined) if len(defined) else None


def score(
    confusion: npt.NDArray[np.int64], loss: float, label_names: Sequence[str]
) -> Scores:
    """Compute all scores of a confusion matrix.

    Args:
        confusion: [C, C] int64, of at least one text.
        loss: Mean cross-entropy in nats.
        label_names: The C classes.
    """
    per_class = _score_classes(confusion, label_names)
    num_true = confusion.sum(axis=1)  # [C]
    num_predicted = confusion.sum(axis=0)  # [C]
    is_present = num_true + num_predicted > 0  # [C]
    f1s = np.array([row.f1 for row in per_class])  # [C]
    absent = np.flatnonzero(~is_present).tolist()
    absent_classes = [label_names[index] for index in absent]
    macro_f1 = np.mean(f1s[is_present])
    num_rows = int(confusion.sum())
    num_correct = int(np.trace(confusion))
    accuracies, macro_f1s = bootstrap(confusion)
    return Scores(
        accuracy=accuracy_of(confusion),
        accuracy_interval=wilson_interval(num_correct, num_rows),
        macro_f1=float(macro_f1),
        macro_f1_interval=percentile_interval(macro_f1s),
        accuracy_bootstrap_interval=percentile_interval(accuracies),
        loss=loss,
        num_rows=num_rows,
        per_class=per_class,
        confusion_matrix=confusion.tolist(),
        absent_classes=absent_classes,
    )


def _score_classes(
    confusion: npt.NDArray[np.int64], label_names: Sequence[str]
) -> list[ClassScores]:
    from sklearn.metrics import precision_recall_fscore_support

    true, predicted = np.nonzero(confusion)  # [K] non-empty cells
    precisions, recalls, f1s, _ = precision_recall_fscore_support(
        true,
        predicted,
        labels=np.arange(len(label_names)),
        sample_weight=confusion[true, predicted],
        zero_division=0.0,
    )
    supports = confusion.sum(axis=1)
    return [
        ClassScores(
            label=name,
            precision=float(precisions[index]),
            recall=float(recalls[index]),
            f1=float(f1s[index]),
            support=int(supports[index]),
        )
        for index, name in enumerate(label_names)
    ]
