"""Bytes as printable characters."""

import numpy as np
import pytest

from rnncls.inference.export.page import text_code
from rnncls.inference.export.page.text_code import CHARACTERS_A_BYTE, encode_text
from tests.inference.export.page.scripts import Scripts

SIZES = [0, 1, 12, 13, 14, 25, 26, 1000]


@pytest.mark.parametrize("size", SIZES)
def test_the_scripts_decode_what_was_encoded(size: int, scripts: Scripts) -> None:
    data = np.random.default_rng(size).bytes(size)
    text = encode_text(data)
    decoded = bytes(scripts.run("decodeText", text=text))
    assert decoded[:size] == data
    assert not any(decoded[size:])
    assert len(text) <= size * CHARACTERS_A_BYTE + 2


def test_every_pair_of_characters_is_decoded(scripts: Scripts) -> None:
    numbers = np.arange(2**13)
    bits = (numbers[:, None] >> np.arange(13) & 1).astype(np.uint8)
    data = np.packbits(bits, bitorder="little").tobytes()
    assert bytes(scripts.run("decodeText", text=encode_text(data))) == data


def test_blocks_are_encoded_like_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).bytes(100)
    text = encode_text(data)
    monkeypatch.setattr(text_code, "_BLOCK", 26)
    assert encode_text(data) == text


def test_the_text_can_stand_in_a_page() -> None:
    text = encode_text(bytes(range(256)) * 100)
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set("<&\\ ")
