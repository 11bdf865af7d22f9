"""Mending, tokenising, and flat arrays of token types."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchtext.data.utils import _basic_english_normalize

from rnncls.config.schema import TextSection
from rnncls.text import tokenizer
from rnncls.text.tokenizer import (
    LineTokens,
    TokenizedTexts,
    build_tokenizer,
    join_texts,
    mark_case,
    mend,
    tokenize_stream,
    tokenize_texts,
)

CHUNKS = [["a b a", "c"], [], ["b", "d a b b"]]
ROWS = [text.split() for text in chain(*CHUNKS)]


WORDS = TextSection(tokenizer="whitespace", clean=False)


def tokenized() -> TokenizedTexts:
    return join_texts(tokenize_texts(chunk, WORDS) for chunk in CHUNKS)


@pytest.mark.parametrize(
    ("text", "mended"),
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
def test_broken_entities_are_mended(text: str, mended: str) -> None:
    assert mend(text) == mended


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
    assert " ".join(mend(text).split()) == words


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("one\\two", "one two"),
        ("costs \\$5", "costs  $5"),
        ("end\\", "end "),
        ("\\\\", "  "),
    ],
)
def test_backslashes_become_spaces(text: str, mended: str) -> None:
    assert mend(text) == mended


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
    assert mend(text) == text


ODD_TEXTS = [
    "",
    "   ",
    "Hello, World!",
    "don't stop (now)?",
    'He said: "no"; she didn\'t.',
    "a.b.c...d",
    "line<br />break",
    "ÜBER İstanbul ẞ 😀",
    "tab\tnew\nline\x0bfeed\u2003em\xa0nbsp",
    "<unk> <pad>",
    "x" * 1000,
    "#39; &lt;b&gt; \\",
    "1,000.50 $ % @",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_basic_english_is_torchtexts(text: str) -> None:
    tokenize = build_tokenizer(
        TextSection(tokenizer="basic_english", clean=False, max_tokens=10_000)
    )
    assert tokenize(text) == (_basic_english_normalize(text) or ["<unk>"])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Wall St. #39;s Bears", ["wall", "st", ".", "'", "s", "bears"]),
        (
            "quot;Yes,quot; he said (today); no: wait!",
            ["yes", ",", "he", "said", "(", "today", ")", "no", "wait", "!"],
        ),
        ("&lt;b&gt;Bold&lt;/b&gt;", ["bold"]),
    ],
)
def test_basic_english_reads_mended_text(text: str, tokens: list[str]) -> None:
    assert build_tokenizer(TextSection())(text) == tokens


@pytest.mark.parametrize("text", ["#39;", "&lt;b&gt;x", "a\\b"])
def test_without_cleaning_text_is_read_as_it_is(text: str) -> None:
    assert build_tokenizer(TextSection(tokenizer="whitespace", clean=False))(text) == [
        text
    ]


def test_whitespace_splits_at_white_space_alone() -> None:
    tokenize = build_tokenizer(TextSection(tokenizer="whitespace"))
    assert tokenize("Don't  stop,\tnow\u2003(OK) ") == ["Don't", "stop,", "now", "(OK)"]


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


def test_marked_words_are_then_made_lower_case() -> None:
    tokenize = build_tokenizer(TextSection(mark_case=True))
    assert tokenize("Wall St. &lt;B&gt;UP") == [
        "xxmaj",
        "wall",
        "xxmaj",
        "st",
        ".",
        "xxup",
        "up",
    ]


@pytest.mark.parametrize("tokenizer", ["basic_english", "whitespace"])
def test_digits_are_made_alike_once_entities_are_mended(tokenizer: str) -> None:
    section = TextSection.model_validate({"tokenizer": tokenizer, "same_digits": True})
    assert build_tokenizer(section)("in 1998 a 3g for #36;5 \u0663") == [
        "in",
        "0000",
        "a",
        "0g",
        "for",
        "$0",
        "0",
    ]


@pytest.mark.parametrize(
    ("max_tokens", "tokens"),
    [(1, ["a"]), (2, ["a", "b"]), (3, ["a", "b", "c"]), (4, ["a", "b", "c"])],
)
def test_long_texts_are_cut(max_tokens: int, tokens: list[str]) -> None:
    assert build_tokenizer(TextSection(max_tokens=max_tokens))("a b c") == tokens


@pytest.mark.parametrize("tokenizer", ["basic_english", "whitespace"])
@pytest.mark.parametrize("text", ["", " ", "\n\t\u2003", "&nbsp;", "<br/>", "\\"])
def test_a_text_without_words_becomes_one_unknown_word(
    tokenizer: str, text: str
) -> None:
    section = TextSection.model_validate({"tokenizer": tokenizer})
    assert build_tokenizer(section)(text) == ["<unk>"]


def test_types_are_numbered_in_the_order_of_their_first_appearance() -> None:
    assert tokenized().types == ["a", "b", "c", "d"]


def test_flat_arrays_hold_the_texts_one_after_the_other() -> None:
    texts = tokenized()
    ends = np.cumsum(texts.lengths)
    parts = np.split(texts.type_ids, ends[:-1])
    assert [[texts.types[number] for number in part] for part in parts] == ROWS


def test_lengths_count_the_tokens_of_each_text() -> None:
    assert tokenized().lengths.tolist() == [len(row) for row in ROWS]


def test_flat_arrays_have_the_promised_kinds_of_numbers() -> None:
    texts = tokenized()
    assert (texts.type_ids.dtype.name, texts.lengths.dtype.name) == ("int32", "int64")


def test_how_the_texts_are_cut_into_chunks_does_not_matter() -> None:
    whole, parts = tokenize_texts(list(chain(*CHUNKS)), WORDS), tokenized()
    np.testing.assert_array_equal(whole.type_ids, parts.type_ids)


def test_many_texts_are_tokenised_as_a_plain_loop_would() -> None:
    generator = np.random.default_rng(0)
    rows = [
        [f"w{word}" for word in generator.integers(0, 50, generator.integers(1, 20))]
        for _ in range(300)
    ]
    texts = tokenize_texts([" ".join(row) for row in rows], WORDS)
    assert [texts.types[number] for number in texts.type_ids] == list(chain(*rows))


def test_no_texts_make_empty_arrays() -> None:
    texts = tokenize_texts([], WORDS)
    assert (
        texts.type_ids.shape,
        texts.lengths.shape,
        texts.types,
        texts.counts().shape,
    ) == ((0,), (0,), [], (0,))


def test_counts_are_those_of_all_texts() -> None:
    texts = tokenized()
    assert dict(zip(texts.types, texts.counts().tolist(), strict=True)) == Counter(
        chain(*ROWS)
    )


@pytest.mark.parametrize("chosen", [[0], [1, 3], [3, 1], [0, 1, 2, 3], []])
def test_counts_of_chosen_texts_leave_out_the_others(chosen: list[int]) -> None:
    texts = tokenized()
    found = dict(
        zip(
            texts.types,
            texts.counts(np.array(chosen, dtype=np.int64)).tolist(),
            strict=True,
        )
    )
    expected = Counter(chain(*(ROWS[row] for row in chosen)))
    assert found == {word: expected[word] for word in "abcd"}


def test_counts_over_many_texts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "_TEXTS_COUNTED", 3)
    test_counts_are_those_of_all_texts()
    test_counts_of_chosen_texts_leave_out_the_others([0, 3])


@pytest.mark.parametrize("num_cores", [1, 2])
def test_a_stream_of_many_pieces_keeps_the_order(
    num_cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "_num_cores", lambda: num_cores)
    monkeypatch.setattr(tokenizer, "TEXTS_A_PIECE", 10)
    texts = [f"text w{number} of {number % 7}" for number in range(237)]
    found = join_texts(
        tokenize_stream([texts[:5], [], texts[5:200], texts[200:]], TextSection())
    )
    expected = tokenize_texts(texts, TextSection())
    assert found.types == expected.types
    np.testing.assert_array_equal(found.type_ids, expected.type_ids)
    np.testing.assert_array_equal(found.lengths, expected.lengths)


def test_a_stream_reads_only_so_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "_num_cores", lambda: 2)
    monkeypatch.setattr(tokenizer, "TEXTS_A_PIECE", 1)
    read = []

    def chunks() -> Iterator[list[str]]:
        for number in range(1000):
            read.append(number)
            yield [f"w{number}"]

    stream = tokenize_stream(chunks(), WORDS)
    assert next(stream).types == ["w0"]
    assert len(read) < 20
    stream.close()  # type: ignore[attr-defined]


def test_basic_english_comes_without_torch() -> None:
    code = (
        "import sys; from rnncls.text.tokenizer import build_tokenizer; from"
        " rnncls.config.schema import TextSection;"
    )
    code += "build_tokenizer(TextSection())('a'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Texts that arrive in pieces

FRAGMENTS = [
    " ", "\t", "\u00a0", "a", "b's", "Oslo", "<b>", "</b>", "<", ">", "<br />", "<br", "&lt;", "lt;", "&amp;", "&ampT",
    "#39;s", " #39;", "s", "quot;", "\\", ";", ".", "''", "\u0391\u03a3", "<unk>", "\u2028", "\r", "&#x3c;", "&nbsp;",
    "#", "USA", "7",
]  # fmt: skip


@pytest.mark.parametrize("changes", [False, True], ids=["plain", "marks"])
@pytest.mark.parametrize(
    ("tokenizer", "clean"),
    [("basic_english", True), ("whitespace", True), ("basic_english", False)],
)
@settings(database=None, deadline=None, derandomize=True)
@given(
    fragments=st.lists(st.sampled_from(FRAGMENTS), max_size=30), size=st.integers(1, 9)
)
def test_a_text_in_pieces_has_the_tokens_of_the_whole(
    tokenizer: str, clean: bool, changes: bool, fragments: list[str], size: int
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
    line, found = LineTokens(section), list[str]()
    for start in range(0, len(text), size):
        num_kept, new = line.feed(text[start : start + size])
        found = found[:num_kept] + new
    num_kept, new = line.feed("", is_last=True)
    assert found[:num_kept] + new == line.tokens == build_tokenizer(section)(text)


def test_a_word_counts_once_a_space_follows_it() -> None:
    line = LineTokens(TextSection())
    fed = [line.feed(part) for part in ["Os", "lo", " me", "et ", "", "now"]]
    assert fed == [(0, []), (0, []), (0, ["oslo"]), (1, ["meet"]), (2, []), (2, [])]
    assert line.feed("", is_last=True) == (2, ["now"])


def test_the_end_of_a_tag_takes_words_back() -> None:
    line = LineTokens(TextSection())
    assert line.feed("oslo <b meet ") == (0, ["oslo", "<b", "meet"])
    assert line.feed("> now ") == (1, ["now"])


def test_a_text_has_begun_once_anything_has_come() -> None:
    line = LineTokens(TextSection())
    assert not line.has_begun
    line.feed(" ")
    assert line.has_begun
