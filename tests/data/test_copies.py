"""Which rows have the same text, whatever its case, white space and HTML."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.data.copies import CopyFinder, normalize_text
from rnncls.text.tokenizer import tokenize_texts


def ids(*blocks: list[str]) -> list[int]:
    finder = CopyFinder()
    for block in blocks:
        finder.add(block)
    return [int(number) for number in finder.text_ids()]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good film", "good  FILM\n"),
        ("Caf\u00e9", "Cafe\u0301"),
        ("a <b>big</b> one", "a big one"),
        ("R&amp;D", "R&D"),
        ('say "no"', "say no"),
        ("one; two: three", "one two three"),
        ("good film.", "good film ."),
    ],
)
def test_copies_may_differ_in_case_space_form_and_markup(one: str, other: str) -> None:
    assert ids([one, other]) == [0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("good film", "good films"),
        ("vector<int>", "vector<string>"),
        ("order 12", "order 13"),
        ("great :)", "great :("),
        ("\U0001f600", "\U0001f621"),
        ("\u0915\u093f", "\u0915\u093e"),  # the vowel signs decide
        ("why?", "why!"),
    ],
)
def test_texts_of_another_meaning_are_no_copies(one: str, other: str) -> None:
    assert ids([one, other]) == [0, 1]


def test_rows_are_numbered_by_the_first_row_over_all_blocks() -> None:
    assert ids(["a", "b"], ["B", "c"], ["a"]) == [0, 1, 1, 3, 0]


def test_empty_texts_are_no_copies_of_each_other() -> None:
    assert ids(["", "  ", "", ' "" ']) == [0, 1, 2, 3]


def test_a_lone_surrogate_is_read() -> None:
    assert ids(["\ud800", "\ud800", "\udc00"]) == [0, 0, 2]


@given(
    st.lists(st.text(max_size=12), min_size=2, max_size=2),
    st.sampled_from(["basic_english", "whitespace", "words", "characters"]),
)
def test_texts_with_the_same_tokens_are_copies(
    texts: list[str],
    tokenizer: Literal["basic_english", "whitespace", "words", "characters"],
) -> None:
    section = TextSection(tokenizer=tokenizer, clean="html", max_tokens=1000)
    tokenized = tokenize_texts(texts, section)
    first = tokenized.lengths[0]
    one, other = tokenized.word_ids[:first], tokenized.word_ids[first:]
    words = [tokenized.words[index] for index in one]
    if one.tolist() == other.tolist() and words != ["<unk>"]:
        assert normalize_text(texts[0]) == normalize_text(texts[1])
