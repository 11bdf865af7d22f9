"""Reader of plain text: lines, pieces of a stream, fastText files, folders of texts."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rnncls import DataError
from rnncls.data.encodings import find_encoding, iter_lines
from rnncls.data.file_sets import class_folders
from rnncls.data.formats import FileFormat
from rnncls.data.label_sets import join_labels
from rnncls.data.rows import Record, Row, Rows, batch_rows, decode

PREFIX = "__label__"
TEXT, LABEL = "text", "label"
"""The column names of formats without columns."""
_BYTES_AT_ONCE = 1 << 16
_FASTTEXT_LABELS = re.compile(r"(?:__label__\S+\s+)*(?:__label__\S+$)?")
_FASTTEXT = re.compile(r"__label__(\S+)\s*(.*)", re.DOTALL)
_SHOWN_CHARACTERS = 60


def read_lines(stream: BinaryIO, source: str) -> Iterator[Rows]:
    """Yield each line of a stream as one text.

    Raises:
        DataError: A line is not UTF-8.
    """
    lines = decode_lines(stream, source)
    yield from batch_rows(Row(line.rstrip("\r\n")) for _, line in lines)


def decode_lines(stream: BinaryIO, source: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line, from 1, and the line as a text.

    Raises:
        DataError: A line is not UTF-8.
    """
    for number, line in enumerate(stream, start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        yield number, decode(line, f"{source}: row {number:,}")


def read_pieces(stream: io.BufferedIOBase, source: str) -> Iterator[str]:
    """Yield the text of a stream as soon as it arrives, cut at any character.

    Raises:
        DataError: A byte is not UTF-8.
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
                f"{source}: row {row:,}: not UTF-8: {error.reason}"
            ) from error
        if not data:
            return
        row += piece.count("\n")
        yield piece


def read_fasttext_records(path: Path, file_format: FileFormat) -> Iterator[Record]:
    """Yield the lines of a fastText file, each `__label__CLASS text`.

    Raises:
        DataError: A line has no label, or several.
    """
    lines = iter_lines(path, file_format.encoding)
    for number, line in enumerate(lines, start=1):
        match = _FASTTEXT.match(line.strip())
        if match is None:
            raise DataError(
                f"{path}: row {number:,}: expected __label__CLASS and a text, found"
                f" {line.strip()[:_SHOWN_CHARACTERS]!r}"
            )
        label, text = match.groups()
        if text.startswith("__label__"):
            raise DataError(
                f"{path}: row {number:,}: has several labels: rnncls learns one"
                " class per text: keep one"
            )
        yield {LABEL: label, TEXT: text}


def read_fasttext_sets(path: Path, file_format: FileFormat) -> Iterator[Record]:
    """Yield the lines of a fastText file with any number of labels each, also none."""
    for line in iter_lines(path, file_format.encoding):
        stripped = line.strip()
        labels = _FASTTEXT_LABELS.match(stripped)
        end = labels.end() if labels else 0
        names = [word.removeprefix(PREFIX) for word in stripped[:end].split()]
        yield {LABEL: join_labels(names), TEXT: stripped[end:]}


def read_fasttext_texts(path: Path, file_format: FileFormat) -> Iterator[Record]:
    """Yield the lines of a fastText file without their labels, for prediction."""
    for line in iter_lines(path, file_format.encoding):
        yield {TEXT: _FASTTEXT_LABELS.sub("", line.strip(), count=1)}


def read_line_records(path: Path, file_format: FileFormat) -> Iterator[Record]:
    """Yield the lines of a file of any encoding, each as one text."""
    for line in iter_lines(path, file_format.encoding):
        yield {TEXT: line.rstrip("\r\n")}


def read_folder_records(path: Path) -> Iterator[Record]:
    """Yield a record per file: the subfolder's name as label, the contents as text."""
    for folder in class_folders(path):
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                lines = iter_lines(file, find_encoding(file))
                yield {LABEL: folder.name, TEXT: "".join(lines)}
