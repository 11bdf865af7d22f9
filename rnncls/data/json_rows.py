"""Reader of JSON lines, and of JSON files that hold a list of objects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data.encodings import iter_lines
from rnncls.data.file_sets import list_files, open_binary
from rnncls.data.formats import FileFormat
from rnncls.data.label_sets import join_items
from rnncls.data.rows import (
    ROW_NUMBER,
    Columns,
    Record,
    Row,
    Rows,
    batch_rows,
    missing_column,
    missing_kept,
    quote_names,
)
from rnncls.data.text_files import decode_lines

_SHOWN_CHARACTERS = 60


def read_jsonl_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """Yield the rows of a UTF-8 file of JSON lines.

    The file is parsed by the standard library: pyarrow knows the number of a wrong line
    at most within its block.

    Raises:
        DataError: The file cannot be read, or a row is wrong.
    """
    with open_binary(path) as stream:
        yield from batch_rows(_iter_rows(stream, str(path), columns))


def _iter_rows(stream: BinaryIO, source: str, columns: Columns) -> Iterator[Row]:
    for number, line in decode_lines(stream, source):
        place = f"{source}: row {number:,}"
        row = _parse_object(line, place, columns)
        text = " ".join(_text_of(row, name, place) for name in columns.text)
        label_values = [
            _label_of(row, name, place, columns) for name in columns.label_columns
        ]
        label = columns.read_label(label_values, place)
        row |= {name: "" for name in columns.may_lack if name not in row}
        kept = tuple(kept_value(row, name, place) for name in columns.kept)
        yield Row(text, label, kept)


def _label_of(row: dict[str, Any], name: str, place: str, columns: Columns) -> str:
    """Return the value of a label column; a list of labels as `join_labels` does."""
    value = row[name]
    if columns.has_several_labels and is_label_list(value):
        return join_items(value, f"{place}: '{name}'")
    if columns.has_several_labels and isinstance(value, dict | list):
        raise DataError(
            f"{place}: '{name}': expected a list of labels, such as"
            f' ["joy", "love"], found {shorten(_dump(value))}'
        )
    return _text_of(row, name, place)


def is_label_list(value: object) -> bool:
    """Return whether a value of JSON is a list of texts, numbers or null."""
    if not isinstance(value, list):
        return False
    return all(isinstance(item, str | int | float | None) for item in value)


def kept_value(row: dict[str, Any], name: str, place: str) -> str:
    """Return the value of a kept column; an empty text for the number of the row.

    Lists and objects are written as JSON.

    Raises:
        DataError: The row has no such key, or its value is not valid Unicode.
    """
    if name in row:
        if isinstance(row[name], dict | list):
            return json.dumps(row[name], ensure_ascii=False)
        return _text_of(row, name, place)
    if name == ROW_NUMBER:
        return ""
    raise missing_kept(place, name, list(row))


def _parse_object(line: str, place: str, columns: Columns) -> dict[str, Any]:
    """Return the object of a line that has all wanted keys."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{place}: not valid JSON: {shorten(line) or 'an empty line'}"
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{place}: expected an object with {quote_names(columns.wanted)}:"
            f" {shorten(line)}"
        )
    for name in columns.wanted:
        if name not in row:
            raise missing_column(place, name, list(row), columns)
    return row


def _text_of(row: dict[str, Any], name: str, place: str) -> str:
    """Return the value of a key as a text."""
    value = row[name]
    if isinstance(value, dict | list):
        raise DataError(
            f"{place}: '{name}': expected a text, found {shorten(_dump(value))}"
        )
    text = _to_text(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{place}: '{name}': not valid Unicode: a lone surrogate at character"
            f" {error.start + 1}"
        ) from error
    return text


def _to_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _dump(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        # Nested just not too deep to be parsed, but too deep to be written.
        return "a deep " + type(value).__name__


def read_jsonl_records(
    path: Path, file_format: FileFormat, *, with_sets: bool = False
) -> Iterator[Record]:
    """Yield the rows of a file of JSON lines; lists and objects are left out.

    With `with_sets`, a list of texts is kept, as `join_labels` writes it.

    Raises:
        DataError: A row is wrong.
    """
    lines = iter_lines(path, file_format.encoding)
    for number, line in enumerate(lines, start=1):
        place = f"{path}: row {number:,}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            shown = line.strip()[:_SHOWN_CHARACTERS] or "an empty line"
            raise DataError(f"{place}: not valid JSON: {shown}") from error
        yield _to_record(row, place, with_sets=with_sets)


def read_json_records(
    path: Path, file_format: FileFormat, *, with_sets: bool = False
) -> Iterator[Record]:
    """Yield the objects of a file that holds a list; nested values are left out.

    With `with_sets`, a list of texts is kept, as `join_labels` writes it.

    Raises:
        DataError: The file is not a list of objects.
    """
    content = "".join(iter_lines(path, file_format.encoding))
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(document, list):
        raise DataError(
            f"{path}: expected a list of objects, each with a text and its class, or"
            " one object per line"
        )
    for number, row in enumerate(document, start=1):
        yield _to_record(row, f"{path}: row {number:,}", with_sets=with_sets)


def _to_record(row: object, place: str, *, with_sets: bool) -> Record:
    if not isinstance(row, dict):
        raise DataError(f"{place}: expected an object with a text and its class")
    record = {}
    for name, value in row.items():
        if with_sets and is_label_list(value):
            record[name] = join_items(value, f"{place}: '{name}'")
        elif not isinstance(value, dict | list):
            record[name] = _to_text(value)
    return record


def list_nested_columns(path: Path) -> list[str]:
    """Return the keys of the first line of JSON whose values are lists or objects.

    Empty for other files.
    """
    try:
        with open_binary(list_files(path)[0]) as stream:
            row = json.loads(stream.readline())
    except (OSError, ValueError, RecursionError, DataError):
        return []
    if not isinstance(row, dict):
        return []
    return [name for name, value in row.items() if isinstance(value, dict | list)]
