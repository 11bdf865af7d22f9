"""The encodings of text files."""

import codecs
import io
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO

from rnncls import DataError
from rnncls.data.file_sets import open_binary
from rnncls.data.legacy_encodings import guess_legacy_encoding

_HEAD_BYTES = 4096
_MIN_ZEROS = 0.02
_SAMPLE_BYTES = 1 << 16
_BLOCK_CHARACTERS = 1 << 20
_UNDEFINED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_UTF8_SEQUENCE = re.compile(
    rb"[\xc3-\xc5\xce-\xd1][\x80-\xbf]"
    rb"|\xe2\x80[\x90-\xbf]|\xe2\x82\xac"
    rb"|(?:[\xe3-\xe9][\x80-\xbf]{2}){2}"
)
"""A letter or a typographic sign in UTF-8 that is improbable in Windows-1252.

In Windows-1252 an accented letter before a quotation mark may be valid UTF-8.
"""
_CP1252 = re.compile(
    rb"(?<=[A-Za-z])[\xc0-\xd6\xd8-\xf6\xf8-\xfe]"
    rb"|[\xc0-\xd6\xd8-\xf6\xf8-\xfe](?=[A-Za-z])"
    rb"|(?<![\x80-\xff])[\xc0-\xd6\xd8-\xf6\xf8-\xfd](?![\x80-\xff])"
    rb"|[\x80\x82\x84\x85\x91-\x97\x99\xa0\xa1\xa3\xa7\xa9\xab\xae\xb0\xbb\xbf]"
)
"""An accented letter beside a letter or alone, or a typographic sign, in Windows-1252.

A letter may be a word, such as `à`, or an initial, such as `É`.
"""
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


def find_encoding(path: Path) -> str:
    """Return `utf-8`, `utf-16`, `utf-16-le`, `utf-16-be`, or an encoding from before.

    Without a byte order mark, a file with many zeros is UTF-16: they are the first or
    the second byte of its spaces, commas and line ends. A file
    that is valid UTF-8 is UTF-8, and so is one with few invalid bytes among many valid
    ones: the reader will name the first invalid one. Of the others, `cp1252` or
    `latin-1` is returned if no encoding of another language clearly fits.
    """
    with open_binary(path) as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    num_even, num_odd = head[::2].count(0), head[1::2].count(0)
    if max(num_even, num_odd) > _MIN_ZEROS * len(head):
        return "utf-16-le" if num_odd > num_even else "utf-16-be"
    if is_utf8(path) or _is_nearly_utf8(path):
        return "utf-8"
    legacy = guess_legacy_encoding(_sample_lines(path))
    if legacy is not None:
        return legacy
    with open_binary(path) as stream:
        if any(_UNDEFINED_IN_CP1252.search(line) for line in stream):
            return "latin-1"
    return "cp1252"


def _sample_lines(path: Path) -> bytes:
    """Return lines from the start of a file that have bytes outside ASCII."""
    lines: list[bytes] = []
    num_bytes = 0
    with open_binary(path) as stream:
        for line in stream:
            if line.isascii():
                continue
            lines.append(line)
            num_bytes += len(line)
            if num_bytes > _SAMPLE_BYTES:
                break
    return b"".join(lines)


def is_utf8(path: Path) -> bool:
    """Return whether all bytes of a file are valid UTF-8.

    A file that does not change is scanned once.
    """
    stat = path.stat()
    return _is_utf8(path.absolute(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _is_utf8(path: Path, _mtime_ns: int, _size: int) -> bool:
    try:
        with io.TextIOWrapper(open_binary(path), "utf-8", newline="") as stream:
            while stream.read(_BLOCK_CHARACTERS):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _is_nearly_utf8(path: Path) -> bool:
    """Return whether a file has ten valid characters outside ASCII per invalid byte."""
    num_invalid = num_valid = 0
    file = open_binary(path)
    with io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="") as stream:
        while block := stream.read(_BLOCK_CHARACTERS):
            for character in block:
                if "\udc80" <= character <= "\udcff":
                    num_invalid += 1
                elif character >= "\x80":
                    num_valid += 1
    return num_invalid * 10 <= num_valid


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file to look at its form: an invalid byte is read as U+FFFD.

    A byte order mark is skipped. `iter_lines` reads the texts of a file.
    """
    codec = _choose_codec(encoding)
    return io.TextIOWrapper(open_binary(path), codec, "replace", newline="")


def iter_lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a text file with their line ends; skip a byte order mark.

    Raises:
        DataError: A line has an invalid byte.
    """
    name = encoding.upper()
    codec = _choose_codec(encoding)
    # The codec of UTF-16 cannot escape bytes.
    errors = "strict" if encoding.startswith("utf-16") else "surrogateescape"
    number = 0
    with io.TextIOWrapper(open_binary(path), codec, errors, newline="") as stream:
        try:
            for number, line in enumerate(stream, start=1):
                _check_bytes(line, f"{path}: line {number:,}: not {name}")
                yield line
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: after line {number:,}: not {name}: {error.reason}; save the"
                " file as UTF-8"
            ) from error


def _choose_codec(encoding: str) -> str:
    """Return the codec of an encoding that skips a byte order mark."""
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _check_bytes(line: str, place: str) -> None:
    if line.isascii():
        return
    escaped = _ESCAPED_BYTE.search(line)
    if escaped is not None:
        byte = ord(escaped[0]) - 0xDC00
        raise DataError(
            f"{place}: byte 0x{byte:02x} at position {escaped.start() + 1}; save the"
            " file as UTF-8"
        )


def find_certain_encoding(path: Path) -> str:
    """Return the encoding of a file if it is UTF-16 or surely Windows-1252.

    Other files count as UTF-8, so that the reader names the row of an invalid byte. A
    file is surely Windows-1252 if it has no character in UTF-8, and most of its bytes
    outside ASCII are letters within words, single letters or typographic signs. A file
    that does not change is scanned once.
    """
    stat = path.stat()
    return _find_certain_encoding(path.absolute(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _find_certain_encoding(path: Path, _mtime_ns: int, _size: int) -> str:
    encoding = find_encoding(path)
    if encoding not in {"cp1252", "latin-1"}:
        return encoding
    num_bytes = num_fitting = 0
    with open_binary(path) as stream:
        for line in stream:
            if _UTF8_SEQUENCE.search(line) or _UNDEFINED_IN_CP1252.search(line):
                return "utf-8"
            num_bytes += len(_NOT_ASCII.findall(line))
            num_fitting += len(_CP1252.findall(line))
    return "cp1252" if 2 * num_fitting > num_bytes else "utf-8"
