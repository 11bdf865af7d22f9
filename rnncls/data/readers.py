"""From files to rows: CSV, TSV, JSON lines, Parquet and plain lines, read as a stream.

Every reader yields `Rows` in the order of the file, checks each text and label, and
names the file and the row of the first thing that is wrong. Rows are counted from 1,
the header left out.
"""

import codecs
import csv
import difflib
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rnncls import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_CSV_BLOCK_BYTES = 32 << 20
"""A row may be no longer than this."""
_ROWS_AT_ONCE = 8192
_MISFIT = re.compile(
    r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", re.DOTALL
)
_BYTES_AT_ONCE = 1 << 16
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_OTHER_FORMS = {".jsonl", ".ndjson", ".parquet"}


@dataclass(frozen=True)
class Columns:
    """Which columns of a file to read.

    Attributes:
        text: Names of the columns that make up the text, joined with one space.
        label: Name of the column of the class, or None where no label is wanted.
        positions: Column names of a file without a header, in its order; empty where
            files must have a header.
        classes: What the first of `positions` may hold; by it a file to predict is
            known to have no header.
        delimiter: What stands between the columns of a file of any ending; None: what
            its ending says.
    """

    text: tuple[str, ...]
    label: str | None
    positions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    delimiter: str | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns to read, the label last."""
        return self.text if self.label is None else (*self.text, self.label)


@dataclass(frozen=True)
class Rows:
    """Some consecutive rows of a file.

    Attributes:
        texts: One text a row.
        labels: One label a row, none of them empty; an empty list where no label was
            wanted.
    """

    texts: list[str]
    labels: list[str]


def read_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """Yield the rows of a .csv, .tsv, .jsonl or .parquet file, or the lines of any
    other
    file as texts.

    With a delimiter, any other file is one of delimited rows.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in _DELIMITERS or (columns.delimiter and suffix not in _OTHER_FORMS):
            yield from _read_delimited(path, columns)
        elif suffix == ".parquet":
            yield from _read_parquet(path, columns)
        elif suffix in _OTHER_FORMS:
            with path.open("rb") as stream:
                yield from _read_jsonl(stream, str(path), columns)
        elif columns.label is None:
            with path.open("rb") as stream:
                yield from read_lines(stream, str(path))
        else:
            raise DataError(
                f"{path}: cannot tell its form: expected .csv, .tsv, .jsonl or"
                f" .parquet; set data.delimiter, or let 'rnncls init {path}' find out"
            )
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except UnicodeEncodeError as error:
        raise DataError(
            f"{str(path)!a}: pyarrow cannot open a file whose name is not UTF-8:"
            " rename it"
        ) from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {_shorten(error.strerror or str(error))}"
        ) from error


def find_texts(path: Path, columns: Columns, rows: Sequence[int]) -> list[str]:
    """Return the texts of the rows with these numbers, from 0, of a file that has so
    many.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong.
    """
    wanted, place = set(rows), 0
    found: dict[int, str] = {}
    for chunk in read_rows(path, columns) if wanted else ():
        found |= {
            number: chunk.texts[number - place]
            for number in wanted
            if 0 <= number - place < len(chunk.texts)
        }
        place += len(chunk.texts)
        if len(found) == len(wanted):
            break
    if len(found) < len(wanted):
        raise DataError(
            f"{path}: has {place:,} rows, fewer than before: it has been changed"
            " meanwhile"
        )
    return [found[number] for number in rows]


def count_rows(path: Path) -> int | None:
    """Return about how many rows a file has, for a bar's estimate of the time left;
    None
    where nobody can tell.

    Line ends are counted: a quoted field with line ends in it makes the figure too
    large.
    """
    try:
        if not path.is_file():
            return None
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pa_parquet

            return int(pa_parquet.read_metadata(path).num_rows)
        with path.open("rb") as stream:
            return sum(
                block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")
            )
    except (OSError, ValueError):
        return None  # whoever reads it will say why


def read_lines(stream: BinaryIO, source: str) -> Iterator[Rows]:
    """Yield each line of `stream` as one text."""
    texts: list[str] = []
    for _, line in _decoded_lines(stream, source):
        texts.append(line.rstrip("\r\n"))
        if len(texts) == _ROWS_AT_ONCE:
            yield Rows(texts, [])
            texts = []
    if texts:
        yield Rows(texts, [])


