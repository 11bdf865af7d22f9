"""The labels that a Python program gives to `rnncls.sklearn.TextClassifier.fit`.

Shapes: N texts, C classes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from rnncls.data.label_names import normalize_label


@dataclass(frozen=True)
class PythonLabels:
    """The labels of N texts, and their names in a data file.

    Attributes:
        classes: [C], the classes as they were given, sorted; for several labels a text
            the numbers of their columns.
        names: The names of the classes in the file.
        row_names: For each text the name of its class, or the names of its labels.
        has_several_labels: Whether a text may have several labels, or none.
    """

    classes: npt.NDArray[Any]
    names: list[str]
    row_names: Sequence[str | list[str]]
    has_several_labels: bool


def read_labels(labels: Any) -> PythonLabels:
    """Return the labels of texts with the names that they get in a data file.

    Args:
        labels: [N], the classes; or [N, C] of 1 and 0, an array or a sparse matrix,
            which text has which label.

    Raises:
        ValueError: A class is missing, the values are not classes, there is only one
            class, or two have the same name.
    """
    if issparse(labels):  # `MultiLabelBinarizer(sparse_output=True)` returns it
        labels = labels.toarray()
    values = np.asarray(labels, dtype=object)
    if values.ndim == 2 and values.shape[1] > 1:
        return _read_matrix(values)
    checked = _check_labels(labels)  # [N]
    classes, indices = np.unique(checked, return_inverse=True)
    names = _name_classes(classes)
    row_names = [names[index] for index in indices]
    return PythonLabels(classes, names, row_names, has_several_labels=False)


def _read_matrix(matrix: npt.NDArray[Any]) -> PythonLabels:
    """Return the labels of texts, given as [N, C] of 1 and 0.

    Raises:
        ValueError: A value is neither 1 nor 0, or fewer than two columns have a 1.
    """
    is_flag = np.isin(matrix, (0, 1))  # [N, C]
    if not is_flag.all():
        row = int((~is_flag).any(axis=1).argmax())
        raise ValueError(
            f"y[{row}]: expected 1 for each label of a text and 0 for the others, found"
            f" {matrix[row].tolist()}; for lists of labels, use MultiLabelBinarizer"
        )
    num_used = int((matrix == 1).any(axis=0).sum())
    if num_used < 2:
        raise ValueError(
            "y: expected two or more labels that a text has, a column with a 1 for"
            f" each, found {num_used} among {matrix.shape[1]} columns of"
            f" {len(matrix):,} rows"
        )
    names = [str(column) for column in range(matrix.shape[1])]
    columns = np.array(names)
    row_names = [columns[np.flatnonzero(row)].tolist() for row in matrix]
    return PythonLabels(
        np.arange(len(names)), names, row_names, has_several_labels=True
    )


def _check_labels(labels: Iterable[Any]) -> npt.NDArray[Any]:
    """Return the classes of N texts as an array. [N].

    Raises:
        ValueError: A class is missing, or the values are not classes.
    """
    for position, value in enumerate(list(labels)):
        if isinstance(value, list | tuple | set):
            raise ValueError(
                f"y[{position}]: expected a class, found {value!r}; for several labels"
                " a text, give the matrix that MultiLabelBinarizer returns"
            )
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise ValueError(f"y[{position}]: expected a class, found {value}")
    checked: npt.NDArray[Any] = column_or_1d(np.asarray(labels), warn=True)
    check_classification_targets(checked)
    return checked


def _name_classes(classes: npt.NDArray[Any]) -> list[str]:
    """Return the name of each class in a data file.

    Raises:
        ValueError: There is only one class, a name is empty, or two classes have the
            same name.
    """
    if len(classes) < 2:
        raise ValueError(f"y: expected two classes or more, found {classes.tolist()}")
    names = [normalize_label(str(label)) for label in classes]
    for label, name in zip(classes, names, strict=True):
        if not name or names.count(name) > 1:
            raise ValueError(
                f"y: the class {label!r} is empty or equals another one, apart from"
                " white space around it and the form of its characters"
            )
    return names
