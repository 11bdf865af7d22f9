"""The vocabulary: ids, order and limits."""

from collections.abc import Sequence

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import PAD, PAD_ID, UNK_ID, Vocab, build_vocab

COUNTS = {"the": 5, "b": 2, "a": 2, "Z": 2, "rare": 1, "é": 2}


def build(
    counts: dict[str, int], *, min_freq: int = 1, max_vocab: int | None = None
) -> list[str]:
    """Return the words of the vocabulary of some counted words."""
    return build_vocab(
        list(counts),
        np.array(list(counts.values()), dtype=np.int64),
        min_freq=min_freq,
        max_vocab=max_vocab,
    ).words


def test_padding_is_0_and_unknown_is_1() -> None:
    assert build(COUNTS)[:2] == ["<pad>", "<unk>"]
    assert (PAD_ID, UNK_ID) == (0, 1)


def test_frequent_words_come_first_and_equally_frequent_ones_by_code_point() -> None:
    assert build(COUNTS)[2:] == ["the", "Z", "a", "b", "é", "rare"]


@pytest.mark.parametrize(
    ("min_freq", "words"),
    [
        (1, ["the", "Z", "a", "b", "é", "rare"]),
        (2, ["the", "Z", "a", "b", "é"]),
        (3, ["the"]),
        (6, []),
    ],
)
def test_words_below_the_lowest_count_are_left_out(
    min_freq: int, words: list[str]
) -> None:
    assert build(COUNTS, min_freq=min_freq)[2:] == words


@pytest.mark.parametrize(
    ("max_vocab", "words"),
    [
        (3, ["the"]),
        (5, ["the", "Z", "a"]),
        (8, ["the", "Z", "a", "b", "é", "rare"]),
        (100, build(COUNTS)[2:]),
    ],
)
def test_the_limit_keeps_the_most_frequent_words_and_counts_the_special_ones_in(
    max_vocab: int, words: list[str]
) -> None:
    assert build(COUNTS, max_vocab=max_vocab)[2:] == words


def test_the_length_counts_the_special_words_in() -> None:
    assert len(Vocab([PAD, "<unk>", "a"])) == 3


def test_words_that_never_occur_are_left_out() -> None:
    assert build({"a": 1, "b": 0})[2:] == ["a"]


def test_no_words_make_a_vocabulary_of_the_special_ones() -> None:
    assert build({}) == ["<pad>", "<unk>"]


def test_special_words_in_a_text_do_not_stand_twice() -> None:
    assert build({"<pad>": 9, "<unk>": 8, "a": 1}) == ["<pad>", "<unk>", "a"]


def test_special_words_in_a_text_do_not_use_up_the_limit() -> None:
    assert build({"<pad>": 9, "<unk>": 8, "b": 2, "a": 1}, max_vocab=4) == [
        "<pad>",
        "<unk>",
        "b",
        "a",
    ]


@pytest.mark.parametrize(
    ("word", "token_id"),
    [("a", 2), ("b", 3), ("A", 1), ("never", 1), ("", 1), ("<unk>", 1), ("<pad>", 1)],
)
def test_a_word_reads_as_its_place_and_any_other_as_unknown(
    word: str, token_id: int
) -> None:
    assert Vocab(["<pad>", "<unk>", "a", "b"]).encode([word]).tolist() == [token_id]


def test_encoding_keeps_the_order_as_int32() -> None:
    ids = Vocab(["<pad>", "<unk>", "a", "b"]).encode(["b", "x", "a", "b"])
    assert (ids.tolist(), ids.dtype.name) == ([3, 1, 2, 3], "int32")


def test_nothing_is_encoded_as_nothing() -> None:
    ids = Vocab(["<pad>", "<unk>"]).encode([])
    assert (ids.shape, ids.dtype.name) == ((0,), "int32")


@pytest.mark.parametrize(
    "words", [[], ["<pad>"], ["<unk>", "<pad>"], ["a", "b"], ["<pad>", "a", "<unk>"]]
)
def test_a_list_that_does_not_start_with_the_special_words_is_refused(
    words: list[str],
) -> None:
    with pytest.raises(ValueError, match="a vocabulary starts with <pad> and <unk>"):
        Vocab(words)


@pytest.mark.parametrize("words", [["a", "a"], ["<pad>"], ["<unk>", "b"]])
def test_a_list_that_names_a_word_twice_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="the vocabulary has a word twice"):
        Vocab(["<pad>", "<unk>", *words])


def test_the_vocabulary_keeps_a_list_of_its_own() -> None:
    words = ["<pad>", "<unk>", "a"]
    vocab = Vocab(words)
    words.append("b")
    assert vocab.words == ["<pad>", "<unk>", "a"]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_the_order_of_the_rows_does_not_matter(order: Sequence[int]) -> None:
    rows = ["one two two", "three one", "two four", "five"]
    texts = tokenize_texts(
        [rows[row] for row in order], TextSection(tokenizer="whitespace", clean=False)
    )
    vocab = build_vocab(texts.words, texts.counts(), min_freq=1, max_vocab=None)
    assert vocab.words == ["<pad>", "<unk>", "two", "one", "five", "four", "three"]
