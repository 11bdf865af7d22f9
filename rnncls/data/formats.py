"""Detect the format of an unknown file: kind, encoding, delimiter, header."""

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal, NamedTuple

from rnncls import DataError
from rnncls.data.column_guess import is_common_name

Kind = Literal["delimited", "jsonl", "json", "parquet", "fasttext", "folder"]

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
"""The delimiters that are tried, the most likely first, and their names in
`data.delimiter`."""
_LINES_READ = 500
_HEAD_BYTES = 4096
_BLOCK_CHARACTERS = 1 << 20
_MAX_WORDS_IN_A_COLUMN_NAME = 3
_UNDEFINED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


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
    """

    kind: Kind
    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    is_quoted: bool = True
    names: tuple[str, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether training can read the file without a conversion."""
        return (
            self.kind in {"delimited", "jsonl", "parquet"}
            and self.encoding == "utf-8"
            and self.is_quoted
        )


def detect_format(path: Path) -> FileFormat:
    """Return the format of a file, or of a folder with a subfolder per class.

    Raises:
        DataError: It cannot be read, or its format is unknown.
    """
    if path.is_dir():
        return FileFormat("folder")
    suffix = path.suffix.lower()
    if suffix == ".parquet" and path.exists():
        return FileFormat("parquet")
    encoding, lines = _read_head(path)
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise DataError(f"{path}: is empty: expected one labelled text per row")
    if first.startswith("__label__"):
        return FileFormat("fasttext", encoding)
    if _is_json_object(first):
        return FileFormat("jsonl", encoding)
    if suffix == ".json":
        return FileFormat("json", encoding)
    return _detect_delimited(path, encoding, lines)


def _read_head(path: Path) -> tuple[str, list[str]]:
    """Return the encoding and the first lines of a file."""
    try:
        encoding = find_encoding(path)
        with open_text(path, encoding) as stream:
            return encoding, list(islice(stream, _LINES_READ))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


# Encoding


def find_encoding(path: Path) -> str:
    """Return `utf-8`, `utf-16`, `utf-16-le`, `utf-16-be`, `cp1252` or `latin-1`.

    Without a byte order mark, a file with zeros in every second byte is UTF-16. A file
    that is valid UTF-8 is UTF-8, and so is one with few invalid bytes among many valid
    ones: the reader will name the first invalid one.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if _is_mostly_zero(head[1::2]):
        return "utf-16-le"
    if _is_mostly_zero(head[::2]):
        return "utf-16-be"
    if _is_utf8(path) or _is_nearly_utf8(path):
        return "utf-8"
    with path.open("rb") as stream:
        if any(_UNDEFINED_IN_CP1252.search(line) for line in stream):
            return "latin-1"
    return "cp1252"


def _is_mostly_zero(values: bytes) -> bool:
    return values.count(0) > len(values) // 2


def _is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            while stream.read(_BLOCK_CHARACTERS):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _is_nearly_utf8(path: Path) -> bool:
    """Return whether a file has ten valid characters outside ASCII per invalid byte."""
    num_invalid = num_valid = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        while block := stream.read(_BLOCK_CHARACTERS):
            for character in block:
                if "\udc80" <= character <= "\udcff":
                    num_invalid += 1
                elif character >= "\x80":
                    num_valid += 1
    return num_invalid * 10 <= num_valid


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file; skip a byte order mark, replace an invalid byte by U+FFFD."""
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    return path.open(encoding=encoding, errors="replace", newline="")


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


def _detect_delimited(path: Path, encoding: str, lines: list[str]) -> FileFormat:
    """Return the format by which most rows have the same number of columns."""
    if len(lines) == _LINES_READ:
        lines = lines[:-1]  # a quoted field may continue
    preferred = "," if path.suffix.lower() == ".csv" else "\t"  # rare inside texts
    candidates = []
    for delimiter in DELIMITERS:
        for is_quoted in (True, False):
            rows = _parse(lines, delimiter, is_quoted=is_quoted)
            width, count = Counter(map(len, rows)).most_common(1)[0]
            if width > 1:
                share = count / len(rows)
                score = _Score(share, is_quoted, delimiter == preferred)
                candidates.append(_Parsed(score, delimiter, rows))
    if not candidates:
        raise DataError(
            f"{path}: has one column only: expected a text and a class, separated by a"
            " comma, a tab, ; or |"
        )
    # Of equal scores, `max` returns the first.
    best = max(candidates, key=lambda candidate: candidate.score)
    first, *others = best.rows
    has_header = _has_header(first, others)
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
    )


def _parse(lines: list[str], delimiter: str, *, is_quoted: bool) -> list[list[str]]:
    """Return the rows that are not empty; one row of one field if parsing fails."""
    quoting = csv_quoting(is_quoted=is_quoted)
    try:
        parsed = list(csv.reader(lines, delimiter=delimiter, quoting=quoting))
    except csv.Error:
        return [[""]]
    rows = [row for row in parsed if row]
    if not rows:
        return [[""]]
    if is_quoted and delimiter == "\t" and _has_swallowed_rows(rows, delimiter):
        return [[""]]
    return rows


def _has_swallowed_rows(rows: list[list[str]], delimiter: str) -> bool:
    """Return whether a field holds several rows.

    A quotation mark that is a plain character swallows the rows up to the next one.
    """
    for row in rows:
        for field in row:
            if "\n" in field and delimiter in field:
                return True
    return False


def csv_quoting(*, is_quoted: bool) -> Literal[0, 3]:
    """Return the `quoting` argument of `csv.reader`."""
    return csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE


# Header


def _has_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns.

    It does if it has a common column name, or if it has short words that do not occur
    again while some column holds classes or numbers.
    """
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


def _looks_like_a_value(name: str, values: Sequence[str]) -> bool:
    """Return whether a field of the first row is not the name of its column."""
    if name in values or _is_number(name):
        return True
    return len(name.split()) > _MAX_WORDS_IN_A_COLUMN_NAME


def _has_classes_or_numbers(values: Sequence[str]) -> bool:
    if not values:
        return False
    return len(set(values)) <= len(values) / 2 or all(map(_is_number, values))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
