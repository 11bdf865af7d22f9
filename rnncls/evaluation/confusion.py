"""The confusion matrix of many classes: the most confused pairs, and a CSV file of it.

Shapes: C classes.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.metrics import ClassScores, Scores
from rnncls.machine.files import write_atomic

NUM_PAIRS = 20
"""Number of confused pairs to keep."""
MAX_JSON_CLASSES = 500
"""With more classes, the confusion matrix is only in its CSV file, not in the JSON."""


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that a classifier mixes up.

    Attributes:
        label: The true class.
        predicted: The predicted class.
        num_rows: How many texts of the true class are predicted as the other one.
        share: Their share of all texts of the true class.
    """

    label: str
    predicted: str
    num_rows: int
    share: float


def find_confused_pairs(scores: Scores, limit: int = NUM_PAIRS) -> list[ConfusedPair]:
    """Return the most confused pairs of classes, the most frequent first."""
    errors = np.array(scores.confusion_matrix, dtype=np.int64)  # [C, C]
    supports = errors.sum(axis=1)  # [C]
    np.fill_diagonal(errors, 0)
    names = [row.label for row in scores.per_class]
    return rank_pairs(errors, supports, names, limit)


def rank_pairs(
    errors: npt.NDArray[np.int64],
    supports: npt.NDArray[np.int64],
    names: Sequence[str],
    limit: int = NUM_PAIRS,
) -> list[ConfusedPair]:
    """Return the pairs of classes with the most errors, the most frequent first.

    Args:
        errors: [C, C] int64, a row for each true class, a column for each predicted
            class.
        supports: [C] int64, the number of texts of each class.
        names: The C classes.
        limit: The largest number of pairs.
    """
    true, predicted = np.nonzero(errors)  # [pairs]
    counts = errors[true, predicted]  # [pairs]
    shares = counts / supports[true]  # [pairs]
    order = np.argsort(-counts, kind="stable")[:limit]
    pairs = []
    for index in order.tolist():
        pair = ConfusedPair(
            label=names[true[index]],
            predicted=names[predicted[index]],
            num_rows=int(counts[index]),
            share=float(shares[index]),
        )
        pairs.append(pair)
    return pairs


def rank_classes(scores: Scores) -> list[ClassScores]:
    """Return the classes that have rows, the highest F1 first."""
    with_rows = [row for row in scores.per_class if row.support]
    return sorted(with_rows, key=lambda row: (-row.f1, -row.support))


def save_confusion(path: Path, scores: Scores) -> None:
    """Write the confusion matrix as CSV: a line for each true class.

    Raises:
        RunError: The file cannot be written.
    """
    names = [row.label for row in scores.per_class]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["true \\ predicted", *names])
    for name, row in zip(names, scores.confusion_matrix, strict=True):
        writer.writerow([name, *row])
    write_atomic(path, stream.getvalue().encode("utf-8", "backslashreplace"))
