"""Lines of a stream, such as stdin: they must be UTF-8.

A stream is answered as it arrives, so its encoding cannot be recognised from all of its
bytes, as that of a file is. The error names the encoding that the bytes look like.
"""

import codecs

from rnncls import DataError
from rnncls.data.legacy_encodings import guess_legacy_encoding

_MIN_BYTES = 4
"""Fewer bytes with zeros do not look like UTF-16."""


def decode_stream_line(line: bytes, source: str, number: int, word: str = "row") -> str:
    """Decode a line of a stream; skip a byte order mark in the first one.

    Args:
        line: The line.
        source: The stream, for the message.
        number: The number of the line, from 1.
        word: What the number counts, for the message.

    Raises:
        DataError: The line is not UTF-8.
    """
    if number == 1:
        check_start(line, source)
        line = line.removeprefix(codecs.BOM_UTF8)
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"{source}: {word} {number:,}"
        raise not_utf8(place, line, error.start) from error


def check_start(start: bytes, source: str) -> None:
    """Check that a stream does not start with UTF-16.

    English text in UTF-16 is valid UTF-8 with zeros.

    Args:
        start: The first bytes of the stream.
        source: The stream, for the message.

    Raises:
        DataError: It starts with the byte order mark of UTF-16, or as many bytes are
            zero as in UTF-16.
    """
    encoding = _find_utf16(start)
    if encoding is not None:
        raise DataError(
            f"{source}: not UTF-8: its first bytes are {encoding.upper()};"
            f" {_advise(encoding)}"
        )


def not_utf8(
    place: str, line: bytes, start: int, position: int | None = None
) -> DataError:
    """Return the error for a line that is not UTF-8, with the command that converts it.

    Args:
        place: The start of the message.
        line: The line, or the part of it that is known.
        start: The index of the first invalid byte in it.
        position: The place of that byte in the line, from 1; None: `line` is complete.
    """
    encoding = guess_legacy_encoding(line) or "cp1252"
    shown = start + 1 if position is None else position
    return DataError(
        f"{place}: not UTF-8: byte 0x{line[start]:02x} at position {shown};"
        f" {_advise(encoding)}"
    )


def _find_utf16(start: bytes) -> str | None:
    """Return the form of UTF-16 that bytes are in, or None."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(start) < _MIN_BYTES:
        return None
    num_even, num_odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) / 4  # of the even or of the odd bytes
    if num_odd > half and num_even == 0:
        return "utf-16le"
    if num_even > half and num_odd == 0:
        return "utf-16be"
    return None


def _advise(encoding: str) -> str:
    return (
        f"convert the input first, for example with iconv -f {encoding} -t utf-8; or"
        " save it as a file for rnncls predict --input FILE, which recognises encodings"
    )
