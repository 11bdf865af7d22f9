"""Word vectors in NumPy: known words, unknown words and their n-grams."""

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.inference.light.word_vectors import embed, embed_unknown
from rnncls.text.char_ngrams import CharNgrams
from rnncls.text.vocab import UNK_ID, Vocab
from tests.inference.light.networks import build_networks

TEXTS = [
    "rovers meet oslo",
    "",
    "zanzibar",
    "rovers meet the zanzibari again",
    "x",
    "<",
]
NGRAMS = TextSection(tokenizer="words", char_ngrams=[4, 5], ngram_buckets=30)


@pytest.mark.parametrize("cell", ["lstm", "none"])
def test_unknown_words_have_the_vectors_of_torch(cell: str) -> None:
    networks = build_networks(text=NGRAMS, cell=cell)
    assert networks.encode(TEXTS).is_unknown().sum() == 6
    networks.assert_equal(TEXTS)
    networks.assert_equal(["oslo", "rovers"])
    networks.assert_equal(["x", "y"])  # no n-gram of four characters


def test_ngrams_change_the_answer() -> None:
    networks = build_networks(text=NGRAMS)
    one, other = networks.light().predict(["zanzibar", "xylophone"])
    assert one.probs != pytest.approx(other.probs, abs=1e-3)
    assert one.num_unknown == other.num_unknown == 1


def test_a_vector_is_that_of_unk_and_the_mean_of_the_ngrams() -> None:
    vocab = Vocab(["<pad>", "<unk>", "a"], CharNgrams(4, 4, 7))
    embedding = np.random.default_rng(0).random((10, 2), np.float32)
    token_ids, unknown = vocab.encode_open(["a", "bcd", "x", "<unk>"])
    found = embed(embedding, embed_unknown(embedding, unknown), token_ids)
    assert unknown is not None
    rows = unknown.ngrams.rows
    mean = (embedding[rows[0]] + embedding[rows[1]]) / 2
    unk = embedding[UNK_ID]
    expected = [embedding[2], unk + mean, unk, unk]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_mean_of_thousands_of_ngrams_is_right() -> None:
    vocab = Vocab(["<pad>", "<unk>"], CharNgrams(2, 2, 1000))
    embedding = np.random.default_rng(0).random((1002, 4), np.float32)
    _, unknown = vocab.encode_open(["x" * 5000])
    assert unknown is not None
    (found,) = embed_unknown(embedding, unknown)
    rows = embedding[unknown.ngrams.rows].astype(np.float64)
    expected = embedding[UNK_ID] + rows.mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
