"""Cleaning of texts: entities, tags, backslashes, marks of case, digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncls.text.cleaning import clean_text, mark_case, replace_digits


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Wall St. #39;s bears", "Wall St.'s bears"),
        ("Microsoft #39;s plan", "Microsoft's plan"),
        ("Microsoft&#39;s plan", "Microsoft's plan"),
        ("it &#039;s", "it's"),
        (
            "don #39;t they #39;ll we #39;ve I #39;d I #39;m you #39;re",
            "don't they'll we've I'd I'm you're",
        ),
        ("HE #39;S", "HE'S"),
        ("the #39;80s", "the '80s"),
        ("the players #39; union", "the players ' union"),
        ("quot;Hi,quot; he said", '"Hi," he said'),
        ("&quot;Hi&quot;", '"Hi"'),
        ("R&amp;D and A amp; B", "R&D and A & B"),
        ("5 &lt; 6", "5 < 6"),
        ("#36;100", "$100"),
        ("lsquo;hi rsquo; mdash; hellip;", "\u2018hi \u2019 \u2014 \u2026"),
        ("&copy; 2004", "© 2004"),
        ("Q&amp;amp;A", "Q&A"),
        ("#1234567;", "\ufffd"),
        ("#55357;", "\ufffd"),
    ],
)
def test_broken_entities_are_cleaned(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("&lt;b&gt;Bold&lt;/b&gt; text", "Bold text"),
        ("lt;b gt;Bold lt;/b gt;", "Bold"),
        ("&amp;lt;b&amp;gt;Bold", "Bold"),
        ('&lt;A HREF="http://x.com/a?b=1&amp;c=2"&gt;link&lt;/A&gt;', "link"),
        ("<B>Reuters</B> - news", "Reuters - news"),
        ("one<br/>two<br />three", "one two three"),
        ("<!-- hidden -->seen", "seen"),
    ],
)
def test_tags_are_dropped(text: str, words: str) -> None:
    assert " ".join(clean_text(text).split()) == words


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("one\\two", "one two"),
        ("costs \\$5", "costs  $5"),
        ("end\\", "end "),
        ("\\\\", "  "),
    ],
)
def test_backslashes_become_spaces(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "",
        "clean text; with a semicolon",
        "a < b and c > d",
        "I <3 you",
        "C#7; is a language",
        "http://x.com/?a=1&b=2;c",
        "AT&T; Q&A",
        "it's 'fine' \"so\" \u2013 ü 😀",
        "#hashtag and 100% & more",
        "2<3;>1",
    ],
)
def test_clean_text_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Apple sues the US", "xxmaj Apple sues the xxup US"),
        ("an Apple (AP) - I'm OK", "an xxmaj Apple xxup (AP) - xxmaj I'm xxup OK"),
        (
            "U.S. iPod A1 3G eBay-Inc",
            "xxmaj U.S. iPod xxmaj A1 3G eBay-Inc",
        ),  # the first letters decide
        (
            "McDONALD'S \u00c9tats \u00c9TATS \u00e9tat",
            "xxmaj McDONALD'S xxmaj \u00c9tats xxup \u00c9TATS \u00e9tat",
        ),
        ("no case \u4e2d\u6587 \u00df 12", "no case \u4e2d\u6587 \u00df 12"),
        ("  A\tB\n", "  xxmaj A\txxmaj B\n"),
        ("", ""),
    ],
)
def test_words_in_capitals_and_with_a_capital_are_marked(
    text: str, marked: str
) -> None:
    assert mark_case(text) == marked


@given(text=st.text(max_size=40))
def test_marks_are_all_that_marking_adds(text: str) -> None:
    marked = mark_case(text).replace("xxmaj ", "").replace("xxup ", "")
    assert marked == text.replace("xxmaj ", "").replace("xxup ", "")


def test_every_digit_becomes_zero() -> None:
    assert replace_digits("in 1998 a 3g for $5 \u0663") == "in 0000 a 0g for $0 0"
