"""Words whose share of the texts has changed."""

import numpy as np
import pytest
from scipy.stats import fisher_exact

from rnncls.evaluation.drift_words import (
    compute_level,
    compute_word_ps,
    find_shifted_words,
)
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
    assert virus.change > 0 > game.change
    assert game.p < virus.p


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


def test_p_is_twice_that_of_the_one_sided_exact_test() -> None:
    counts, num_texts = np.array([[10, 0, 5, 5], [30, 4, 5, 6]]), np.array([100, 120])
    for (first, second), p in zip(
        counts.T.tolist(), compute_word_ps(counts, num_texts).tolist(), strict=True
    ):
        table = [[first, 100 - first], [second, 120 - second]]
        sides = [
            float(fisher_exact(table, alternative=side).pvalue)
            for side in ("less", "greater")
        ]
        assert p == pytest.approx(min(1.0, 2 * min(sides)))


def test_words_that_are_too_rare_to_be_found_are_not_counted() -> None:
    """A word in one or two of 200 texts cannot be significant, however it changes."""
    num_texts = np.array([100, 100])
    common = np.array([60, 80])
    rare = np.concatenate([common, np.full(5_000, 2)])
    assert compute_level(common, num_texts) == pytest.approx(0.01 / 2)
    assert compute_level(rare, num_texts) == pytest.approx(0.01 / 2)
    assert compute_level(np.full(300, 60), num_texts) == pytest.approx(0.01 / 300)


def test_no_word_is_listed_if_there_are_none() -> None:
    empty = TokenizedTexts(np.zeros(0, np.int32), np.zeros(20, np.int64), [])
    assert find_shifted_words(empty, empty, VOCAB) == []
