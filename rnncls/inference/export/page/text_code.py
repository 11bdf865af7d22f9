"""Bytes as printable ASCII characters: two characters for each 13 bits.

Like base64, but 8% shorter: 91 * 91 pairs stand for 2**13 numbers. After basE91
(Henke 2006, https://base91.sourceforge.net), whose pairs have 13 or 14 bits. "<", "&"
and the backslash are left out, so that the text can stand in any element of a page.

Shapes: N bytes, X groups of 13 bits.
"""

import numpy as np
import numpy.typing as npt

CHARACTERS_A_BYTE = 16 / 13
_GROUP_BITS = 13
_LEFT_OUT = b"<&\\"
_ALPHABET = bytes(code for code in range(33, 127) if code not in _LEFT_OUT)
_BASE = len(_ALPHABET)
_BLOCK = _GROUP_BITS * 2**16
"""Bytes that are encoded at once; they make whole groups."""


def encode_text(data: bytes) -> str:
    """Return the text that stands for bytes; its end may stand for further zeros."""
    blocks = range(0, len(data), _BLOCK)
    return "".join(_encode_block(data[start : start + _BLOCK]) for start in blocks)


def _encode_block(data: bytes) -> str:
    """Encode bytes, the lowest bit of a byte first. [N]."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")  # [N * 8]
    num_missing = -len(bits) % _GROUP_BITS
    groups = np.pad(bits, (0, num_missing)).reshape(-1, _GROUP_BITS)  # [X, 13]
    powers = 1 << np.arange(_GROUP_BITS)  # [13]
    numbers = groups @ powers  # [X]
    return _write_numbers(numbers)


def _write_numbers(numbers: npt.NDArray[np.int64]) -> str:
    """Return two characters for each number below 2**13. [X]."""
    alphabet = np.frombuffer(_ALPHABET, np.uint8)  # [91]
    digits = np.stack(np.divmod(numbers, _BASE), axis=1)  # [X, 2]
    text: bytes = alphabet[digits].tobytes()
    return text.decode("ascii")
