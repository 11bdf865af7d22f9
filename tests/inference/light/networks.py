"""The same network in torch and in NumPy."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from rnncls.config.sections import DataSection, ModelSection, TextSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.scope import choose_unknown_weight, score_texts
from rnncls.inference.light.network import compute_outputs
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.prediction import Prediction
from rnncls.inference.predictor import Predictor
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.ngrams import NgramClassifier
from rnncls.nn.scope import ScopeRule
from rnncls.runs.classifier import Classifier
from rnncls.runs.portable import PortableClassifier
from rnncls.text.char_ngrams import choose_char_ngrams
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.ngram_hash import hash_ngrams
from rnncls.text.ngram_table import NgramTable, pack_table, unpack_table
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import Vocab

WORDS = ["<pad>", "<unk>", "oslo", "rovers", "meet", "again", "'", ".", "a", "\u200d"]
LABELS = ["sport", "world", "weather"]
THRESHOLDS = [0.3, 0.5, 0.6]
"""Those of a network with several labels a text."""
TOLERANCE = 1e-5
"""The largest difference of two logits, as a share of the largest of them."""
MIN_GAP = 0.01
"""Scores that differ by less may be on either side of a threshold between them."""


@dataclass(frozen=True)
class Networks:
    """One network twice."""

    torch: Classifier
    numpy: PortableClassifier

    def predictor(self, *, attention: bool = False) -> Predictor:
        return Predictor(self.torch, torch.device("cpu"), attention=attention)

    def light(self, *, attention: bool = False) -> LightPredictor:
        return LightPredictor(self.numpy, attention=attention)

    def encode(self, texts: list[str]) -> EncodedTexts:
        return encode_texts(tokenize_texts(texts, self.torch.text), self.torch.vocab)

    def assert_equal(self, texts: list[str]) -> None:
        """Compare the logits of all texts."""
        encoded = self.encode(texts)
        expected = compute_logits(self.torch.model, encoded).numpy()
        found = compute_outputs(self.numpy, encoded).logits
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * scale)


def assert_same_labels(found: list[Prediction], expected: list[Prediction]) -> None:
    """Compare probabilities, thresholds and labels of several labels a text."""
    for prediction, other in zip(found, expected, strict=True):
        assert prediction.probs == pytest.approx(other.probs, abs=TOLERANCE)
        assert prediction.thresholds == other.thresholds
        thresholds = other.thresholds or {}
        margins = [abs(other.probs[name] - thresholds[name]) for name in thresholds]
        if thresholds and min(margins) > TOLERANCE:
            assert set(prediction.labels) == set(other.labels)


def build_networks(
    *,
    temperature: float = 1.0,
    gain: float = 3.0,
    seed: int = 0,
    text: TextSection | None = None,
    **settings: Any,
) -> Networks:
    """Build a network with new weights.

    Args:
        temperature: The logits are divided by it.
        gain: The word vectors and the linear layer are multiplied by it, so that texts
            get different answers.
        seed: The seed of the weights.
        text: How a text becomes tokens.
        settings: Keys of the model section that differ from a very small network.
    """
    small: dict[str, Any] = {"embedding_dim": 6, "hidden_size": 5}
    section = ModelSection(**{**small, **settings})
    text = text or TextSection(max_tokens=64)
    torch.manual_seed(seed)
    vocab = Vocab(WORDS, choose_char_ngrams(text))
    model = TextClassifier(section, vocab.num_rows, len(LABELS)).eval()
    with torch.no_grad():
        model.embedding.weight.mul_(gain)
        model.linear.weight.mul_(gain)
    model.temperature = temperature
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    data = DataSection(train="none.csv")
    thresholds = THRESHOLDS if section.has_several_labels else None
    return Networks(
        Classifier(text, vocab, LABELS, model, temperature, thresholds),
        PortableClassifier(
            text,
            section,
            vocab,
            LABELS,
            arrays,
            temperature,
            data,
            thresholds=thresholds,
        ),
    )


def add_ngrams(
    networks: Networks, *, is_alone: bool = False, num_ngrams: int | None = None
) -> Networks:
    """Return the networks with an n-gram part of some n-grams of random texts."""
    generator = np.random.default_rng(0)
    num_words, num_classes = len(networks.torch.vocab), len(LABELS)
    tokens = generator.integers(2, num_words, 100)
    keys = np.unique(hash_ngrams(tokens, np.full(10, 10), max_size=3))[1:][:num_ngrams]
    table = NgramTable(
        3,
        keys,
        generator.normal(size=(len(keys), num_classes)).astype(np.float32),
        generator.random(len(keys)).astype(np.float32),
        generator.normal(size=num_classes).astype(np.float32),
        scale=0.7,
        is_alone=is_alone,
        is_centred=not networks.numpy.has_several_labels,
    )
    table = unpack_table(pack_table(table, np.ones(len(keys), np.float32)))
    num_rows = networks.torch.vocab.num_rows
    networks.torch.model.ngrams = NgramClassifier(table, num_rows)
    return Networks(networks.torch, replace(networks.numpy, ngrams=table))


def add_scope(networks: Networks, texts: list[str]) -> Networks:
    """Return the networks with a rule that about half of these texts fit.

    The threshold is in a wide gap between two scores, so that rounding changes no
    decision. If there is none, all texts with a known word fit.
    """
    encoded = networks.encode(texts)
    logits = compute_outputs(networks.numpy, encoded).logits
    weight = choose_unknown_weight(logits, encoded)
    scores = score_texts(logits, encoded, weight)
    ranked = np.sort(scores[np.isfinite(scores)])
    num_left_out = len(ranked) // 4  # at each end
    middle = ranked[num_left_out : len(ranked) - num_left_out]
    gaps = np.diff(middle)
    threshold = float(ranked[0]) - 1 if len(ranked) else 0.0
    if len(gaps) and gaps.max() > MIN_GAP:
        low = int(gaps.argmax())
        threshold = float(middle[low : low + 2].mean())
    return set_rule(networks, ScopeRule(threshold, weight))


def set_rule(networks: Networks, rule: ScopeRule) -> Networks:
    """Return the networks with a rule by which texts fit a class."""
    return Networks(
        replace(networks.torch, scope_rule=rule),
        replace(networks.numpy, scope_rule=rule),
    )
