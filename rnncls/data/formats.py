"""Detect the format of an unknown file: kind, encoding, delimiter, header."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rnncls import DataError
from rnncls.data.column_guess import is_common_name, is_number
from rnncls.data.encodings import find_encoding, open_text
from rnncls.data.file_sets import data_ending, list_files, missing_file

Kind = Literal[
    "delimited", "jsonl", "json", "parquet", "fasttext", "folder", "excel", "lines"
]

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
"""The delimiters that are tried, the most likely first, and their names in
`data.delimiter`."""
EXCEL_ENDINGS = {".xlsx", ".xlsm"}
_LINES_READ = 500
_MAX_WORDS_IN_A_COLUMN_NAME = 3
_MAX_FIELD_CHARACTERS = (1 << 31) - 1
"""The limit of the csv module is 131,072: a text may be longer."""
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=([,;|\t])"?\s*', re.IGNORECASE)
"""The line by which Excel is told the delimiter of a file."""


@dataclass(frozen=True)
class FileFormat:
    """The format of a file.

    Attributes:
        kind: The kind of file; a folder has a subfolder per class and a file per text.
        encoding: Python's name of the encoding.
        delimiter: The delimiter of a delimited file.
        has_header: Whether the first row of a delimited file names the columns.
        is_quoted: Whether a `"` at the start of a delimited field opens a quoted field;
            if not, it is a plain character.
        names: The columns of a delimited file.
        num_skipped: The number of lines before the first row of a delimited file.
    """

    kind: Kind
    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    is_quoted: bool = True
    names: tuple[str, ...] = ()
    num_skipped: int = 0

    @property
    def is_readable(self) -> bool:
        """Whether training can read the file without a conversion."""
        return (
            self.kind in {"delimited", "jsonl", "parquet"}
            and self.encoding == "utf-8"
            and self.is_quoted
            and not self.num_skipped
        )


def detect_format(path: Path, columns: Sequence[str] = ()) -> FileFormat:
    """Return the format of a file, or of a folder with a subfolder per class.

    The format of a folder or a pattern of files is that of the first file.

    Args:
        path: The file, folder or pattern.
        columns: Columns that the file is known to have: a row with these is a header.

    Raises:
        DataError: It cannot be read, or its format is unknown.
    """
    path = list_files(path)[0]
    by_ending = _detect_by_ending(path)
    if by_ending is not None:
        return by_ending
    encoding, lines = _read_head(path)
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise DataError(f"{path}: is empty: expected one labelled text per row")
    if _has_fasttext_labels(lines):
        return FileFormat("fasttext", encoding)
    if _is_json_object(first):
        return FileFormat("jsonl", encoding)
    if data_ending(path) == ".json":
        return FileFormat("json", encoding)
    return _detect_delimited(path, encoding, lines, columns)


def _detect_by_ending(path: Path) -> FileFormat | None:
    """Return the format of a folder or of a file that is not text."""
    if path.is_dir():
        return FileFormat("folder")
    ending = data_ending(path)
    if ending == ".parquet" and path.exists():
        return FileFormat("parquet")
    if ending in EXCEL_ENDINGS and path.exists():
        return FileFormat("excel")
    return None


def _read_head(path: Path) -> tuple[str, list[str]]:
    """Return the encoding and the first lines of a file."""
    try:
        encoding = find_encoding(path)
        with open_text(path, encoding) as stream:
            return encoding, list(islice(stream, _LINES_READ))
    except FileNotFoundError as error:
        raise missing_file(path, "file or folder") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _has_fasttext_labels(lines: Sequence[str]) -> bool:
    """Return whether the first line, or most lines, begin with a label of fastText."""
    is_labelled = [
        line.lstrip().startswith("__label__") for line in lines if line.strip()
    ]
    return is_labelled[0] or sum(is_labelled) > len(is_labelled) / 2


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


# Delimiter


class _Score(NamedTuple):
    """How well a delimiter fits; the largest is the best.

    Attributes:
        share_alike: The share of the rows that have the most common number of columns.
        is_quoted: Whether quotation marks quote: preferred.
        is_preferred: Whether the ending of the file stands for the delimiter.
    """

    share_alike: float
    is_quoted: bool
    is_preferred: bool


class _Parsed(NamedTuple):
    """Lines parsed with a delimiter."""

    score: _Score
    delimiter: str
    rows: list[list[str]]


def _detect_delimited(
    path: Path, encoding: str, lines: list[str], columns: Sequence[str]
) -> FileFormat:
    """Return the format by which most rows have the same number of columns."""
    if len(lines) == _LINES_READ:
        lines = lines[:-1]  # a quoted field may continue
    separator = _SEPARATOR_LINE.fullmatch(lines[0])
    preferred = "," if data_ending(path) == ".csv" else "\t"  # rare inside texts
    delimiters = list(DELIMITERS)
    if separator is not None:
        delimiters = [separator[1]]
        lines = lines[1:]
    candidates = []
    for delimiter in delimiters:
        for is_quoted in (True, False):
            rows = _parse(lines, delimiter, is_quoted=is_quoted)
            width, count = Counter(map(len, rows)).most_common(1)[0]
            if width > 1:
                share = count / len(rows)
                score = _Score(share, is_quoted, delimiter == preferred)
                candidates.append(_Parsed(score, delimiter, rows))
    if not candidates:
        raise DataError(
            f"{path}: has one column only: looks like plain text without labels:"
            " expected a text and a class, separated by a comma, a tab, ; or |; to"
            f" classify its texts with a trained run, use rnncls predict --input {path}"
        )
    # Of equal scores, `max` returns the first.
    best = max(candidates, key=lambda candidate: candidate.score)
    first, *others = best.rows
    is_known = bool(columns) and set(columns) <= set(first)
    has_header = is_known or _has_header(first, others)
    names = first
    if not has_header:
        names = [f"column{number}" for number in range(1, len(first) + 1)]
    return FileFormat(
        "delimited",
        encoding,
        best.delimiter,
        has_header,
        best.score.is_quoted,
        tuple(names),
        num_skipped=int(separator is not None),
    )


def _parse(lines: list[str], delimiter: str, *, is_quoted: bool) -> list[list[str]]:
    """Return the rows that are not empty; one row of one field if parsing fails."""
    try:
        parsed = list(parse_csv(lines, delimiter, is_quoted=is_quoted))
    except csv.Error:
        return [[""]]
    rows = [row for row in parsed if row]
    if not rows:
        return [[""]]
    if is_quoted and _has_swallowed_rows(rows, delimiter):
        plain_rows = _parse(lines, delimiter, is_quoted=False)
        are_alike = len({len(row) for row in plain_rows}) == 1
        if delimiter == "\t" or (are_alike and not _is_well_quoted(lines, delimiter)):
            return [[""]]
    return rows


def _is_well_quoted(lines: list[str], delimiter: str) -> bool:
    """Return whether each closing quotation mark is at the end of a field."""
    try:
        return bool(list(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error:
        return False


def _has_swallowed_rows(rows: list[list[str]], delimiter: str) -> bool:
    """Return whether a field holds several rows.

    A quotation mark that is a plain character swallows the rows up to the next one.
    """
    for row in rows:
        for field in row:
            if "\n" in field and delimiter in field:
                return True
    return False


def parse_csv(lines: Iterable[str], delimiter: str, *, is_quoted: bool = True) -> Any:
    """Return a `csv.reader` of lines whose fields may have any length."""
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=delimiter, quoting=quoting)


# Header


def _has_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns.

    It does if it has a common column name, or no name for a column of row numbers, or
    if it has short words that do not occur again while some column holds classes or
    numbers.
    """
    if _has_unnamed_index(first, others):
        return True
    columns: dict[str, list[str]] = {}
    for index, name in enumerate(first):
        if name.strip():
            values = [row[index].strip() for row in others if index < len(row)]
            columns[name.strip()] = values
    if any(is_common_name(name) for name in columns):
        return True
    if any(_looks_like_a_value(name, values) for name, values in columns.items()):
        return False
    return any(_has_classes_or_numbers(values) for values in columns.values())


def _has_unnamed_index(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first column has row numbers and no name, as pandas writes."""
    if len(first) < 2 or first[0].strip() or not any(first) or not others:
        return False
    numbers = [row[0].strip() for row in others if any(row)]
    return all(map(str.isdecimal, numbers)) and len(set(numbers)) == len(numbers)


def _looks_like_a_value(name: str, values: Sequence[str]) -> bool:
    """Return whether a field of the first row is not the name of its column."""
    if name in values or is_number(name):
        return True
    return len(name.split()) > _MAX_WORDS_IN_A_COLUMN_NAME


def _has_classes_or_numbers(values: Sequence[str]) -> bool:
    if not values:
        return False
    return len(set(values)) <= len(values) / 2 or all(map(is_number, values))
