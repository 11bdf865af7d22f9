"""One row of a data file by its number, with its text and its label."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rnncls import ConfigError, DataError
from rnncls.config.sections import DataSection
from rnncls.data.datasets import columns_of, find_label_names
from rnncls.data.label_names import normalize_label
from rnncls.data.label_sets import split_labels
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns

_ROWS_LISTED = 5


@dataclass(frozen=True)
class SingleRow:
    """A row of a data file.

    Attributes:
        path: The file.
        number: The row's number, from 1; the header is not counted.
        text: Its text.
        label: Its label, or its labels in one text; None if the file has none.
        id: The value by which the user named it; None: it was named by its number.
    """

    path: Path
    number: int
    text: str
    label: str | None
    id: str | None = None


def read_row(path: Path, number: int, section: DataSection) -> SingleRow:
    """Return a row of a file that is read as a data section says.

    The label may be missing, from the row or from the file.

    Raises:
        ConfigError: The file has fewer rows.
        DataError: The file cannot be read, lacks a column of the text, or an earlier
            row is wrong.
    """
    columns = columns_of(section)
    text_only = replace(columns, label=None)
    kept_label = replace(text_only, kept=section.label_columns)
    choices = (columns,) if section.has_several_labels else (kept_label, columns)
    for columns_tried in choices:
        try:
            text, label = _find_row(path, columns_tried, number)
        except DataError:
            continue  # the file has no labels, or it has them but no columns
        return SingleRow(path, number, text, _name_label(label or "", section))
    text, _ = _find_row(path, text_only, number)
    return SingleRow(path, number, text, None)


def read_row_by_id(
    path: Path, value: str, column: str, section: DataSection
) -> SingleRow:
    """Return the row of a file that has a value in a column; see `read_row`.

    Raises:
        ConfigError: No row, or several rows, have the value.
        DataError: The file cannot be read or lacks the column.
    """
    columns = replace(
        columns_of(section),
        text=(column,),
        label=None,
        must_be_table=True,
        hint="name a column of the file with --id",
    )
    numbers = []
    for number, (found, _) in enumerate(_iter_rows(path, columns), start=1):
        if found.strip() == value.strip():
            numbers.append(number)
    place = f"'{value}' in the column '{column}'"
    if not numbers:
        raise ConfigError(f"--row: no row of {path} has {place}")
    if len(numbers) > 1:
        shown = ", ".join(f"{number:,}" for number in numbers[:_ROWS_LISTED])
        more = ", …" if len(numbers) > _ROWS_LISTED else ""
        raise ConfigError(
            f"--row: {len(numbers):,} rows of {path} have {place}: the rows"
            f" {shown}{more}: give the number of one of them as --row, without --id"
        )
    return replace(read_row(path, numbers[0], section), id=value)


def _name_label(label: str, section: DataSection) -> str | None:
    """Return the name of the label of a row; the names of several in one text."""
    if section.has_several_labels:
        names = split_labels(label, section.label_separator)
        return ", ".join(names) or "no label"
    label = normalize_label(label)
    return find_label_names(section).get(label, label) or None


def _find_row(path: Path, columns: Columns, number: int) -> tuple[str, str | None]:
    """Return the text of a row, and the kept value or the label."""
    num_rows = 0
    for text, label in _iter_rows(path, columns):
        num_rows += 1
        if num_rows == number:
            return text, label
    if num_rows == 0:
        raise ConfigError(f"--row: {path} has no rows")
    raise ConfigError(
        f"--row: expected 1 to {num_rows:,}, the number of rows of {path}, found"
        f" {number:,}"
    )


def _iter_rows(path: Path, columns: Columns) -> Iterator[tuple[str, str | None]]:
    for rows in read_rows(path, columns):
        labels = [values[0] for values in rows.kept] or rows.labels
        for index, text in enumerate(rows.texts):
            yield text, labels[index] if labels else None
