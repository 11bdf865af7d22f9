"""Rows of files that have another format than the config says.

A run is trained on one format, but people also predict and evaluate the files that
`rnncls init` has converted for it: another delimiter or encoding, fastText, Excel.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from rnncls import DataError
from rnncls.data.delimited import (
    DELIMITER_OF_ENDING,
    has_configured_form,
    has_even_rows,
    looks_delimited,
    read_delimited_records,
)
from rnncls.data.encodings import find_certain_encoding
from rnncls.data.file_sets import data_ending, list_files
from rnncls.data.formats import (
    DELIMITERS,
    EXCEL_ENDINGS,
    FileFormat,
    detect_format,
)
from rnncls.data.rows import (
    Columns,
    Record,
    Row,
    Rows,
    batch_rows,
    check_columns,
    missing_column,
)
from rnncls.data.text_files import LABEL, TEXT

logger = logging.getLogger(__name__)

JSONL_ENDINGS = {".jsonl", ".ndjson"}
PARQUET_ENDING = ".parquet"
KINDS_WITHOUT_COLUMNS = {"fasttext", "folder", "lines"}
"""The formats that have a text and perhaps a label, but no names of columns."""


def find_other_format(path: Path, columns: Columns) -> FileFormat | None:
    """Return the format of a file that the config does not describe; None if it does.

    None is also returned if no format fits: the reader will raise a clear error.

    Raises:
        OSError: The file cannot be read.
    """
    ending = data_ending(path)
    if path.is_dir():
        return FileFormat("folder")
    if not path.is_file() or ending == PARQUET_ENDING:
        return None
    if ending in EXCEL_ENDINGS:
        return FileFormat("excel")
    encoding = find_certain_encoding(path)
    if ending in JSONL_ENDINGS:
        return FileFormat("jsonl", encoding) if encoding != "utf-8" else None
    return _find_other_text_format(path, columns, encoding)


def _find_other_text_format(
    path: Path, columns: Columns, encoding: str
) -> FileFormat | None:
    """Return the format of a delimited file or of one with another ending, or None."""
    has_ending = data_ending(path) in DELIMITER_OF_ENDING
    is_delimited = has_ending or columns.delimiter is not None
    may_be_lines = not has_ending and columns.label is None
    if may_be_lines and is_delimited:
        is_delimited = looks_delimited(path, columns, encoding)
    is_utf8 = encoding == "utf-8"
    if is_delimited and is_utf8 and has_configured_form(path, columns):
        return _detect_plain_quotes(path, columns)
    file_format = _detect(path, columns, is_delimited=is_delimited)
    if file_format is not None:
        return replace(file_format, encoding=encoding)
    is_read_as_lines = is_utf8 and columns.delimiter is None
    if may_be_lines and not is_delimited and not is_read_as_lines:
        return FileFormat("lines", encoding)
    return None


def _detect_plain_quotes(path: Path, columns: Columns) -> FileFormat | None:
    """Return the format of a file whose quotation marks quote nothing; None otherwise.

    Such a file has rows of different widths if they are taken to quote. Rows with
    labels are read only if they are quoted correctly: the reader names the wrong row.
    """
    if columns.label is not None or has_even_rows(path, columns):
        return None
    try:
        file_format = detect_format(path, columns.wanted)
    except DataError:
        return None
    names = set(file_format.names)
    is_plain = file_format.kind == "delimited" and not file_format.is_quoted
    return file_format if is_plain and set(columns.wanted) <= names else None


def _detect(path: Path, columns: Columns, *, is_delimited: bool) -> FileFormat | None:
    """Return a format in which the file has the wanted columns, or None.

    Raises:
        DataError: A delimited file has a header that lacks a column.
    """
    try:
        file_format = detect_format(path, columns.wanted)
    except DataError:
        return None
    if file_format.kind != "delimited":
        return file_format if _may_be(file_format, path, columns) else None
    names = file_format.names
    if set(columns.wanted) <= set(names):
        return file_format
    if len(names) == len(columns.positions):
        headerless = replace(file_format, has_header=False, names=columns.positions)
        if is_delimited or _starts_with_a_class(path, headerless, columns):
            return headerless
    if is_delimited and file_format.has_header and not columns.positions:
        check_columns(path, columns, names)
    return None


def _starts_with_a_class(path: Path, file_format: FileFormat, columns: Columns) -> bool:
    """Return whether the first field of a file without a header may be a class.

    It may if the classes are not known. Lines of text may have as many commas as a
    table.
    """
    if not columns.classes:
        return True
    first = next(read_delimited_records(path, file_format), {})
    return first.get(file_format.names[0]) in columns.classes


def _may_be(file_format: FileFormat, path: Path, columns: Columns) -> bool:
    """Return whether a file is of a format: each line of other files is a text."""
    if file_format.kind != "jsonl" or data_ending(path) == ".json":
        return True
    return columns.label is not None or columns.delimiter is not None


def describe_format(file_format: FileFormat) -> str:
    """Return the format in words, for a note."""
    kinds = {
        "fasttext": "fastText lines",
        "folder": "a folder per class",
        "excel": "an Excel sheet",
        "jsonl": "JSON lines",
        "json": "a JSON list",
        "lines": "one text per line",
        "parquet": "a Parquet file",
    }
    words = kinds.get(file_format.kind, "")
    if file_format.kind == "delimited":
        words = f"{DELIMITERS[file_format.delimiter]}-delimited"
        if not file_format.is_quoted:
            words += (
                " (a quotation mark is never closed: all were read as ordinary"
                " characters)"
            )
    if file_format.encoding != "utf-8":
        words += f", encoding {file_format.encoding}"
    return words


def read_detected_rows(
    path: Path, columns: Columns, file_format: FileFormat, records: Iterable[Record]
) -> Iterator[Rows]:
    """Yield the rows of a file of another format than the config says.

    Args:
        path: The file.
        columns: The columns to read. A format without columns has a text and a label.
        file_format: The format of the file.
        records: The rows of the file, as texts.

    Raises:
        DataError: The file lacks a column, or a row is wrong.
    """
    _note_file(path, file_format)
    if file_format.kind in KINDS_WITHOUT_COLUMNS:
        label: str | tuple[str, ...] | None = None
        if columns.label is not None:
            label = (LABEL,) if columns.has_several_labels else LABEL
        columns = Columns((TEXT,), label, kept=columns.kept)
    yield from batch_rows(_iter_rows(records, path, columns))


def note_detected_formats(path: Path, columns: Columns) -> None:
    """Log how the files that the config does not describe were read before.

    Raises:
        DataError: A file lacks a column.
        OSError: A file cannot be read.
    """
    for file in list_files(path):
        file_format = find_other_format(file, columns)
        if file_format is not None:
            _note_file(file, file_format)


def _note_file(path: Path, file_format: FileFormat) -> None:
    stat = path.stat()
    file = (path.resolve(), stat.st_mtime_ns, stat.st_size)
    _note_format(str(path), describe_format(file_format), file)


@lru_cache(maxsize=64)
def _note_format(path: str, description: str, _file: tuple[Path, int, int]) -> None:
    """Log how a file is read; once, although a command may read it several times."""
    logger.info("%s: read as %s", path, description)


def _iter_rows(
    records: Iterable[Record], path: Path, columns: Columns
) -> Iterator[Row]:
    for number, record in enumerate(records, start=1):
        if number == 1:
            _check_names(record, path, columns)
        text = " ".join(record.get(name, "") for name in columns.text)
        label_values = [record.get(name, "") for name in columns.label_columns]
        label = columns.read_label(label_values, f"{path}: row {number:,}")
        kept = tuple(record.get(name, "") for name in columns.kept)
        yield Row(text, label, kept)


def _check_names(record: Record, path: Path, columns: Columns) -> None:
    for name in columns.wanted:
        if name not in record:
            raise missing_column(str(path), name, list(record), columns)
    columns.names_to_read(list(record), str(path))
