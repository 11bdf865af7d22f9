"""The shares of labels in two samples, and which of them have changed most.

Shapes: N texts, C labels of the run, L all labels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.data.label_names import normalize_label
from rnncls.evaluation.drift_sample import MIN_ROWS, LabelSet

NUM_LABELS = 20
"""How many labels are listed."""
NO_LABEL = "(no label)"
"""Stands for texts without a label, if a text may have several labels or none."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelShift:
    """The share of the texts that have a label.

    Attributes:
        label: The label.
        reference: The share of the texts of the reference.
        file: The share of the texts of the file.
        is_known: Whether it is a label of the run.
    """

    label: str
    reference: float
    file: float
    is_known: bool = True

    @property
    def change(self) -> float:
        """The share in the file minus that in the reference."""
        return self.file - self.reference


@dataclass(frozen=True)
class LabelMatrices:
    """Which text has which of L labels, in two samples.

    Attributes:
        names: The L labels.
        reference: [N, L].
        file: [N of the file, L].
        num_known: How many of the labels, the first ones, are labels of the run.
    """

    names: list[str]
    reference: Bools
    file: Bools
    num_known: int

    def with_no_label(self) -> "LabelMatrices":
        """Add a column for the texts without a label."""
        return LabelMatrices(
            [*self.names, NO_LABEL],
            _add_no_label(self.reference),
            _add_no_label(self.file),
            self.num_known,
        )

    def find_shifts(self) -> list[LabelShift]:
        """Return the labels whose share has changed most, the largest change first."""
        reference = self.reference.mean(axis=0)  # [L]
        file = self.file.mean(axis=0)  # [L]
        largest_first = np.argsort(-np.abs(file - reference), kind="stable")
        shifts = []
        for index in largest_first[:NUM_LABELS].tolist():
            name = self.names[index]
            shift = LabelShift(
                name,
                float(reference[index]),
                float(file[index]),
                is_known=index < self.num_known or name == NO_LABEL,
            )
            shifts.append(shift)
        return shifts


def _add_no_label(matrix: Bools) -> Bools:
    has_none = ~matrix.any(axis=1, keepdims=True)  # [N, 1]
    return np.concatenate([matrix, has_none], axis=1)


def build_true_labels(
    reference: Iterable[LabelSet], file: Iterable[LabelSet], label_names: Sequence[str]
) -> LabelMatrices | None:
    """Return the true labels of two samples, of the texts whose labels are known.

    Args:
        reference: The labels of each text of the reference.
        file: Those of the file.
        label_names: The C labels of the run. Other labels follow them.

    Returns:
        The labels; None if too few texts of a sample have them.
    """
    known_reference = [labels for labels in reference if labels is not None]
    known_file = [labels for labels in file if labels is not None]
    if min(len(known_reference), len(known_file)) < MIN_ROWS:
        return None
    numbers: dict[str, int] = {}
    for name in map(normalize_label, label_names):
        numbers.setdefault(name, len(numbers))
    num_known = len(numbers)
    for labels in [*known_reference, *known_file]:
        for name in labels:
            numbers.setdefault(name, len(numbers))
    return LabelMatrices(
        list(numbers),
        _build_matrix(known_reference, numbers),
        _build_matrix(known_file, numbers),
        num_known,
    )


def _build_matrix(
    label_sets: Sequence[tuple[str, ...]], numbers: dict[str, int]
) -> Bools:
    """Return which text has which label. [N, L]."""
    matrix = np.zeros((len(label_sets), len(numbers)), dtype=np.bool_)
    for row, labels in enumerate(label_sets):
        matrix[row, [numbers[name] for name in labels]] = True
    return matrix
