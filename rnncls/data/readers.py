"""Readers of data files, as a stream of rows.

There are two ways to read. `read_rows` reads what training can read, only the columns
asked for, and checks each text and label. `read_records` reads files of every format
that `rnncls init` detects, all columns, to look at them or to convert them. The reader
of a format is in one module: `delimited`, `json_rows`, `parquet`, `text_files`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnncls import DataError
from rnncls.data.delimited import (
    DELIMITER_OF_ENDING,
    read_delimited_records,
    read_delimited_rows,
)
from rnncls.data.formats import FileFormat
from rnncls.data.json_rows import (
    read_json_records,
    read_jsonl_records,
    read_jsonl_rows,
)
from rnncls.data.parquet import (
    count_parquet_rows,
    read_parquet_records,
    read_parquet_rows,
)
from rnncls.data.rows import Columns, Record, Rows, shorten
from rnncls.data.text_files import (
    read_fasttext_records,
    read_folder_records,
    read_lines,
)

_JSONL_ENDINGS = {".jsonl", ".ndjson"}
_PARQUET_ENDING = ".parquet"
_BLOCK_BYTES = 1 << 20


def read_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """Yield the rows of a .csv, .tsv, .jsonl or .parquet file, in order.

    A file with another ending is read as delimited if `columns` gives a delimiter;
    otherwise each line is a text without a label.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong.
    """
    try:
        yield from _read_by_ending(path, columns)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except UnicodeEncodeError as error:
        raise DataError(
            f"{str(path)!a}: pyarrow cannot open a file whose name is not UTF-8:"
            " rename it"
        ) from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {shorten(error.strerror or str(error))}"
        ) from error


def _read_by_ending(path: Path, columns: Columns) -> Iterator[Rows]:
    ending = path.suffix.lower()
    if ending == _PARQUET_ENDING:
        yield from read_parquet_rows(path, columns)
    elif ending in _JSONL_ENDINGS:
        yield from read_jsonl_rows(path, columns)
    elif ending in DELIMITER_OF_ENDING or columns.delimiter:
        yield from read_delimited_rows(path, columns)
    elif columns.label is None:
        with path.open("rb") as stream:
            yield from read_lines(stream, str(path))
    else:
        raise DataError(
            f"{path}: unknown file format: expected .csv, .tsv, .jsonl or .parquet; set"
            f" data.delimiter, or let 'rnncls init {path}' detect it"
        )


def read_records(path: Path, file_format: FileFormat) -> Iterator[Record]:
    """Yield the rows of a file of any format, all values as texts.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    match file_format.kind:
        case "folder":
            return read_folder_records(path)
        case "parquet":
            return read_parquet_records(path)
        case "json":
            return read_json_records(path, file_format)
        case "jsonl":
            return read_jsonl_records(path, file_format)
        case "fasttext":
            return read_fasttext_records(path, file_format)
        case "delimited":
            return read_delimited_records(path, file_format)


def find_texts(path: Path, columns: Columns, rows: Sequence[int]) -> list[str]:
    """Return the texts of the rows with these numbers, from 0.

    Raises:
        DataError: The file cannot be read, lacks a column, a row is wrong, or the file
            has too few rows.
    """
    wanted = set(rows)
    if not wanted:
        return []
    texts: dict[int, str] = {}
    start = 0
    for chunk in read_rows(path, columns):
        end = start + len(chunk.texts)
        for row in wanted:
            if start <= row < end:
                texts[row] = chunk.texts[row - start]
        start = end
        if len(texts) == len(wanted):
            return [texts[row] for row in rows]
    raise DataError(
        f"{path}: has {start:,} rows, fewer than before: the file was changed"
    )


def count_rows(path: Path) -> int | None:
    """Return about how many rows a file has; None if it cannot be told.

    Line ends are counted, so that quoted fields with line ends make the number too
    large. It is good enough for a progress bar.
    """
    try:
        if not path.is_file():
            return None
        if path.suffix.lower() == _PARQUET_ENDING:
            return count_parquet_rows(path)
        return _count_line_ends(path)
    except (OSError, ValueError):
        return None  # the reader will raise a clear error


def _count_line_ends(path: Path) -> int:
    count = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            count += block.count(b"\n")
    return count
