"""Sets of labels: as one text while a file is read, and as a matrix in memory.

Readers return one text a row. A set of labels is written as one: each label after a
unit separator (U+001F), which no label contains. A list without labels is the separator
alone, a field without labels an empty text.

Shapes: N rows, C labels.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.data.label_names import normalize_label

MARK = "\x1f"
_IS_TRUE = {"1": True, "1.0": True, "true": True, "True": True, "TRUE": True}
_IS_FALSE = {"0": False, "0.0": False, "false": False, "False": False, "FALSE": False}
FLAGS: Mapping[str, bool] = {**_IS_TRUE, **_IS_FALSE}
"""The values of a column that says of each row whether it has a label."""
UNKNOWN = "\x1e"
"""The start of what `read_flags` returns for a row with a blank column."""
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ITEM = re.compile(rf"{_QUOTED}|[-+]?\d[\w.+-]*|None|null|nan|NaN", re.DOTALL)
_LIST = re.compile(
    rf"\[\s*(?:(?:{_ITEM.pattern})(?:[\s,]+(?:{_ITEM.pattern}))*)?[\s,]*\]", re.DOTALL
)
_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_NOTHING = {"none", "null", "nan"}
_FLAGS_SHOWN = 10


def join_labels(labels: Iterable[str]) -> str:
    """Return a set of labels as one text."""
    return "".join(MARK + label.replace(MARK, " ") for label in labels) or MARK


def join_items(items: Iterable[object], place: str) -> str:
    """Return a list of JSON or Parquet as one text, without null and NaN.

    Args:
        items: The items: texts, numbers or truth values.
        place: The start of an error message.

    Raises:
        DataError: A label is not valid Unicode.
    """
    joined = join_labels(
        _item_to_label(item)
        for item in items
        if item is not None and item == item  # NaN differs from itself
    )
    try:
        joined.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{place}: not valid Unicode: a lone surrogate or a byte that is not UTF-8"
            f" in the label {joined.split(MARK)[-1]!a}"
        ) from error
    return joined


def _item_to_label(item: object) -> str:
    if isinstance(item, bytes):
        return item.decode("utf-8", "surrogateescape")
    return str(item).lower() if isinstance(item, bool) else str(item)


def is_label_set(value: str) -> bool:
    """Return whether a text is a list of labels, as `join_labels` writes it."""
    return value.startswith(MARK)


def parse_list(text: str) -> list[str] | None:
    """Return the labels of a list as Python, JSON or NumPy prints it; None: it is none.

    The items are in quotation marks or numbers: `['joy', "love"]`, `[3 17]`.
    """
    text = text.strip()
    if not text.startswith("[") or not _LIST.fullmatch(text):
        return None
    labels = []
    for match in _ITEM.finditer(text, 1, len(text) - 1):
        item = match[0]
        if item[0] in "'\"":
            labels.append(_ESCAPED.sub(_unescape, item[1:-1]))
        elif item.lower() not in _NOTHING:
            labels.append(item)
    return labels


def _unescape(match: re.Match[str]) -> str:
    escaped = match[1]
    if len(escaped) > 1:
        return chr(int(escaped[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r"}.get(escaped, escaped)


def split_labels(value: str, separator: str | None) -> list[str]:
    """Return the distinct labels of a row, normalised, in their order.

    Args:
        value: What `join_labels` returned, or the contents of a field.
        separator: What separates the labels in a field; None: it has one label, or a
            list as `parse_list` reads it.
    """
    return list(dict.fromkeys(_iter_labels(value, separator)))


def _iter_labels(value: str, separator: str | None) -> Iterator[str]:
    if is_label_set(value):
        parts = value.split(MARK)
    elif separator:
        parts = value.split(separator)
    else:
        parsed = parse_list(value) if "[" in value else None
        parts = [value] if parsed is None else parsed
    return filter(None, map(normalize_label, parts))


def read_labels(value: str, separator: str | None, source: str, row: int) -> list[str]:
    """Return the labels of a row as `split_labels` does.

    Args:
        value: What `join_labels` returned, or the contents of a field.
        separator: What separates the labels in a field; None: see `split_labels`.
        source: The name of the file, for messages.
        row: The number of the row, from 1.

    Raises:
        DataError: The row has 1 or 0 for each label instead of their names.
    """
    every = list(_iter_labels(value, separator))
    labels = list(dict.fromkeys(every))
    if len(labels) < len(every) and FLAGS.keys() >= set(labels):
        shown = ", ".join(every[:_FLAGS_SHOWN])
        raise DataError(
            f"{source}: row {row:,}: expected the names of the labels of a text, found"
            f" {shown}: write the names, or a column of 1 and 0 for each label"
        )
    return labels


def read_flags(names: Sequence[str], values: Sequence[str], place: str) -> str:
    """Return the labels whose column has a 1, as one text.

    A blank is unknown, neither 1 nor 0. A row with a blank gives UNKNOWN and the name
    of the first blank column; if all are blank, UNKNOWN alone. The file is refused once
    all of these rows are counted (see `rnncls.data.missing_labels`).

    Args:
        names: The columns, which are the labels.
        values: Their values in a row.
        place: The start of an error message.

    Raises:
        DataError: A value is neither 0 nor 1.
    """
    labels, blank = [], []
    for name, value in zip(names, values, strict=True):
        stripped = value.strip()
        is_true = FLAGS.get(stripped)
        if not stripped:
            blank.append(name)
        elif is_true is None:
            raise DataError(
                f"{place}: '{name}': expected 1 or 0, as data.label lists a column for"
                f" each label, found '{value[:60]}'"
            )
        if is_true:
            labels.append(name)
    if blank:
        return UNKNOWN if len(blank) == len(names) else UNKNOWN + blank[0]
    return join_labels(labels)


def name_labels(columns: Sequence[str], source: str) -> list[str]:
    """Return the label of each column of 1 and 0: its name, normalised.

    Args:
        columns: The columns.
        source: The name of the file, for messages.

    Raises:
        DataError: A column has no name, or two columns have the same label.
    """
    labels = list(map(normalize_label, columns))
    for index, label in enumerate(labels):
        if not label:
            raise DataError(
                f"{source}: data.label has a column without a name: name it in the"
                " header, as its name is the label"
            )
        first = labels.index(label)
        if first < index:
            raise DataError(
                f"{source}: the columns {columns[first]!a} and {columns[index]!a} of"
                f" data.label are the same label, '{label}', apart from white space"
                " around it and the form of its characters: rename one of them"
            )
    return labels


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
