"""The n-gram part computes what is worked out by hand, for any padding and batch."""

import numpy as np
import pytest
import torch

from rnncls.config.sections import ModelSection
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.ngrams import NgramClassifier
from rnncls.text.ngram_hash import NO_KEY, hash_ngrams
from rnncls.text.ngram_table import NgramTable

V, C = 12, 3


def build_ngrams(max_size: int = 3, num_kept: int = 40) -> NgramClassifier:
    """Return a table of some of the n-grams of random texts, with random weights."""
    generator = np.random.default_rng(max_size)
    tokens = generator.integers(2, V, 200)
    keys = np.unique(hash_ngrams(tokens, np.full(20, 10), max_size))
    keys = np.sort(generator.permutation(keys[keys != NO_KEY])[:num_kept])
    table = NgramTable(
        max_size,
        keys,
        generator.normal(size=(len(keys), C)).astype(np.float32),
        generator.random(len(keys)).astype(np.float32),
        generator.normal(size=C).astype(np.float32),
        scale=0.5,
    )
    return NgramClassifier(table, V)


def random_texts(num_texts: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 9, (num_texts,), generator=generator).tolist()
    return [torch.randint(1, V, (size,), generator=generator) for size in lengths]


def alone(ngrams: NgramClassifier, text: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = ngrams(text[None], torch.tensor([len(text)]))
    return logits[0]


@pytest.mark.parametrize("max_size", [1, 2, 4])
def test_logits_are_the_sum_of_the_weights_over_the_norm(max_size: int) -> None:
    ngrams = build_ngrams(max_size)
    keys = ngrams.keys.tolist()
    for text in random_texts(30):
        hashes = hash_ngrams(text.numpy(), np.array([len(text)]), max_size)
        rows = [keys.index(key) for key in hashes.ravel() if key in keys]
        sums = ngrams.rows[rows].double().sum(dim=0)
        expected = ngrams.bias.double()
        if rows:
            expected = expected + sums[:-1] / sums[-1].sqrt()
        assert torch.allclose(alone(ngrams, text).double(), expected, atol=1e-5)


def test_padding_and_batch_do_not_change_a_bit() -> None:
    ngrams = build_ngrams()
    texts = random_texts(20)
    lengths = torch.tensor([len(text) for text in texts])
    padded = torch.full((20, 15), 3)  # padding may hold any id
    for row, text in enumerate(texts):
        padded[row, : len(text)] = text
    together = ngrams(padded, lengths)
    for row, text in enumerate(texts):
        assert torch.equal(together[row], alone(ngrams, text))


def test_a_text_of_unknown_words_has_the_bias() -> None:
    ngrams = build_ngrams()
    assert torch.equal(alone(ngrams, torch.tensor([1, 1, 1])), ngrams.bias)


def test_the_shares_of_the_tokens_add_up_to_the_logits() -> None:
    ngrams = build_ngrams()
    for text in random_texts(20):
        shares = ngrams.share_out(text)
        assert shares.shape == (len(text), C)
        expected = (alone(ngrams, text) - ngrams.bias).double()
        assert torch.allclose(shares.sum(dim=0), expected, atol=1e-5)


def test_token_ids_of_unknown_words_are_left_out() -> None:
    ngrams = build_ngrams()
    unknown = alone(ngrams, torch.tensor([4, 1, 5]))
    assert torch.equal(alone(ngrams, torch.tensor([4, V + 3, 5])), unknown)
    running = ngrams.running()
    found = [running.add(token_id) for token_id in (4, V + 3, 5)]
    assert torch.allclose(found[-1], unknown, atol=1e-6)


def test_an_unknown_token_has_no_share() -> None:
    shares = build_ngrams().share_out(torch.tensor([4, 1, 5]))
    assert not shares[1].any()


def test_the_running_form_has_the_logits_of_each_prefix() -> None:
    ngrams = build_ngrams()
    for text in random_texts(10):
        running = ngrams.running()
        for end, token_id in enumerate(text.tolist(), start=1):
            found = running.add(token_id)
            assert torch.allclose(found, alone(ngrams, text[:end]), atol=1e-5)


def test_the_classifier_adds_the_ngrams_to_the_network() -> None:
    torch.manual_seed(0)
    model = TextClassifier(ModelSection(hidden_size=4, embedding_dim=3), V, C).eval()
    token_ids, lengths = torch.tensor([[3, 4, 5]]), torch.tensor([3])
    network = model(token_ids, lengths, is_ragged=False)
    model.ngrams = build_ngrams()
    both = model(token_ids, lengths, is_ragged=False)
    expected = network + 0.5 * model.ngrams(token_ids, lengths)
    assert torch.equal(both, expected)
    model.ngrams.is_alone = True
    own = model(token_ids, lengths, is_ragged=False)
    assert torch.equal(own, 0.5 * model.ngrams(token_ids, lengths))
    assert not [name for name in model.state_dict() if "ngrams" in name]
