"""Words whose share of the texts has changed."""

import numpy as np
import pytest

from rnncls.evaluation.drift_words import compute_log_odds_z, find_shifted_words
from rnncls.text.tokenizer import TokenizedTexts, number_by_appearance
from rnncls.text.vocab import Vocab

VOCAB = Vocab(["<pad>", "<unk>", "oil", "game", "the"])


def tokenize(texts: list[str]) -> TokenizedTexts:
    numbers = number_by_appearance()
    ids = [[numbers[word] for word in text.split()] for text in texts]
    lengths = np.array([len(text_ids) for text_ids in ids])
    return TokenizedTexts(np.concatenate(ids).astype(np.int32), lengths, list(numbers))


def test_the_words_that_changed_are_found() -> None:
    reference = tokenize(["the oil"] * 60 + ["the game"] * 60)
    file = tokenize(["the oil"] * 60 + ["the virus"] * 40)
    words = find_shifted_words(reference, file, VOCAB)
    assert [(word.word, word.is_known) for word in words] == [
        ("game", True),
        ("virus", False),
    ]
    game, virus = words
    assert (virus.reference, virus.file) == (0, 0.4)
    assert (game.reference, game.file) == (0.5, 0)
    assert virus.z > 0 > game.z


def test_a_word_counts_once_a_text() -> None:
    reference = tokenize(["the oil"] * 100)
    file = tokenize(["the oil"] * 99 + ["virus " * 200])
    assert find_shifted_words(reference, file, VOCAB) == []


def test_the_same_texts_have_no_changed_word() -> None:
    texts = tokenize([f"the oil {number % 7}" for number in range(100)])
    assert find_shifted_words(texts, texts, VOCAB) == []


def test_texts_without_words_are_not_a_word() -> None:
    reference, file = tokenize(["the oil"] * 100), tokenize(["<unk>"] * 100)
    words = find_shifted_words(reference, file, VOCAB)
    assert {word.word for word in words} == {"the", "oil"}


def test_z_is_that_of_the_formula() -> None:
    counts = np.array([[10], [30]])
    (z,) = compute_log_odds_z(counts, np.array([100, 100]))
    # The prior is a tenth of all texts: 4.05 with the word, 16.05 without.
    first, second = np.log(14.05 / 106.05), np.log(34.05 / 86.05)
    variance = 1 / 14.05 + 1 / 106.05 + 1 / 34.05 + 1 / 86.05
    assert z == pytest.approx((second - first) / variance**0.5)


def test_the_other_way_round_z_has_the_other_sign() -> None:
    counts, sizes = np.array([[10, 0, 90], [30, 5, 90]]), np.array([100, 120])
    there = compute_log_odds_z(counts, sizes)
    assert compute_log_odds_z(counts[::-1], sizes[::-1]) == pytest.approx(-there)
