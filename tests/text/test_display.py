"""Texts are shown without control characters, and long ones are cut."""

import pytest

from rnncls.text.display import (
    format_count,
    list_names,
    name_token,
    printable,
    printable_lines,
    shorten,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31m\u202eb\udcff\u00e9", "a\\x1b[31m\\u202eb\\udcff\u00e9"),
        ("a\nb\u200b", "a\\nb\\u200b"),
        ("日本 🙂", "日本 🙂"),
        ("a\u200b\u200db", "a\\u200b\\u200db"),
        ("👩\u200d👧 می\u200cروم", "👩\u200d👧 می\u200cروم"),
        ("日本\u3000語\u2066x", "日本\u3000語\\u2066x"),
        ("\u200f\u200eس", "\u200f\u200eس"),
        ("🏴\U000e0067\U000e007f", "🏴\U000e0067\U000e007f"),
    ],
)
def test_control_characters_are_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_long_text_is_cut() -> None:
    assert shorten("word " * 100, 160) == ("word " * 100)[:159] + "…"
    assert shorten("word", 4) == "word"
    assert shorten("words", 4) == "wor…"


@pytest.mark.parametrize(
    ("text", "token", "span", "expected"),
    [
        ("Oslo", "oslo", (0, 4), "Oslo"),
        ("well…", ".", (4, 5), "…"),
        ("well…", ".", (5, 5), "…"),
        ("ﬁne", "i", (1, 1), "ﬁ"),
        ("Oslo", "xxmaj", (0, 0), "xxmaj"),
        ("a Oslo", "xxmaj", (2, 2), "xxmaj"),
        ("", "<unk>", (0, 0), "<unk>"),
    ],
)
def test_a_token_is_named_as_it_is_written(
    text: str, token: str, span: tuple[int, int], expected: str
) -> None:
    assert name_token(text, token, span) == expected


def test_lines_keep_their_ends() -> None:
    assert (
        printable_lines("a\x1b[31m\nb\u202ec\x00\r") == "a\\x1b[31m\nb\\u202ec\\x00\\r"
    )


def test_names_are_listed_without_control_characters() -> None:
    assert list_names(["a\x1b", "b\nc"]) == "'a\\x1b', 'b\\nc'"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "no rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")],
)
def test_a_count_has_its_noun_in_the_right_number(number: int, expected: str) -> None:
    assert format_count(number, "row") == expected
