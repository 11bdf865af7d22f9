"""The format of each file of a folder or a pattern, and of the files beside it.

The files have the same columns, but perhaps in another order, among others, or with
another delimiter or encoding.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rnncls import DataError
from rnncls.data.delimited import read_delimited_records
from rnncls.data.detected import JSONL_ENDINGS
from rnncls.data.encodings import find_encoding, open_text
from rnncls.data.file_sets import data_ending, list_files
from rnncls.data.formats import FileFormat, detect_format, parse_csv

_KINDS_THAT_SAY_ALL = {"folder", "parquet", "excel"}
"""The formats that are the same for each file with the ending."""
_MIN_SHARED_NAMES = 2
"""A text and a label: a row with as many names of columns is a header."""


def list_formats(path: Path, first: FileFormat) -> Iterator[tuple[Path, FileFormat]]:
    """Yield the files of a path, each with its own format.

    Args:
        path: The file, folder or pattern.
        first: The format of the first file.

    Raises:
        DataError: A file cannot be read, or its format is unknown.
    """
    for index, file in enumerate(list_files(path)):
        yield file, format_like(file, first) if index else first


def format_like(path: Path, known: FileFormat) -> FileFormat:
    """Return the format of a file that belongs to another one, whose format is known.

    If the other file has a header, this file has one too. If not, it has none.

    Args:
        path: The file.
        known: The format of the other file, which has the same ending.

    Raises:
        DataError: The file cannot be read, its format is unknown, or it has no header
            and another number of columns.
    """
    if known.kind in _KINDS_THAT_SAY_ALL:
        return known
    similar = replace(known, encoding=find_encoding(path), num_skipped=0)
    if known.kind != "delimited":
        is_known = data_ending(path) in JSONL_ENDINGS or not path.stat().st_size
        return similar if is_known else detect_format(path)
    first_row = _read_first_row(path, similar)
    if known.has_header and first_row == list(known.names):
        return similar
    file_format = detect_format(path)
    if file_format.kind != "delimited":
        return file_format
    if known.has_header:
        return _with_header(path, file_format, known.names)
    return _without_header(path, file_format, known.names)


def _read_first_row(path: Path, file_format: FileFormat) -> list[str]:
    """Return the first row that is not empty; an empty list if there is none."""
    with open_text(path, file_format.encoding) as stream:
        rows: Iterable[list[str]] = parse_csv(
            stream, file_format.delimiter, is_quoted=file_format.is_quoted
        )
        return next(filter(None, rows), [])


def _with_header(
    path: Path, file_format: FileFormat, known_names: Sequence[str]
) -> FileFormat:
    """Return the format, with a header if the first row has names of known columns."""
    if file_format.has_header:
        return file_format
    first_row = next(read_delimited_records(path, file_format), {})
    names = tuple(first_row.values())
    if len(set(names) & set(known_names)) < _MIN_SHARED_NAMES:
        return file_format
    return replace(file_format, has_header=True, names=names)


def _without_header(
    path: Path, file_format: FileFormat, known_names: Sequence[str]
) -> FileFormat:
    """Return the format with the known columns, by their positions.

    Raises:
        DataError: The file has another number of columns.
    """
    num_columns = len(file_format.names)
    if num_columns != len(known_names):
        raise DataError(
            f"{path}: row 1: expected {len(known_names)} columns, as in the first"
            f" file, which has no header, found {num_columns}"
        )
    return replace(file_format, has_header=False, names=tuple(known_names))
