"""Tokenisation, and flat arrays of word numbers."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from torchtext.data.utils import _basic_english_normalize

from rnncls.config.sections import TextSection
from rnncls.text import tokenizer
from rnncls.text.tokenizer import (
    TokenizedTexts,
    build_tokenizer,
    join_texts,
    tokenize_stream,
    tokenize_texts,
)

CHUNKS = [["a b a", "c"], [], ["b", "d a b b"]]
ROWS = [text.split() for text in chain(*CHUNKS)]


WORDS = TextSection(tokenizer="whitespace", clean=False)


def tokenized() -> TokenizedTexts:
    return join_texts(tokenize_texts(chunk, WORDS) for chunk in CHUNKS)


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


BASIC_ENGLISH = build_tokenizer(
    TextSection(tokenizer="basic_english", clean=False, max_tokens=10_000)
)
SIGNS_AND_SPACES = st.sampled_from(
    [*"'\".,()!?;:<br />\\aΣ \t\n\x1c\x85\xa0\u3000\u200b"]
)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_basic_english_is_torchtexts(text: str) -> None:
    assert BASIC_ENGLISH(text) == (_basic_english_normalize(text) or ["<unk>"])


@given(st.text(SIGNS_AND_SPACES | st.characters()) | st.text("<br />\"'.;"))
@example('<b"r />a<br />.<br />')
def test_basic_english_is_torchtexts_for_any_text(text: str) -> None:
    assert BASIC_ENGLISH(text) == (_basic_english_normalize(text) or ["<unk>"])


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
def test_basic_english_reads_cleaned_text(text: str, tokens: list[str]) -> None:
    assert build_tokenizer(TextSection(clean=True))(text) == tokens


@pytest.mark.parametrize("text", ["#39;", "&lt;b&gt;x", "a\\b"])
def test_without_cleaning_text_is_read_as_it_is(text: str) -> None:
    assert build_tokenizer(TextSection(tokenizer="whitespace", clean=False))(text) == [
        text
    ]


def test_whitespace_splits_at_white_space_alone() -> None:
    tokenize = build_tokenizer(TextSection(tokenizer="whitespace"))
    assert tokenize("Don't  stop,\tnow\u2003(OK) ") == ["Don't", "stop,", "now", "(OK)"]


def test_marked_words_are_then_made_lower_case() -> None:
    tokenize = build_tokenizer(TextSection(clean=True, mark_case=True))
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
def test_digits_are_made_alike_once_entities_are_cleaned(tokenizer: str) -> None:
    section = TextSection.model_validate(
        {"tokenizer": tokenizer, "same_digits": True, "clean": True}
    )
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
    section = TextSection.model_validate({"tokenizer": tokenizer, "clean": True})
    assert build_tokenizer(section)(text) == ["<unk>"]


def test_words_are_numbered_in_the_order_of_their_first_appearance() -> None:
    assert tokenized().words == ["a", "b", "c", "d"]


def test_flat_arrays_hold_the_texts_one_after_the_other() -> None:
    texts = tokenized()
    ends = np.cumsum(texts.lengths)
    parts = np.split(texts.word_ids, ends[:-1])
    assert [[texts.words[number] for number in part] for part in parts] == ROWS


def test_lengths_count_the_tokens_of_each_text() -> None:
    assert tokenized().lengths.tolist() == [len(row) for row in ROWS]


def test_flat_arrays_have_the_promised_kinds_of_numbers() -> None:
    texts = tokenized()
    assert (texts.word_ids.dtype.name, texts.lengths.dtype.name) == ("int32", "int64")


def test_how_the_texts_are_cut_into_chunks_does_not_matter() -> None:
    whole, parts = tokenize_texts(list(chain(*CHUNKS)), WORDS), tokenized()
    np.testing.assert_array_equal(whole.word_ids, parts.word_ids)


def test_many_texts_are_tokenised_as_a_plain_loop_would() -> None:
    generator = np.random.default_rng(0)
    rows = [
        [f"w{word}" for word in generator.integers(0, 50, generator.integers(1, 20))]
        for _ in range(300)
    ]
    texts = tokenize_texts([" ".join(row) for row in rows], WORDS)
    assert [texts.words[number] for number in texts.word_ids] == list(chain(*rows))


def test_no_texts_make_empty_arrays() -> None:
    texts = tokenize_texts([], WORDS)
    assert (
        texts.word_ids.shape,
        texts.lengths.shape,
        texts.words,
        texts.counts().shape,
    ) == ((0,), (0,), [], (0,))


def test_counts_are_those_of_all_texts() -> None:
    texts = tokenized()
    assert dict(zip(texts.words, texts.counts().tolist(), strict=True)) == Counter(
        chain(*ROWS)
    )


@pytest.mark.parametrize("chosen", [[0], [1, 3], [3, 1], [0, 1, 2, 3], []])
def test_counts_of_chosen_texts_leave_out_the_others(chosen: list[int]) -> None:
    texts = tokenized()
    found = dict(
        zip(
            texts.words,
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
    monkeypatch.setattr(tokenizer, "_count_cores", lambda: num_cores)
    monkeypatch.setattr(tokenizer, "TEXTS_A_PIECE", 10)
    texts = [f"text w{number} of {number % 7}" for number in range(237)]
    chunks = [texts[:5], [], texts[5:200], texts[200:]]
    pairs = list(tokenize_stream(chunks, TextSection()))
    assert [text for piece, _ in pairs for text in piece] == texts
    assert all(len(piece) == len(part.lengths) for piece, part in pairs)
    found = join_texts(part for _, part in pairs)
    expected = tokenize_texts(texts, TextSection())
    assert found.words == expected.words
    np.testing.assert_array_equal(found.word_ids, expected.word_ids)
    np.testing.assert_array_equal(found.lengths, expected.lengths)


def test_a_stream_reads_only_so_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "_count_cores", lambda: 2)
    monkeypatch.setattr(tokenizer, "TEXTS_A_PIECE", 1)
    read = []

    def chunks() -> Iterator[list[str]]:
        for number in range(1000):
            read.append(number)
            yield [f"w{number}"]

    stream = tokenize_stream(chunks(), WORDS)
    texts, tokenized = next(stream)
    assert (texts, tokenized.words) == (["w0"], ["w0"])
    assert len(read) < 20
    stream.close()  # type: ignore[attr-defined]


def test_basic_english_comes_without_torch() -> None:
    code = (
        "import sys; from rnncls.text.tokenizer import build_tokenizer; from"
        " rnncls.config.sections import TextSection;"
    )
    code += "build_tokenizer(TextSection())('a'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("word", ["", "two\nlines"])
def test_a_token_that_is_empty_or_holds_a_line_end_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="the tokenizer made the invalid token"):
        TokenizedTexts(np.zeros(1, np.int32), np.ones(1, np.int64), ["a", word])


def test_texts_are_selected_in_the_order_asked_for() -> None:
    texts = tokenize_texts(["a b c", "d", "e f"], TextSection())
    chosen = texts.select(np.array([2, 0]))
    assert [texts.words[kind] for kind in chosen.word_ids] == ["e", "f", "a", "b", "c"]
    assert chosen.lengths.tolist() == [2, 3]
