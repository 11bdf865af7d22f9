"""Copies and near copies, against a comparison of all pairs."""

import random

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.data.duplicates import (
    THRESHOLD,
    compare_pairs,
    find_near_pairs,
    group_texts,
)
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts


def tokenize(*texts: str) -> TokenizedTexts:
    return tokenize_texts(
        list(texts), TextSection(tokenizer="whitespace", max_tokens=1000)
    )


def shingles_of(text: str) -> set[tuple[str, ...]]:
    tokens = text.split()
    return {
        tuple(tokens[place : place + 3]) for place in range(max(len(tokens) - 2, 1))
    }


def similar_pairs(texts: list[str]) -> list[list[int]]:
    """Return the near pairs as the definition has them: all pairs compared."""
    sets = [shingles_of(text) for text in texts]
    return [
        [one, other]
        for other in range(len(texts))
        for one in range(other)
        if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= THRESHOLD
    ]


def random_texts(seed: int, num_texts: int = 150) -> list[str]:
    """Return texts of which many are an earlier one with a word or two changed."""
    generator = random.Random(seed)
    words = [f"w{number}" for number in range(300)]
    texts: list[str] = []
    for _ in range(num_texts):
        tokens = generator.choices(words, k=generator.randrange(1, 60))
        if texts and generator.random() < 0.5:
            tokens = generator.choice(texts).split()
            for _ in range(generator.randrange(1, 4)):
                tokens[generator.randrange(len(tokens))] = generator.choice(words)
        texts.append(" ".join(tokens))
    return texts


def test_the_same_texts_have_the_same_number_in_the_order_of_their_appearance() -> None:
    assert group_texts(tokenize("a b", "b a", "a b", "a b c", "b a")).tolist() == [
        0,
        1,
        0,
        2,
        1,
    ]


@pytest.mark.parametrize("seed", range(4))
def test_near_pairs_are_those_of_comparing_all_pairs(seed: int) -> None:
    texts = random_texts(seed)
    expected = sorted(similar_pairs(texts))
    assert len(expected) > 5
    assert find_near_pairs(tokenize(*texts)).tolist() == expected


def test_a_pair_at_the_threshold_is_near_and_one_below_is_not() -> None:
    # 9 shingles each, 8 in common: 8 of 10. With another word in the middle 6 of 12.
    words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]
    texts = [
        " ".join(words),
        " ".join([*words[:10], "z"]),
        " ".join([*words[:5], "z", *words[6:]]),
    ]
    assert find_near_pairs(tokenize(*texts)).tolist() == [[0, 1]]


def test_short_texts_are_one_shingle() -> None:
    assert find_near_pairs(tokenize("a b", "a c", "a", "b a")).tolist() == []


def test_a_text_is_not_taken_for_its_neighbour() -> None:
    assert find_near_pairs(tokenize("a b c d", "d e f g", "c d d e")).tolist() == []


def test_no_texts_have_no_pairs() -> None:
    empty = TokenizedTexts(np.empty(0, np.int32), np.empty(0, np.int64), [])
    assert find_near_pairs(empty).tolist() == []


def test_many_copies_of_a_template_are_found_without_comparing_all() -> None:
    body = " ".join(f"w{number}" for number in range(40))
    texts = [f"{body} n{number}" for number in range(200)]
    pairs = find_near_pairs(tokenize(*texts))
    assert set(pairs.ravel().tolist()) == set(range(200))


def test_a_pair_is_compared_by_its_shingles() -> None:
    texts = ["a b c d", "a b c d", "a b c e", "x y z"]
    tokenized = tokenize_texts(texts, TextSection())
    pairs = np.array([[0, 1], [0, 2], [0, 3]])
    # {abc, bcd} and {abc, bce} have one of three shingles in common.
    assert compare_pairs(tokenized, pairs).tolist() == pytest.approx([1, 1 / 3, 0])
