"""A text that arrives in pieces has the tokens of the complete text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.text.incremental import IncrementalTokenizer
from rnncls.text.spans import locate_tokens
from rnncls.text.tokenizer import build_tokenizer

FRAGMENTS = [
    " ",
    "\t",
    "\u00a0",
    "a",
    "b's",
    "Oslo",
    "<b>",
    "</b>",
    "<",
    ">",
    "<br />",
    "<br",
    "&lt;",
    "lt;",
    "&amp;",
    "&ampT",
    "#39;s",
    " #39;",
    "s",
    "quot;",
    "\\",
    ";",
    ".",
    "''",
    "\u0391\u03a3",
    "<unk>",
    "\u2028",
    "\r",
    "&#x3c;",
    "&nbsp;",
    "#",
    "USA",
    "7",
    "l\u2019",
    "\u00b4",
    "\u200b",
    "\u0301",
    "\U0001f469",
    "\u200d",
    "\u6771",
    "\uff21",
]


@pytest.mark.parametrize("changes", [False, True], ids=["plain", "marks"])
@pytest.mark.parametrize(
    ("tokenizer", "clean"),
    [
        ("basic_english", True),
        ("whitespace", True),
        ("basic_english", False),
        ("basic_english", "html"),
        ("words", "html"),
        ("characters", False),
    ],
)
@settings(database=None, deadline=None, derandomize=True)
@given(
    fragments=st.lists(st.sampled_from(FRAGMENTS), max_size=30), size=st.integers(1, 9)
)
def test_a_text_in_pieces_has_the_tokens_of_the_whole(
    tokenizer: str, clean: bool | str, changes: bool, fragments: list[str], size: int
) -> None:
    values = {
        "tokenizer": tokenizer,
        "clean": clean,
        "max_tokens": 12,
        "mark_case": changes,
        "same_digits": changes,
    }
    section = TextSection.model_validate(values)
    text = "".join(fragments)
    line, found = IncrementalTokenizer(section), list[str]()
    for start in range(0, len(text), size):
        num_kept, new = line.feed(text[start : start + size])
        found = found[:num_kept] + new
    num_kept, new = line.feed("", is_last=True)
    assert found[:num_kept] + new == line.tokens == build_tokenizer(section)(text)
    assert line.spans == locate_tokens(text, line.tokens, section)


def test_a_word_counts_once_a_space_follows_it() -> None:
    line = IncrementalTokenizer(TextSection())
    fed = [line.feed(part) for part in ["Os", "lo", " me", "et ", "", "now"]]
    assert fed == [(0, []), (0, []), (0, ["oslo"]), (1, ["meet"]), (2, []), (2, [])]
    assert line.feed("", is_last=True) == (2, ["now"])


def test_the_end_of_a_tag_takes_words_back() -> None:
    line = IncrementalTokenizer(TextSection(clean=True))
    assert line.feed("oslo <b meet ") == (0, ["oslo", "<b", "meet"])
    assert line.feed("> now ") == (1, ["now"])


def test_a_text_has_begun_once_anything_has_come() -> None:
    line = IncrementalTokenizer(TextSection())
    assert not line.has_begun
    line.feed(" ")
    assert line.has_begun
