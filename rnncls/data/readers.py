"""Readers of data files, as a stream of rows.

There are two ways to read. `read_rows` reads what training can read, only the columns
asked for, and checks each text and label. `read_records` reads files of every format
that `rnncls init` detects, all columns, to look at them or to convert them. The reader
of a format is in one module: `delimited`, `json_rows`, `parquet`, `text_files`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data.delimited import (
    DELIMITER_OF_ENDING,
    read_delimited_records,
    read_delimited_rows,
)
from rnncls.data.detected import (
    JSONL_ENDINGS,
    KINDS_WITHOUT_COLUMNS,
    PARQUET_ENDING,
    find_other_format,
    read_detected_rows,
)
from rnncls.data.excel import read_excel_records
from rnncls.data.file_sets import (
    data_ending,
    is_compressed,
    list_files,
    missing_file,
    open_binary,
)
from rnncls.data.formats import FileFormat
from rnncls.data.json_rows import (
    read_json_records,
    read_jsonl_records,
    read_jsonl_rows,
)
from rnncls.data.missing_labels import check_flags, check_labels, skip_empty_end
from rnncls.data.parquet import (
    count_parquet_rows,
    read_parquet_records,
    read_parquet_rows,
)
from rnncls.data.rows import ROW_NUMBER, Columns, Record, Rows
from rnncls.data.set_formats import list_formats
from rnncls.data.text_files import (
    read_fasttext_records,
    read_fasttext_sets,
    read_fasttext_texts,
    read_folder_records,
    read_line_records,
    read_lines,
)

_BLOCK_BYTES = 1 << 20


def read_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """Yield the rows of a file, or of a folder or pattern of files, in order.

    A .csv, .tsv, .jsonl or .parquet file is read as its ending says, and any other file
    as delimited if `columns` gives a delimiter. If the file has another format, such as
    another delimiter or encoding, and the wanted columns, it is read in that format.
    Otherwise each line is a text without a label.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong.
    """
    for file in list_files(path):
        rows = _read_file(file, columns)
        if columns.allows_unlabelled:
            rows = skip_empty_end(rows, str(file))
        elif isinstance(columns.label, str):
            rows = check_labels(rows, str(file), columns.label)
        elif len(columns.label_columns) > 1:
            rows = check_flags(rows, str(file), columns.label_columns)
        elif columns.has_several_labels:
            rows = skip_empty_end(rows, str(file))
        yield from rows


def _read_file(path: Path, columns: Columns) -> Iterator[Rows]:
    try:
        file_format = find_other_format(path, columns)
        if file_format is None:
            yield from _read_by_ending(path, columns)
            return
        records = read_records(path, file_format, with_sets=columns.has_several_labels)
        if file_format.kind == "fasttext" and columns.label is None:
            records = read_fasttext_texts(path, file_format)
        yield from read_detected_rows(path, columns, file_format, records)
    except FileNotFoundError as error:
        raise missing_file(path) from error
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
    ending = data_ending(path)
    if ending == PARQUET_ENDING:
        yield from read_parquet_rows(path, columns)
    elif ending in JSONL_ENDINGS:
        yield from read_jsonl_rows(path, columns)
    elif ending in DELIMITER_OF_ENDING or columns.delimiter:
        yield from read_delimited_rows(path, columns)
    elif columns.label is None:
        _refuse_columns(path, columns)
        with open_binary(path) as stream:
            yield from read_lines(stream, str(path))
    else:
        raise DataError(
            f"{path}: unknown file format: expected .csv, .tsv, .jsonl or .parquet:"
            " rename the file, or before the training set data.delimiter or let 'rnncls"
            f" init {path}' detect it"
        )


def has_columns(path: Path, columns: Columns) -> bool:
    """Return whether `read_rows` reads texts from named columns of a file.

    If not, each line is a text. Of a folder or a pattern, the first file decides.

    Raises:
        DataError: The file has no wanted column, or a folder has no data file.
        OSError: The file cannot be read.
    """
    file = list_files(path)[0]
    file_format = find_other_format(file, columns)
    if file_format is not None:
        return file_format.kind not in KINDS_WITHOUT_COLUMNS
    table_endings = {PARQUET_ENDING, *JSONL_ENDINGS, *DELIMITER_OF_ENDING}
    return data_ending(file) in table_endings or columns.delimiter is not None


def _refuse_columns(path: Path, columns: Columns) -> None:
    """Check that no column of a file with one text per line was asked for."""
    named_texts = columns.text if columns.must_be_table else ()
    for name in (*named_texts, *columns.kept):
        if name != ROW_NUMBER:
            raise DataError(
                f"{path}: has one text per line and no column '{name}': name another"
                " file, or the form with --format csv or --format jsonl"
            )


def read_records(
    path: Path, file_format: FileFormat, *, with_sets: bool = False
) -> Iterator[Record]:
    """Yield the rows of a file of any format, all values as texts.

    Each file of a folder or a pattern is read in its own format.

    Args:
        path: The file, folder or pattern.
        file_format: The format of the first file.
        with_sets: Whether a list of texts is a value too, as `join_labels` writes it,
            and a fastText line may have several labels or none.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    for file, own_format in list_formats(path, file_format):
        yield from read_file_records(file, own_format, with_sets=with_sets)


def read_file_records(
    path: Path, file_format: FileFormat, *, with_sets: bool = False
) -> Iterator[Record]:
    """Yield the rows of one file, or of a folder per class, as `read_records` does."""
    match file_format.kind:
        case "folder":
            return read_folder_records(path)
        case "parquet":
            return read_parquet_records(path, with_sets=with_sets)
        case "excel":
            return read_excel_records(path)
    return _read_text_records(path, file_format, with_sets=with_sets)


def _read_text_records(
    path: Path, file_format: FileFormat, *, with_sets: bool
) -> Iterator[Record]:
    match file_format.kind:
        case "json":
            return read_json_records(path, file_format, with_sets=with_sets)
        case "jsonl":
            return read_jsonl_records(path, file_format, with_sets=with_sets)
        case "fasttext" if with_sets:
            return read_fasttext_sets(path, file_format)
        case "fasttext":
            return read_fasttext_records(path, file_format)
        case "lines":
            return read_line_records(path, file_format)
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
            is_inside = start <= row < end
            if is_inside:
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
        counts = [_count_rows_of_file(file) for file in list_files(path)]
    except (OSError, ValueError, DataError):
        return None  # the reader will raise a clear error
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _count_rows_of_file(path: Path) -> int | None:
    if not path.is_file() or is_compressed(path):
        return None
    if path.suffix.lower() == PARQUET_ENDING:
        return count_parquet_rows(path)
    return _count_line_ends(path)


def _count_line_ends(path: Path) -> int:
    count = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            count += block.count(b"\n")
    return count
