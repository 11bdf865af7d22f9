"""Texts are shown without control characters, and long ones are cut."""

import pytest

from rnncls.text.display import printable, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31m\u202eb\udcff\u00e9", "a\\x1b[31m\\u202eb\\udcff\u00e9"),
        ("a\nb\u200b", "a\\nb\\u200b"),
        ("日本 🙂", "日本 🙂"),
    ],
)
def test_control_characters_are_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_long_text_is_cut() -> None:
    assert shorten("word " * 100, 160) == ("word " * 100)[:159] + "…"
    assert shorten("word", 4) == "word"
    assert shorten("words", 4) == "wor…"
