"""The encodings of text files."""

import codecs
import io
import re
from functools import lru_cache
from pathlib import Path
from typing import IO

from rnncls.data.file_sets import open_binary
from rnncls.data.legacy_encodings import guess_legacy_encoding

_HEAD_BYTES = 4096
_MIN_ZEROS = 0.02
_SAMPLE_BYTES = 1 << 16
_BLOCK_CHARACTERS = 1 << 20
_UNDEFINED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_UTF8_SEQUENCE = re.compile(rb"[\xc3-\xef][\x80-\xbf]{1,2}")
_CP1252_IN_A_WORD = re.compile(
    rb"(?<=[A-Za-z])[\xc0-\xd6\xd8-\xf6\xf8-\xfe]"
    rb"|[\xc0-\xd6\xd8-\xf6\xf8-\xfe](?=[A-Za-z])"
    rb"|[\x80\x82\x84\x85\x91-\x97\xa0\xa3\xa7\xab\xb0\xbb]"
)
"""An accented letter beside a letter, or a typographic sign, in Windows-1252."""


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
    if _is_utf8(path) or _is_nearly_utf8(path):
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


def _is_utf8(path: Path) -> bool:
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
    """Open a text file; skip a byte order mark, replace an invalid byte by U+FFFD."""
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    return io.TextIOWrapper(open_binary(path), encoding, "replace", newline="")


def find_certain_encoding(path: Path) -> str:
    """Return the encoding of a file if it is UTF-16 or surely Windows-1252.

    Other files count as UTF-8, so that the reader names the row of an invalid byte. A
    file is surely Windows-1252 if it has no character in UTF-8, and most of its bytes
    outside ASCII are letters within words or typographic signs. A file that does not
    change is scanned once.
    """
    stat = path.stat()
    return _find_certain_encoding(path.resolve(), stat.st_mtime_ns, stat.st_size)


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
            num_fitting += len(_CP1252_IN_A_WORD.findall(line))
    return "cp1252" if 2 * num_fitting > num_bytes else "utf-8"
