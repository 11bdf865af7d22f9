"""The twin of a text is the most similar one with another label."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts
from rnncls.training.twin_rows import build_tfidf, find_twins

TEXTS = [
    "the cat sat on the mat",
    "the cat sat on a mat",
    "dogs run fast",
    "the dogs run",
    "something else entirely",
]


@pytest.fixture
def tokenized() -> TokenizedTexts:
    return tokenize_texts(TEXTS, TextSection())


def test_vectors_are_those_of_scikit_learn(tokenized: TokenizedTexts) -> None:
    vectorizer = TfidfVectorizer(binary=True, token_pattern=r"\S+")
    expected = vectorizer.fit_transform(TEXTS)
    vectors = build_tfidf(tokenized)
    transposed = vectors.transposed.multiply(torch.eye(len(TEXTS)))  # [K, N]
    similarities = vectors.multiply(transposed)  # [N, N]
    np.testing.assert_allclose(
        similarities.numpy(), (expected @ expected.T).toarray(), atol=1e-6
    )


def test_the_twin_has_another_label(tokenized: TokenizedTexts) -> None:
    labels = np.array([0, 0, 1, 0, 1])
    everything = np.arange(5)
    twins, similarities = find_twins(tokenized, labels, everything, np.array([0, 2, 4]))
    assert twins.tolist() == [-1, 3, -1]
    assert 0.5 < similarities[1] < 1
    assert similarities[[0, 2]].tolist() == [0, 0]
    labels = np.array([0, 1, 1, 0, 1])
    twins, _ = find_twins(tokenized, labels, everything, np.array([0]))
    assert twins.tolist() == [1]


def test_a_twin_is_a_candidate(tokenized: TokenizedTexts) -> None:
    labels = np.array([0, 1, 1, 1, 1])
    twins, _ = find_twins(tokenized, labels, np.array([0, 3]), np.array([0]))
    assert twins.tolist() == [3]


def test_label_sets_differ_in_any_label(tokenized: TokenizedTexts) -> None:
    labels = np.array([[1, 0], [1, 0], [0, 0], [1, 1], [0, 0]], np.bool_)
    twins, _ = find_twins(tokenized, labels, np.arange(5), np.array([0, 2]))
    assert twins.tolist() == [3, 3]


def test_no_twins_are_wanted(tokenized: TokenizedTexts) -> None:
    labels, everything = np.zeros(5, np.int64), np.arange(5)
    twins, similarities = find_twins(tokenized, labels, everything, everything[:0])
    assert (len(twins), len(similarities)) == (0, 0)
