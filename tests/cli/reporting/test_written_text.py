"""A text is shown as it was written, whatever its tokens look like."""

import pytest

from rnncls.cli.reporting.written_text import Segment, divide_text, name_tokens
from rnncls.text.traced_text import Span


def test_a_text_is_divided_at_its_tokens() -> None:
    spans = [Span(1, 7), Span(9, 10)]
    assert divide_text(" Rovers  !\n", spans) == [
        Segment(" ", None),
        Segment("Rovers", 0),
        Segment("  ", None),
        Segment("!", 1),
    ]


def test_a_token_without_a_character_has_no_segment() -> None:
    spans = [Span(0, 0), Span(0, 2)]
    assert divide_text("Hi <br>", spans) == [Segment("Hi", 1), Segment(" <br>", None)]


def test_what_follows_the_last_token_is_cut() -> None:
    *_, rest = divide_text("a" + " b" * 100, [Span(0, 1)])
    assert rest == Segment((" b" * 30)[:59] + "…", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("a\rb\x1b[31m\u202ec", "a\\rb\\x1b[31m\\u202ec"),
        ("10\u00a0kg\u3000x", "10\u00a0kg\u3000x"),
        ("👩\u200d👧 می\u200cروم", "👩\u200d👧 می\u200cروم"),
    ],
)
def test_spaces_stay_and_controls_are_escaped(text: str, shown: str) -> None:
    segments = divide_text(text, [Span(0, len(text))])
    assert segments == [Segment(shown, 0)]


def test_a_token_is_named_as_written() -> None:
    names = name_tokens(
        "R&amp;D", ["xxup", "r", "&"], [Span(0, 0), Span(0, 1), Span(1, 6)]
    )
    assert names == ["xxup", "R", "&amp;"]
