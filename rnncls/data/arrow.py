"""pyarrow's record batches as rows, and pyarrow's error messages explained.

pyarrow has no error classes for the faults of a CSV file, so that its messages must be
recognised by their text. All of them are in this module.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data.label_sets import join_items
from rnncls.data.rows import Columns, Rows, decode

if TYPE_CHECKING:
    import pyarrow as pa

_EMPTY_FILE = "Empty CSV file"
_ROW_TOO_LONG = "straddling"
_WRONG_WIDTH = re.compile(
    r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", re.DOTALL
)


def is_empty_file(error: Exception) -> bool:
    """Return whether a pyarrow error says that the file has no rows.

    A header without a line end counts as such a file.
    """
    return _EMPTY_FILE in str(error)


def is_row_too_long(error: Exception) -> bool:
    """Return whether a pyarrow error says that a row is longer than a block."""
    return _ROW_TOO_LONG in str(error)


def explain_csv_error(path: Path, error: Exception, num_before: int) -> str:
    """Return the message for an error of pyarrow's CSV reader.

    The row is taken from pyarrow's message: its handler of invalid rows is not called
    for rows that are not UTF-8.

    Args:
        path: The file.
        error: pyarrow's error.
        num_before: How many rows pyarrow counts before the first row of data.
    """
    match = _WRONG_WIDTH.search(str(error))
    if match is None:
        return f"{path}: {shorten(str(error))}"
    number, expected, found, text = match.groups()
    place = f"row {int(number) - num_before:,}" if number else "a row"
    hint = ""
    if int(found) > int(expected):
        hint = "; put a text that holds the delimiter in quotation marks"
    elif text.count('"') % 2:
        hint = f"; is a quotation mark not closed? Let 'rnncls init {path}' convert it"
    return (
        f"{path}: {place}: expected {expected} columns, found {found}:"
        f" {shorten(text)}{hint}"
    )


def rows_of_batches(
    batches: Iterable["pa.RecordBatch"], source: str, columns: Columns
) -> Iterator[Rows]:
    """Yield the rows of record batches.

    Raises:
        DataError: A value is not a text.
    """
    import pyarrow as pa

    start = 0
    for batch in batches:
        values = {}
        for name in batch.schema.names:
            column = batch.column(name)
            is_kept_only = name not in columns.wanted
            is_set = columns.has_several_labels and name in columns.label_columns
            if is_set and is_list_type(column.type):
                place = _place_format(source, f": '{name}'")
                values[name] = _join_lists(column, place, start)
            elif is_kept_only and pa.types.is_nested(column.type):
                values[name] = _to_json(column)
            else:
                place = _place_format(source, f": '{name}'")
                values[name] = _strings(column, place, start)
        labels = _read_labels(values, columns, _place_format(source), start)
        row_numbers = [""] * len(batch)
        kept = [values.get(name, row_numbers) for name in columns.kept]
        texts = [values[name] for name in columns.text]
        yield Rows(_join(texts), labels, list(zip(*kept, strict=True)))
        start += len(batch)


def _place_format(source: str, end: str = "") -> str:
    """Return the start of an error message, with `{row}` for the row."""
    before, after = (
        text.replace("{", "{{").replace("}", "}}") for text in (source, end)
    )
    return f"{before}: row {{row:,}}{after}"


def _read_labels(
    values: dict[str, list[str]], columns: Columns, place: str, start: int
) -> list[str]:
    """Return the label of each row, or its labels as one text; [] if none is wanted.

    Args:
        values: The values of each column.
        columns: The columns of the label.
        place: The start of an error message, with `{row}` for the row.
        start: The number of rows before these.
    """
    names = columns.label_columns
    if len(names) < 2:
        return values[names[0]] if names else []
    rows = zip(*(values[name] for name in names), strict=True)
    return [
        columns.read_label(row, place.format(row=number)) or ""
        for number, row in enumerate(rows, start + 1)
    ]


def is_list_type(kind: "pa.DataType") -> bool:
    """Return whether a column has lists of texts or of numbers."""
    import pyarrow as pa

    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    is_list = is_list or pa.types.is_fixed_size_list(kind)
    return bool(is_list and not pa.types.is_nested(kind.value_type))


def _join_lists(column: "pa.Array", place: str, start: int) -> list[str]:
    """Return lists of labels as `join_labels` writes them.

    Args:
        column: The lists.
        place: The start of an error message, with `{row}` for the row.
        start: The number of rows before this column.
    """
    return [
        join_items(items or [], place.format(row=row))
        for row, items in enumerate(column.to_pylist(), start + 1)
    ]


def _to_json(column: "pa.Array") -> list[str]:
    """Return lists or structures as JSON; null becomes an empty text."""
    return [
        "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
        for value in column.to_pylist()
    ]


def _join(texts: list[list[str]]) -> list[str]:
    """Join the values of several columns row by row."""
    if len(texts) == 1:
        return texts[0]
    return [" ".join(values) for values in zip(*texts, strict=True)]


def _strings(column: "pa.Array", place: str, start: int) -> list[str]:
    """Return the values of a column as texts; null becomes an empty text.

    Args:
        column: The values.
        place: The start of an error message, with `{row}` for the row.
        start: The number of rows before this column.
    """
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        column = _nan_to_null(column)
    try:
        texts = column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, UnicodeDecodeError):
        values = column.cast(pa.binary()).to_pylist()
        return [
            decode(value or b"", place.format(row=row))
            for row, value in enumerate(values, start + 1)
        ]
    except pa.ArrowNotImplementedError as error:
        raise DataError(
            f"{place.format(row=start + 1)}: expected a text, found {column.type}"
        ) from error
    if column.null_count:
        return [text or "" for text in texts]
    strings: list[str] = texts
    return strings


def _nan_to_null(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa

    values = [None if value != value else value for value in column.to_pylist()]
    return pa.array(values, column.type)
