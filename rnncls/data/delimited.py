"""Reader of delimited files: CSV, TSV and the like."""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data.arrow import (
    explain_csv_error,
    is_empty_file,
    is_row_too_long,
    rows_of_batches,
)
from rnncls.data.encodings import iter_lines, open_text
from rnncls.data.file_sets import data_ending, is_compressed, open_binary
from rnncls.data.formats import FileFormat, parse_csv
from rnncls.data.rows import Columns, Record, Rows, check_columns

DELIMITER_OF_ENDING = {".csv": ",", ".tsv": "\t"}
BLOCK_BYTES = 32 << 20
"""A row may not be longer than this."""
_LINES_COUNTED = 100
_LINES_CHECKED, _MAX_LINES_CHECKED = 500, 100_000
"""A row may continue after the first 500 lines."""
_SHARE_ALIKE = 0.9
"""The share of rows with the same number of fields in a table."""
_SUSPICIOUS_CHARACTERS = 131_072
"""From this length on, a field is checked for several rows in it."""


def read_delimited_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """Yield the rows of a UTF-8 file.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    delimiter = columns.delimiter or DELIMITER_OF_ENDING[data_ending(path)]
    first = _read_first_row(path, delimiter)
    has_header = _find_header(path, columns, delimiter, first.values)
    is_single_column = len(first.values) == 1
    # With several columns, pyarrow does not count empty lines.
    num_empty = first.num_empty if is_single_column else 0
    names = first.values if has_header else list(columns.positions)
    options = _csv_options(
        columns.names_to_read(names, str(path)),
        None if has_header else names,
        delimiter,
        num_empty=num_empty,
        is_single_column=is_single_column,
    )
    num_rows = 0
    try:
        source = open_binary(path) if is_compressed(path) else path
        reader = pa_csv.open_csv(source, **options)
        for rows in rows_of_batches(reader, str(path), columns):
            if delimiter == "\t":
                _refuse_swallowed_lines(rows.texts, str(path), num_rows)
            num_rows += len(rows.texts)
            yield rows
    except pa.ArrowInvalid as error:
        if is_empty_file(error):
            return
        if is_row_too_long(error):
            raise DataError(
                f"{path}: after row {num_rows:,}: a row is longer than"
                f" {BLOCK_BYTES:,} bytes: is a quotation mark not closed?"
            ) from error
        message = explain_csv_error(path, error, num_empty + has_header)
        raise DataError(message) from error
    except pa.ArrowKeyError as error:
        raise DataError(
            f"{path}: the header cannot be read: is it UTF-8? {shorten(str(error))}"
        ) from error


def _csv_options(
    names_to_read: list[str],
    all_names: list[str] | None,
    delimiter: str,
    *,
    num_empty: int,
    is_single_column: bool,
) -> dict[str, Any]:
    """Return the options of pyarrow's CSV reader.

    In a file of one column, an empty line is an empty text, except for the first
    `num_empty` ones; in other files, empty lines are ignored. `all_names` are those of
    a file without a header.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    read_options = pa_csv.ReadOptions(
        use_threads=False,  # so that the number of a wrong row is known
        block_size=BLOCK_BYTES,
        column_names=all_names,
        skip_rows=num_empty,
    )
    parse_options = pa_csv.ParseOptions(
        delimiter=delimiter,
        newlines_in_values=True,
        ignore_empty_lines=not is_single_column,
    )
    # Values are decoded later, so that a byte that is not UTF-8 has a row.
    column_types = dict.fromkeys(names_to_read, pa.binary())
    convert_options = pa_csv.ConvertOptions(
        include_columns=names_to_read,
        column_types=column_types,
        strings_can_be_null=False,
    )
    return {
        "read_options": read_options,
        "parse_options": parse_options,
        "convert_options": convert_options,
    }


class _FirstRow(NamedTuple):
    """The first row that is not empty, and how many empty ones come before it."""

    num_empty: int
    values: list[str]


def _read_first_row(path: Path, delimiter: str) -> _FirstRow:
    _refuse_utf16(path)
    with open_text(path, "utf-8") as stream:
        try:
            for num_empty, values in enumerate(parse_csv(stream, delimiter)):
                if values:
                    return _FirstRow(num_empty, values)
        except csv.Error as error:
            raise DataError(f"{path}: row 1: {error}") from error
    raise DataError(f"{path}: is empty: expected rows of delimited text")


