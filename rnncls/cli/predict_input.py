"""The texts of `rnncls predict`: rows of a file, or of a stream as they arrive.

A stream is stdin, a named pipe, or a file whose form the user names. A thread reads it
ahead, so that a batch holds the rows that are waiting and no row waits for later ones.
"""

import csv
import json
import logging
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from rnncls import DataError
from rnncls.cli.input_rows import InputRows
from rnncls.cli.outputs import is_special
from rnncls.cli.text_arguments import STDIN
from rnncls.config.document import shorten
from rnncls.data.file_sets import open_binary
from rnncls.data.formats import parse_csv
from rnncls.data.headers import check_first_text, find_header_delimiter
from rnncls.data.json_rows import kept_value
from rnncls.data.readers import read_rows
from rnncls.data.rows import (
    ROW_NUMBER,
    Columns,
    check_columns,
    missing_column,
)
from rnncls.data.stream_lines import decode_stream_line

logger = logging.getLogger(__name__)

_HAS_TAB = (
    "%s: line %s has a tab, and is one text as a whole: for a table, add --format csv"
    " and a header"
)
_MAX_ROWS = 16_384
_BLOCK_BYTES = 1 << 16
_BLOCKS_AHEAD = 64


def read_input(
    source: str, columns: Columns, form: str | None, keep: Sequence[str]
) -> Iterator[InputRows]:
    """Yield the rows of a file, or of a stream as soon as they arrive.

    Args:
        source: The path of a file, a folder or a pipe; `-` for stdin.
        columns: The columns of the text.
        form: csv, lines or jsonl; None: the file decides, and a stream has lines.
        keep: Further columns to return.

    Raises:
        DataError: The input cannot be read, lacks a column, or a row is wrong; or the
            first line of a stream of lines looks like a header or like JSON.
    """
    if source == STDIN:
        yield from _read_stream(sys.stdin.buffer, "stdin", columns, form, keep)
        return
    path = Path(source)
    if form is None and not is_special(path):
        yield from _read_file(path, columns, keep)
        return
    try:
        with open_binary(path) as stream:
            yield from _read_stream(stream, source, columns, form, keep)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_file(
    path: Path, columns: Columns, keep: Sequence[str]
) -> Iterator[InputRows]:
    """Yield the rows of a file."""
    for rows in read_rows(path, replace(columns, kept=tuple(keep))):
        kept = list(map(list, rows.kept))
        if keep and not kept:  # lines of text, which only have the number of the row
            kept = [["" for _ in keep] for _ in rows.texts]
        yield InputRows(rows.texts, kept)


def note_if_empty(chunks: Iterator[InputRows], source: str) -> Iterator[InputRows]:
    """Yield the rows of an input, and log a note if there are none."""
    is_empty = True
    for rows in chunks:
        is_empty = is_empty and not rows.texts
        yield rows
    if is_empty:
        name = "stdin" if source == STDIN else source
        logger.info("%s: has no rows: there is nothing to predict", name)


class _WaitingLines:
    """The lines of a stream, and whether another one has already arrived."""

    def __init__(self, stream: BinaryIO, source: str, word: str = "row") -> None:
        """Start to read ahead, in a thread.

        Args:
            stream: The stream.
            source: What it is, for messages.
            word: What the lines are, for messages.
        """
        self._source, self._word = source, word
        self._blocks: queue.Queue[bytes | OSError] = queue.Queue(_BLOCKS_AHEAD)
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._is_at_end = False
        self._num_lines = 0
        # The buffer of stdin has a lock, which a reading thread would hold at exit.
        raw = getattr(stream, "raw", stream)
        threading.Thread(target=self._read_ahead, args=(raw,), daemon=True).start()

    def _read_ahead(self, stream: Any) -> None:
        try:
            while block := stream.read(_BLOCK_BYTES):
                self._blocks.put(block)
        except OSError as error:
            self._blocks.put(error)
        self._blocks.put(b"")

    def __iter__(self) -> Iterator[str]:
        """Yield each line as a text.

        Raises:
            DataError: A line is not UTF-8.
        """
        while True:
            while not self._lines:
                if self._is_at_end:
                    return
                self._add_block(self._blocks.get())
            line = self._lines.popleft()
            self._num_lines += 1
            number = self._num_lines
            yield decode_stream_line(line, self._source, number, self._word)

    def has_waiting(self) -> bool:
        """Return whether a line can be read at once."""
        while not self._lines and not self._is_at_end:
            try:
                self._add_block(self._blocks.get_nowait())
            except queue.Empty:
                return False
        return bool(self._lines)

    def _add_block(self, block: bytes | OSError) -> None:
        if isinstance(block, OSError):
            raise block
        if not block:
            self._is_at_end = True
            if self._rest:
                self._lines.append(self._rest)
            return
        *lines, self._rest = (self._rest + block).split(b"\n")
        self._lines.extend(line + b"\n" for line in lines)


def _read_stream(
    stream: BinaryIO,
    source: str,
    columns: Columns,
    form: str | None,
    keep: Sequence[str],
) -> Iterator[InputRows]:
    """Yield the rows of a stream; a batch holds those that have arrived.

    The rows before a wrong one are yielded before the error is raised.
    """
    lines = _WaitingLines(stream, source, "line" if form == "csv" else "row")
    records = _parse(lines, source, columns, form, keep)
    texts: list[str] = []
    kept: list[list[str]] = []
    try:
        for text, values in records:
            texts.append(text)
            if keep:
                kept.append(values)
            if len(texts) == _MAX_ROWS or not lines.has_waiting():
                yield InputRows(texts, kept)
                texts, kept = [], []
    except DataError:
        if texts:
            yield InputRows(texts, kept)
        raise
    if texts:
        yield InputRows(texts, kept)


