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
from rnncls.data.stream_lines import check_start, not_utf8

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

    The complete lines before a wrong byte are yielded before the error is raised.

    Raises:
        DataError: A byte is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    row, num_bytes = 1, 0  # the row, and how many of its bytes are decoded
    is_start = True
    while True:
        data = stream.read1(_BYTES_AT_ONCE)
        if is_start:
            check_start(data, source)
            is_start = False
        try:
            piece = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            end = error.object.rfind(b"\n", 0, error.start) + 1
            yield error.object[:end].decode("utf-8-sig")
            raise _not_utf8_piece(error, source, row, num_bytes) from error
        if not data:
            return
        num_line_ends = piece.count("\n")
        row += num_line_ends
        num_bytes = 0 if num_line_ends else num_bytes
        num_bytes += len(piece.rpartition("\n")[2].encode())
        yield piece


def _not_utf8_piece(
    error: UnicodeDecodeError, source: str, row: int, num_bytes: int
) -> DataError:
    """Return the error for a piece of a stream that is not UTF-8.

    Args:
        error: The error of the decoder.
        source: The stream.
        row: The row in which the piece starts.
        num_bytes: How many bytes of this row are before the piece.
    """
    before, piece = error.object[: error.start], error.object
    num_line_ends = before.count(b"\n")
    start = before.rfind(b"\n") + 1
    line = piece[start:].partition(b"\n")[0]
    index = error.start - start
    position = index + 1 if num_line_ends else num_bytes + index + 1
    place = f"{source}: row {row + num_line_ends:,}"
    return not_utf8(place, line, index, position)


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
