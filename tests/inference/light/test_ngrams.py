"""The n-gram part in NumPy against torch."""

from dataclasses import replace

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.inference.light.ngrams import compute_ngram_logits
from rnncls.text.ngram_table import NgramTable
from tests.inference.light.networks import add_ngrams, build_networks

TEXTS = ["rovers meet oslo again .", "", "zanzibar", "oslo", "a a ' . rovers " * 9]


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_the_logits_are_those_of_torch(
    task: str, temperature: float, *, is_alone: bool
) -> None:
    networks = build_networks(task=task, temperature=temperature)
    add_ngrams(networks, is_alone=is_alone).assert_equal(TEXTS)


def test_unknown_words_with_ids_of_their_own_are_left_out() -> None:
    text = TextSection(tokenizer="words", char_ngrams=[3, 5], ngram_buckets=64)
    networks = add_ngrams(build_networks(text=text))
    networks.assert_equal(["oslo zanzibar meet", "zanzibar rovers", "kenya"])


def test_a_table_without_ngrams_gives_the_bias() -> None:
    networks = add_ngrams(build_networks())
    full = networks.numpy.ngrams
    assert full is not None
    empty = NgramTable(
        2,
        np.zeros(0, np.int64),
        np.zeros((0, 3), np.float32),
        np.zeros(0, np.float32),
        full.bias,
    )
    logits = compute_ngram_logits(empty, networks.encode(TEXTS))
    assert logits.tolist() == [full.bias.tolist()] * len(TEXTS)


def test_the_batch_does_not_change_the_logits_of_a_text() -> None:
    networks = add_ngrams(build_networks())
    table = networks.numpy.ngrams
    assert table is not None
    encoded = networks.encode(TEXTS)
    together = compute_ngram_logits(replace(table, scale=1.0), encoded)
    for row in range(len(TEXTS)):
        one = compute_ngram_logits(
            replace(table, scale=1.0), encoded.select(np.array([row]))
        )
        assert np.allclose(one[0], together[row], atol=1e-6)