def _refuse_utf16(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            raise DataError(
                f"{path}: is UTF-16: save it as UTF-8, or let 'rnncls init {path}'"
                " convert it"
            )


def has_configured_form(path: Path, columns: Columns) -> bool:
    """Return whether the first row of a file is as the config says.

    It is if it is a header with the wanted columns, or if it has as many fields as
    there are `positions`.
    """
    delimiter = columns.delimiter or DELIMITER_OF_ENDING[data_ending(path)]
    with open_text(path, "utf-8") as stream:
        first: list[str] = next(filter(None, parse_csv(stream, delimiter)), [])
    has_width = len(first) > 1 and len(first) == len(columns.positions)
    return has_width or set(columns.wanted) <= set(first)


def has_even_rows(path: Path, columns: Columns) -> bool:
    """Return whether the first rows of a file have the same number of fields."""
    delimiter = columns.delimiter or DELIMITER_OF_ENDING[data_ending(path)]
    widths = set()
    with open_text(path, "utf-8") as stream:
        rows = parse_csv(islice(stream, _MAX_LINES_CHECKED), delimiter)
        try:
            for row in rows:
                if row:
                    widths.add(len(row))
                if rows.line_num >= _LINES_CHECKED:
                    break
        except csv.Error:
            return False
    return len(widths) <= 1


def looks_delimited(path: Path, columns: Columns, encoding: str) -> bool:
    """Return whether a file with a configured delimiter is a table, not lines of text.

    It is a table if its first row is a header with the wanted columns, if that row
    begins with a class and has as many fields as there are `positions`, or if there
    are several rows and nearly all have the same number of fields.
    """
    delimiter = columns.delimiter or ","
    with open_text(path, encoding) as stream:
        try:
            parsed = parse_csv(islice(stream, _LINES_COUNTED), delimiter)
            rows: list[list[str]] = list(filter(None, parsed))
        except csv.Error:
            return False
    first = rows[0] if rows else []
    if set(columns.wanted) <= set(first):
        return True
    if len(first) == len(columns.positions) and first[0] in columns.classes:
        return True
    widths = Counter(map(len, rows))
    width, count = widths.most_common(1)[0] if rows else (0, 0)
    is_alike = count >= _SHARE_ALIKE * len(rows)
    return len(rows) > 1 and width > 1 and is_alike


def _find_header(
    path: Path, columns: Columns, delimiter: str, first: Sequence[str]
) -> bool:
    """Return whether the first row is a header.

    Raises:
        DataError: A header is needed and lacks a column or has one twice, or the first
            row of a file without a header has another number of fields than expected.
    """
    if not columns.positions or set(columns.wanted) <= set(first):
        check_columns(path, columns, first)
        return True
    if columns.label is None and columns.classes and first[0] not in columns.classes:
        check_columns(path, columns, first)
    if len(first) != len(columns.positions):
        raise DataError(
            f"{path}: row 1: expected {len(columns.positions)} columns"
            f" ({', '.join(columns.positions)}) or a header that names them, found"
            f" {len(first)}: {shorten(delimiter.join(first))}"
        )
    return False


def _refuse_swallowed_lines(texts: Sequence[str], source: str, start: int) -> None:
    """Check that no quotation mark in a .tsv file made one field of several rows.

    In such files quotation marks are often plain characters.
    """
    for row, text in enumerate(texts, start + 1):
        if "\t" in text and "\n" in text:
            raise DataError(
                f"{source}: row {row:,}: a field continues over several lines: is a"
                ' quotation mark not closed? In .tsv too, a " at the start of a field'
                ' opens a quoted field, and a " inside it is written ""'
            )


def _refuse_swallowed_rows(
    row: Sequence[str], path: Path, file_format: FileFormat, line_number: int
) -> None:
    """Check that no quotation mark that is not closed made one field of many rows.

    Most lines of such a field have as many delimiters as a row.
    """
    longest = max(row, key=len)
    if len(longest) < _SUSPICIOUS_CHARACTERS:
        return
    lines = longest.splitlines()
    num_delimiters = len(file_format.names) - 1
    counts = [line.count(file_format.delimiter) for line in lines]
    if len(lines) > 1 and 2 * counts.count(num_delimiters) > len(lines):
        raise DataError(
            f"{path}: line {line_number:,}: a field continues over {len(lines):,}"
            " lines: is a quotation mark not closed?"
        )


def read_delimited_records(path: Path, file_format: FileFormat) -> Iterator[Record]:
    """Yield the rows of a file of any encoding; missing values at the end are left out.

    Raises:
        DataError: The file cannot be parsed.
    """
    lines = iter_lines(path, file_format.encoding)
    lines = islice(lines, file_format.num_skipped, None)
    rows = parse_csv(lines, file_format.delimiter, is_quoted=file_format.is_quoted)
    is_header = file_format.has_header
    try:
        for row in filter(None, rows):
            _refuse_swallowed_rows(row, path, file_format, rows.line_num)
            if not is_header:
                yield dict(zip(file_format.names, row, strict=False))
            is_header = False
    except csv.Error as error:
        raise DataError(
            f"{path}: line {rows.line_num:,}: {error}: is a quotation mark not closed?"
        ) from error