_Parsed = Iterator[tuple[str, list[str]]]
"""The text of each row, and the values of its kept columns."""


def _parse(
    lines: _WaitingLines,
    source: str,
    columns: Columns,
    form: str | None,
    keep: Sequence[str],
) -> _Parsed:
    if form == "csv":
        return _parse_csv(lines, source, columns, keep)
    if form == "jsonl":
        return _parse_jsonl(lines, source, columns, keep)
    return _parse_lines(lines, source, columns, keep, is_sure=form == "lines")


def _parse_lines(
    lines: _WaitingLines,
    source: str,
    columns: Columns,
    keep: Sequence[str],
    *,
    is_sure: bool,
) -> _Parsed:
    named_texts = columns.text if columns.must_be_table else ()
    for name in (*named_texts, *keep):
        if name != ROW_NUMBER:
            raise DataError(
                f"{source}: lines of text have no column '{name}': if the input is a"
                " table, add --format csv or --format jsonl"
            )
    can_note_tabs = not is_sure
    for number, line in enumerate(lines, start=1):
        if number == 1 and not is_sure:
            check_first_text(line, source, columns, has_format=True)
        if can_note_tabs and "\t" in line.rstrip():
            logger.info(_HAS_TAB, source, f"{number:,}")
            can_note_tabs = False
        yield line.rstrip("\r\n"), ["" for _ in keep]


def read_stdin_lines(columns: Columns) -> Iterator[list[str]]:
    """Yield the lines of stdin as texts, a list with one text at a time.

    Raises:
        DataError: A line is not UTF-8, or the first one is a header or a JSON object.
    """
    for number, line in enumerate(_WaitingLines(sys.stdin.buffer, "stdin"), start=1):
        if number == 1:
            check_first_text(line, "stdin", columns)
        yield [line.rstrip("\r\n")]


class _RecordLines:
    """Lines for a `csv.reader`, which remember those of the current record."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._current: list[str] = []

    def __iter__(self) -> Iterator[str]:
        """Yield the lines."""
        for line in self._lines:
            self._current.append(line)
            yield line

    def take(self) -> list[str]:
        """Return the lines since the last call: those of a record that was read."""
        lines, self._current = self._current, []
        return lines


def _parse_csv(
    lines: _WaitingLines, source: str, columns: Columns, keep: Sequence[str]
) -> _Parsed:
    """Yield the rows of delimited lines, in which empty ones are ignored."""
    iterator = iter(lines)
    header = next((line for line in iterator if line.strip()), "")
    if not header:
        return
    delimiter = columns.delimiter or find_header_delimiter(header, columns) or ","
    names: list[str] = next(parse_csv([header], delimiter), [])
    has_header = set(columns.text) <= set(names)
    if not has_header and len(names) == len(columns.positions):
        names, iterator = list(columns.positions), chain([header], iterator)
    check_columns(Path(source), columns, names)
    replace(columns, kept=tuple(keep)).names_to_read(names, source)
    indices = [names.index(name) for name in columns.text]
    kept = [names.index(name) if name in names else None for name in keep]
    for number, row in _iter_csv_rows(iterator, delimiter, source):
        if len(row) != len(names):
            raise DataError(
                f"{source}: row {number:,}: expected {len(names)} columns, found"
                f" {len(row)}: {shorten(delimiter.join(row))}"
            )
        values = ["" if index is None else row[index] for index in kept]
        yield " ".join(row[index] for index in indices), values


def _iter_csv_rows(
    lines: Iterable[str], delimiter: str, source: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each row that is not empty.

    Raises:
        DataError: A row is no CSV, or has a quotation mark that is never closed.
    """
    record_lines = _RecordLines(lines)
    rows = parse_csv(record_lines, delimiter)
    number = 0
    try:
        for row in rows:
            written = record_lines.take()
            if row:
                number += 1
                _check_quotes(written, delimiter, f"{source}: row {number:,}")
                yield number, row
    except csv.Error as error:
        raise DataError(f"{source}: row {number + 1:,}: {error}") from error


def _check_quotes(lines: Sequence[str], delimiter: str, place: str) -> None:
    """Check that a field does not run to the end of the input.

    Raises:
        DataError: A quotation mark is never closed.
    """
    if sum(line.count('"') for line in lines) % 2 == 0:
        return
    try:
        for _ in csv.reader(lines, delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "end of data" in str(error):
            raise DataError(
                f"{place}: a quotation mark is never closed, so that the row runs to"
                " the end of the input: write a quotation mark within a quoted text"
                " twice"
            ) from error


def _parse_jsonl(
    lines: _WaitingLines, source: str, columns: Columns, keep: Sequence[str]
) -> _Parsed:
    for number, line in enumerate(lines, start=1):
        place = f"{source}: row {number:,}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            shown = shorten(line) or "an empty line"
            raise DataError(f"{place}: not valid JSON: {shown}") from error
        if not isinstance(row, dict):
            raise DataError(f"{place}: expected an object: {shorten(line)}")
        for name in columns.text:
            if name not in row:
                raise missing_column(place, name, list(row), columns)
        text = " ".join(_value(row, name, place) for name in columns.text)
        kept = [kept_value(row, name, place) for name in keep]
        yield text, kept


def _value(row: dict[str, Any], name: str, place: str) -> str:
    value = row[name]
    if isinstance(value, dict | list):
        raise DataError(f"{place}: '{name}': expected a text, found a list or object")
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)
