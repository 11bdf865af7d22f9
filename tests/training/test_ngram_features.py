"""The features of the n-gram part: n-grams of tokens, and the characters of tokens."""

import numpy as np
import pytest
import torch

from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_hash import hash_ngrams
from rnncls.training.ngram_features import (
    collect_features,
    count_ngrams,
    list_spellings,
)

WORDS = ["<pad>", "<unk>", "anna", "a", "nan", "日本語", "\ud800x", "nanan"]


def encode(*texts: list[int]) -> EncodedTexts:
    lengths = np.array([len(text) for text in texts])
    token_ids = np.concatenate(texts).astype(np.int32)
    return EncodedTexts(token_ids, lengths, np.cumsum(lengths) - lengths)


def spell(word: str) -> list[str]:
    padded = f" {word} "
    return [
        padded[start : start + size]
        for size in (2, 3, 4, 5)
        for start in range(len(padded) - size + 1)
    ]


def test_spellings_are_the_character_ngrams_of_the_tokens_in_the_table() -> None:
    keys = np.array([3, 4, 5, 6, 7, 8, 70_000])  # the key of token i is i + 1
    rows, columns, num_columns = list_spellings(WORDS, keys)
    characters: dict[str, int] = {}
    expected = []
    for row, word in enumerate(WORDS[2:]):
        for ngram in spell(word) if len(word) > 1 else []:
            column = characters.setdefault(ngram, len(characters))
            expected.append((row, column))
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected
    assert num_columns == len(characters)


@pytest.mark.parametrize("words", [[], ["a", "b"]])
def test_tokens_of_one_character_have_no_spelling(words: list[str]) -> None:
    rows, columns, num_columns = list_spellings(words, np.array([1, 2, 9]))
    assert len(rows) == len(columns) == num_columns == 0


def test_an_ngram_is_counted_once_for_each_text_that_has_it() -> None:
    texts = encode([2, 4, 2, 4], [2, 4], [4], [7])
    features, _ = collect_features(texts, WORDS, max_size=2, max_ngrams=100)
    unigrams = hash_ngrams(np.array([2, 4, 7]), np.array([3]), 1)[0, 1:]
    rows = np.searchsorted(features.keys, unigrams)
    assert features.keys[rows].tolist() == unigrams.tolist()
    assert features.counts[rows].tolist() == [2, 3, 1]


def test_the_features_of_the_training_texts_are_those_of_transform() -> None:
    texts = encode([2, 4, 2, 4], [2, 4], [4], [7])
    features, found = collect_features(texts, WORDS, max_size=2, max_ngrams=100)
    expected = features.transform(texts)
    assert torch.equal(found.pattern.columns, expected.pattern.columns)
    assert torch.equal(found.values, expected.values)
    counts = count_ngrams(texts, features.keys, 2)
    squares = torch.from_numpy(features.squares)[:, None]
    norms = counts.multiply(squares).sqrt()
    dense = found.multiply(torch.eye(found.pattern.num_columns))
    expected_dense = counts.multiply(torch.eye(found.pattern.num_columns)) / norms
    assert torch.allclose(dense, expected_dense)


def test_characters_of_one_word_alone_have_no_column() -> None:
    texts = encode([2], [4], [7])
    features, _ = collect_features(texts, WORDS, max_size=1, max_ngrams=100)
    num_columns = features.expand.pattern.num_columns - len(features.keys)
    words = [set(spell(word)) for word in ("anna", "nan", "nanan")]
    shared = [
        ngram
        for ngram in set.union(*words)
        if sum(ngram in ngrams for ngrams in words) > 1
    ]
    assert num_columns == len(shared)