def read_pieces(stream: io.BufferedIOBase, source: str) -> Iterator[str]:
    """Yield what a stream brings as soon as it is there, cut anywhere.

    Raises:
        DataError: A byte is no UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    row = 1
    while True:
        data = stream.read1(_BYTES_AT_ONCE)
        try:
            piece = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            row += error.object[: error.start].count(b"\n")
            raise DataError(
                f"{source}: row {row}: not UTF-8: {error.reason}"
            ) from error
        if not data:
            return
        row += piece.count("\n")
        yield piece


def _decoded_lines(stream: BinaryIO, source: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(stream, start=1):
        yield (
            number,
            _decode(
                line.removeprefix(codecs.BOM_UTF8) if number == 1 else line,
                f"{source}: row {number}",
            ),
        )


def _read_jsonl(stream: BinaryIO, source: str, columns: Columns) -> Iterator[Rows]:
    # The standard library, not pyarrow: pyarrow tells a wrong line's number only within
    # its block, if at all.
    texts: list[str] = []
    labels: list[str] = []
    for number, line in _decoded_lines(stream, source):
        values = _parse_json_row(line, source, number, columns)
        texts.append(" ".join(values[: len(columns.text)]))
        labels += values[len(columns.text) :]
        if len(texts) == _ROWS_AT_ONCE:
            yield Rows(texts, labels)
            texts, labels = [], []
    if texts:
        yield Rows(texts, labels)


def _parse_json_row(line: str, source: str, number: int, columns: Columns) -> list[str]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{source}: row {number}: not valid JSON:"
            f" {_shorten(line) or 'an empty line'}"
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{source}: row {number}: expected an object with {_names(columns.wanted)}:"
            f" {_shorten(line)}"
        )
    for name in columns.wanted:
        if name not in row:
            raise _missing_column(f"{source}: row {number}", name, list(row))
    values = [
        _json_text(row[name], f"{source}: row {number}: '{name}'")
        for name in columns.wanted
    ]
    if columns.label is not None and not values[-1].strip():
        raise _missing_label(source, number, columns.label)
    return values


def _json_text(value: object, place: str) -> str:
    if isinstance(value, dict | list):
        raise DataError(f"{place}: expected a text, found {_shorten(_dumps(value))}")
    text = (
        value if isinstance(value, str) else "" if value is None else json.dumps(value)
    )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{place}: not valid Unicode: a lone surrogate at character"
            f" {error.start + 1}"
        ) from error
    return text


def _dumps(value: object) -> str:
    try:
        return json.dumps(value)
    except (
        RecursionError
    ):  # nested nearly too deep to be read, and then too deep to be written
        return "a deep " + type(value).__name__


def _read_delimited(path: Path, columns: Columns) -> Iterator[Rows]:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    delimiter = columns.delimiter or _DELIMITERS[path.suffix.lower()]
    num_empty, first = _first_row(path, delimiter)
    has_header = _find_header(path, columns, delimiter, first)
    is_single = len(first) == 1
    num_before = is_single * num_empty + has_header  # else pyarrow counts no empty line
    options = _csv_options(
        columns,
        delimiter,
        has_header=has_header,
        num_empty=num_empty if is_single else None,
    )
    num_rows = 0
    try:
        for rows in _rows_of_batches(
            pa_csv.open_csv(path, **options), str(path), columns
        ):
            if delimiter == "\t":
                _refuse_swallowed_lines(rows.texts, str(path), num_rows)
            num_rows += len(rows.texts)
            yield rows
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(
            error
        ):  # how pyarrow reads a header without a line end
            return
        if "straddling" in str(error):
            raise DataError(
                f"{path}: after row {num_rows}: a row is longer than"
                f" {_CSV_BLOCK_BYTES:,} bytes: is a quotation mark left open?"
            ) from error
        raise DataError(_explain_misfit(path, error, num_before)) from error
    except pa.ArrowKeyError as error:
        raise DataError(
            f"{path}: the header cannot be read: is it UTF-8? {_shorten(str(error))}"
        ) from error


def _csv_options(
    columns: Columns, delimiter: str, *, has_header: bool, num_empty: int | None
) -> dict[str, Any]:
    """Return how pyarrow is to read.

    In a file of one column an empty line is an empty text, after the first `num_empty`
    ones; in others it is nothing.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    return {
        "read_options": pa_csv.ReadOptions(
            use_threads=False,  # so that a wrong row's number is known
            block_size=_CSV_BLOCK_BYTES,
            column_names=None if has_header else list(columns.positions),
            skip_rows=num_empty or 0,
        ),
        "parse_options": pa_csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=num_empty is None,
        ),
        "convert_options": pa_csv.ConvertOptions(
            include_columns=list(columns.wanted),
            column_types=dict.fromkeys(
                columns.wanted, pa.binary()
            ),  # decoded later, so that a bad byte has a row
            strings_can_be_null=False,
        ),
    }


def _find_header(
    path: Path, columns: Columns, delimiter: str, first: Sequence[str]
) -> bool:
    """Return whether the first row names the columns, once each; where it need not, it
    must have as many fields.
    """
    if not columns.positions or set(columns.wanted) <= set(first):
        _check_columns(path, columns, first)
        return True
    if columns.label is None and columns.classes and first[0] not in columns.classes:
        _check_columns(path, columns, first)
    if len(first) != len(columns.positions):
        raise DataError(
            f"{path}: row 1: expected {len(columns.positions)} columns"
            f" ({', '.join(columns.positions)}) or a header that names them, found"
            f" {len(first)}: {_shorten(delimiter.join(first))}"
        )
    return False


