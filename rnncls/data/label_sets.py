"""Sets of labels: as one text while a file is read, and as a matrix in memory.

Readers return one text a row. A set of labels is written as one: each label after a
unit separator (U+001F), which no label contains. A row without labels is an empty text.

Shapes: N rows, C labels.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.data.label_names import normalize_label

MARK = "\x1f"
_IS_TRUE = {"1": True, "1.0": True, "true": True, "True": True, "TRUE": True}
_IS_FALSE = {"0": False, "0.0": False, "false": False, "False": False, "FALSE": False}
FLAGS: Mapping[str, bool] = {**_IS_TRUE, **_IS_FALSE, "": False}
"""The values of a column that says of each row whether it has a label."""


def join_labels(labels: Iterable[str]) -> str:
    """Return a set of labels as one text."""
    return "".join(MARK + label.replace(MARK, " ") for label in labels)


def is_label_set(value: str) -> bool:
    """Return whether a text is a set of at least one label, as `join_labels` writes."""
    return value.startswith(MARK)


def split_labels(value: str, separator: str | None) -> list[str]:
    """Return the distinct labels of a row, normalised, in their order.

    Args:
        value: What `join_labels` returned, or the contents of a field.
        separator: What separates the labels in a field; None: it has one label.
    """
    if is_label_set(value):
        parts = value.split(MARK)
    else:
        parts = value.split(separator) if separator else [value]
    labels = [normalize_label(part) for part in parts]
    return list(dict.fromkeys(filter(None, labels)))


def read_flags(names: Sequence[str], values: Sequence[str], place: str) -> str:
    """Return the labels whose column has a 1, as one text.

    Args:
        names: The columns, which are the labels.
        values: Their values in a row.
        place: The start of an error message.

    Raises:
        DataError: A value is neither 0 nor 1.
    """
    labels = []
    for name, value in zip(names, values, strict=True):
        is_true = FLAGS.get(value.strip())
        if is_true is None:
            raise DataError(
                f"{place}: '{name}': expected 1 or 0, as data.label lists a column for"
                f" each label, found '{value[:60]}'"
            )
        if is_true:
            labels.append(name)
    return join_labels(labels)


def count_labels(labels: npt.NDArray[Any], num_labels: int) -> npt.NDArray[np.int64]:
    """Return the number of rows of each label. [C] int64.

    Args:
        labels: [N] int64, the label of each row; or [N, C] bool, which row has which.
        num_labels: C.
    """
    if labels.ndim > 1:
        counts: npt.NDArray[np.int64] = labels.sum(axis=0, dtype=np.int64)
        return counts
    return np.bincount(labels, minlength=num_labels)


def to_label_matrix(labels: npt.NDArray[Any], num_labels: int) -> npt.NDArray[np.bool_]:
    """Return which row has which label. [N, C] bool.

    Args:
        labels: [N] int64, the label of each row; or [N, C] bool, which row has which.
        num_labels: C.
    """
    if labels.ndim > 1:
        return labels
    matrix: npt.NDArray[np.bool_] = labels[:, None] == np.arange(num_labels)  # [N, C]
    return matrix


class LabelMatrix:
    """The label sets of rows that are read one after the other.

    Attributes:
        num_rows: The number of rows so far.
        numbers: The number of each label, in the order of appearance.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Start without rows, with labels that are known before they appear."""
        self.num_rows = 0
        self.numbers = {name: number for number, name in enumerate(names)}
        self._rows = array("q")
        self._labels = array("q")

    def add(self, labels: Iterable[str]) -> None:
        """Add a row."""
        for label in labels:
            number = self.numbers.setdefault(label, len(self.numbers))
            self._rows.append(self.num_rows)
            self._labels.append(number)
        self.num_rows += 1

    def build(self, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return which row has which label. [N, C] bool.

        Args:
            names: The labels that appeared, in the order of the columns.
        """
        new_index = np.empty(len(names), dtype=np.int64)  # [C]
        for index, name in enumerate(names):
            new_index[self.numbers[name]] = index
        matrix = np.zeros((self.num_rows, len(names)), dtype=np.bool_)  # [N, C]
        rows = np.array(self._rows, dtype=np.int64)
        numbers = np.array(self._labels, dtype=np.int64)
        matrix[rows, new_index[numbers]] = True
        return matrix
