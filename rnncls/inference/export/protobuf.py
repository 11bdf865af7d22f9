"""The fields of a protocol buffer, without a library: what an ONNX file holds.

The package `onnx` takes longer to import than a text takes to classify, and a file is
checked before ONNX Runtime sees it. The format:
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MAX_SHIFT = 63
_MAX_KEY = (1 << 32) - 1
"""ONNX Runtime drops higher bits: it would see another field than this module."""
_SIZES = {_FIXED_64: 8, _FIXED_32: 4}


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        number: The number that the message's definition gives it.
        value: An integer, or the bytes of a text, of a message or of a fixed number.
    """

    number: int
    value: int | memoryview


def iter_fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message in their order.

    Raises:
        ValueError: The message is damaged.
    """
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        if key > _MAX_KEY:
            raise ValueError(f"a field of the impossible number {key >> 3}")
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            yield Field(number, value)
            continue
        if kind == _BYTES:
            size, position = _read_varint(message, position)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        end = position + size
        if end > len(message):
            raise ValueError("the file is truncated")
        yield Field(number, message[position:end])
        position = end


def iter_messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the bytes of all fields with a number.

    Raises:
        ValueError: The message is damaged, or one of these fields is an integer.
    """
    for field in iter_fields(message):
        if field.number == number:
            yield as_bytes(field)


def as_bytes(field: Field) -> memoryview:
    """Return the bytes of a field.

    Raises:
        ValueError: It is an integer.
    """
    if isinstance(field.value, int):
        raise ValueError(f"the field {field.number} is an integer")
    return field.value


def as_text(field: Field) -> str:
    """Return the text of a field.

    Raises:
        ValueError: It is an integer, or not UTF-8.
    """
    return str(as_bytes(field), "utf-8")


def encode_field(number: int, value: bytes) -> bytes:
    """Return a field of bytes, a text or a message."""
    key = _encode_varint(number << 3 | _BYTES)
    return key + _encode_varint(len(value)) + value


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the integer at a position, and the position after it."""
    value = shift = 0
    while True:
        if position >= len(message) or shift > _MAX_SHIFT:
            raise ValueError("the file is truncated")
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