def _refuse_swallowed_lines(texts: Sequence[str], source: str, start: int) -> None:
    """See that no quotation mark in a .tsv file, where they are often just text, has
    made one field of many rows.
    """
    for row, text in enumerate(texts, start + 1):
        if "\t" in text and "\n" in text:
            raise DataError(
                f"{source}: row {row}: a field goes on over several lines: is a"
                ' quotation mark left open? In .tsv too, a " at the start of a field'
                ' opens a quoted one, and is itself written ""'
            )


def _first_row(path: Path, delimiter: str) -> tuple[int, list[str]]:
    """Return the first row that is not empty, and how many empty ones stand before it."""
    with path.open("rb") as raw:
        if raw.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            raise DataError(
                f"{path}: is UTF-16: save it as UTF-8, or let 'rnncls init {path}'"
                " convert it"
            )
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        try:
            rows = enumerate(csv.reader(stream, delimiter=delimiter))
            num_empty, first = next(
                ((number, row) for number, row in rows if row), (0, [])
            )
        except csv.Error as error:
            raise DataError(f"{path}: row 1: {error}") from error
    if not first:
        raise DataError(f"{path}: is empty: expected rows of delimited text")
    return num_empty, first


def _explain_misfit(path: Path, error: Exception, num_before: int) -> str:
    # Taken from the message: a handler of pyarrow's for such rows is never told of one
    # that is not UTF-8.
    match = _MISFIT.search(str(error))
    if match is None:
        return f"{path}: {_shorten(str(error))}"
    number, expected, found, text = match.groups()
    where = f"row {int(number) - num_before}" if number else "a row"
    hint = (
        "; put a text that holds the delimiter in quotation marks"
        if int(found) > int(expected)
        else ""
    )
    return (
        f"{path}: {where}: expected {expected} columns, found {found}:"
        f" {_shorten(text)}{hint}"
    )


def _read_parquet(path: Path, columns: Columns) -> Iterator[Rows]:
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        with pa_parquet.ParquetFile(path) as file:
            _check_columns(path, columns, file.schema_arrow.names)
            batches = file.iter_batches(
                batch_size=_ROWS_AT_ONCE, columns=list(columns.wanted)
            )
            yield from _rows_of_batches(batches, str(path), columns)
    except (
        pa.ArrowException,
        UnicodeDecodeError,
    ) as error:  # a column's name may be no UTF-8
        raise DataError(
            f"{path}: not a readable Parquet file: {_shorten(str(error))}"
        ) from error


def _rows_of_batches(
    batches: Iterable["pa.RecordBatch"], source: str, columns: Columns
) -> Iterator[Rows]:
    start = 0
    for batch in batches:
        values = [
            _strings(batch.column(name), f"{source}: row {{row}}: '{name}'", start)
            for name in columns.wanted
        ]
        labels = values.pop() if columns.label is not None else []
        for index, label in enumerate(labels):
            if not label or label.isspace():
                raise _missing_label(source, start + index + 1, str(columns.label))
        yield Rows(
            (
                values[0]
                if len(values) == 1
                else list(map(" ".join, zip(*values, strict=True)))
            ),
            labels,
        )
        start += len(batch)


def _strings(column: "pa.Array", place: str, start: int) -> list[str]:
    """Return a column as texts, a null as an empty one."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        column = pa.array(
            [None if value != value else value for value in column.to_pylist()],
            column.type,
        )
    try:
        texts = column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, UnicodeDecodeError):
        values = column.cast(pa.binary()).to_pylist()
        return [
            _decode(value or b"", place.format(row=row))
            for row, value in enumerate(values, start + 1)
        ]
    except pa.ArrowNotImplementedError as error:
        raise DataError(
            f"{place.format(row=start + 1)}: expected a text, found {column.type}"
        ) from error
    return [text or "" for text in texts] if column.null_count else texts


def _decode(value: bytes, place: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = value[error.start]
        raise DataError(
            f"{place}: not UTF-8: byte 0x{byte:02x} at position {error.start + 1}; save"
            " as UTF-8"
        ) from error


def _check_columns(path: Path, columns: Columns, found: Sequence[str]) -> None:
    for name in columns.wanted:
        if name not in found:
            raise _missing_column(str(path), name, found)
        if list(found).count(name) > 1:
            raise DataError(
                f"{path}: column '{name}' stands twice in the header: {_names(found)}"
            )


def _missing_column(place: str, name: str, found: Sequence[str]) -> DataError:
    close = difflib.get_close_matches(name, found, n=1)
    hint = (
        f"; did you mean '{close[0]}'?"
        if close
        else "; set data.text and data.label to its columns"
    )
    return DataError(
        f"{place}: no column '{name}', found {_shorten(_names(found))}{hint}"
    )


def _missing_label(source: str, row: int, name: str) -> DataError:
    return DataError(
        f"{source}: row {row}: the label (column '{name}') is missing: fill it in, or"
        " take the row out"
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _shorten(text: str, limit: int = 80) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
