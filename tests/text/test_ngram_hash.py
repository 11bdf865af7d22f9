"""Keys of n-grams are those that are worked out by hand."""

import numpy as np
import pytest

from rnncls.text.ngram_hash import MULTIPLIER, NO_KEY, hash_ngrams


def key(*token_ids: int) -> int:
    hashed = 0
    for token_id in token_ids:
        hashed = (hashed * MULTIPLIER + token_id + 1) % 2**32
    return hashed


def test_each_text_has_the_ngrams_that_begin_at_its_tokens() -> None:
    keys = hash_ngrams(np.array([5, 7, 9]), np.array([2, 1]), max_size=3)
    expected = [
        # START, 5, 7, START, 9
        [NO_KEY, key(5), key(7), NO_KEY, key(9)],
        [key(0, 5), key(5, 7), NO_KEY, key(0, 9), NO_KEY],
        [key(0, 5, 7), NO_KEY, NO_KEY, NO_KEY, NO_KEY],
    ]
    assert keys.tolist() == expected


def test_no_ngram_has_an_unknown_token() -> None:
    keys = hash_ngrams(np.array([5, 1, 7]), np.array([3]), max_size=2)
    assert keys.tolist() == [
        [NO_KEY, key(5), NO_KEY, key(7)],
        [key(0, 5), NO_KEY, NO_KEY, NO_KEY],
    ]


def test_ngrams_longer_than_all_texts_are_possible() -> None:
    keys = hash_ngrams(np.array([5]), np.array([1]), max_size=4)
    assert keys.tolist() == [
        [NO_KEY, key(5)],
        [key(0, 5), NO_KEY],
        [NO_KEY, NO_KEY],
        [NO_KEY, NO_KEY],
    ]


def test_pairs_of_frequent_words_have_different_keys() -> None:
    first, second = np.divmod(np.arange(300**2), 300)
    tokens = np.stack([first, second], axis=1).ravel() + 2
    keys = hash_ngrams(tokens, np.full(300**2, 2), max_size=2)
    pairs = keys[1, 1::3]  # each text has START, and two tokens
    assert len(np.unique(pairs)) == 300**2


@pytest.mark.parametrize("token_id", [2, 60_000, 2**31 - 1])
def test_keys_fit_in_32_bits(token_id: int) -> None:
    keys = hash_ngrams(np.full(6, token_id), np.array([6]), max_size=6)
    assert keys.max() < 2**32
    assert keys[5, 1] == key(*[token_id] * 6)
