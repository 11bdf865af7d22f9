"""The measures of uncertainty have the values that were worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls import ConfigError
from rnncls.config.sections import ModelSection
from rnncls.inference.active_learning.uncertainty import (
    NUM_MASKS,
    compute_closeness,
    compute_disagreement,
    compute_entropy,
)
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.run import load_run
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.tokenizer import tokenize_texts
from tests.builders import write_run


def test_entropy_of_one_label_is_that_of_the_classes() -> None:
    probs = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    entropy = compute_entropy(probs, has_several_labels=False)
    assert entropy.tolist() == pytest.approx([math.log(2), 0.0])


def test_entropy_of_several_labels_is_the_sum_over_the_labels() -> None:
    probs = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    entropy = compute_entropy(probs, has_several_labels=True)
    assert entropy.tolist() == pytest.approx([2 * math.log(2), 0.0])


def test_closeness_is_one_minus_the_margin() -> None:
    probs = torch.tensor([[0.2, 0.7, 0.1], [0.45, 0.1, 0.45]])
    assert compute_closeness(probs, None).tolist() == pytest.approx([0.5, 1.0])


def test_closeness_of_several_labels_is_that_to_the_nearest_threshold() -> None:
    probs = torch.tensor([[0.9, 0.25], [0.5, 0.9]])
    closeness = compute_closeness(probs, [0.5, 0.2])
    assert closeness.tolist() == pytest.approx([0.95, 1.0])


def encode(path: Path, texts: list[str]) -> tuple[TextClassifier, EncodedTexts]:
    classifier = load_run(path).classifier
    tokenized = tokenize_texts(texts, classifier.text)
    return classifier.model, encode_texts(tokenized, classifier.vocab)


def test_disagreement_is_entropy_that_the_masks_do_not_share(tmp_path: Path) -> None:
    torch.manual_seed(3)
    write_run(tmp_path / "run", labels=["a", "b"], words=["not", "good"])
    model, texts = encode(tmp_path / "run", ["not good", "good", "not"])
    with torch.no_grad():
        model.linear.weight *= 20
    disagreement = compute_disagreement(model, texts, seed=0)
    assert disagreement.shape == (3,)
    assert (disagreement >= -1e-6).all()
    assert (disagreement <= math.log(2)).all()
    assert float(disagreement.max()) > 0.01
    again = compute_disagreement(model, texts, seed=0)
    assert again.tolist() == disagreement.tolist()
    other = compute_disagreement(model, texts, seed=NUM_MASKS)
    assert other.tolist() != disagreement.tolist()


@pytest.mark.parametrize("ngrams", [None, "alone"])
def test_a_model_without_dropout_has_no_disagreement(ngrams: str | None) -> None:
    dropout = 0.5 if ngrams else 0.0
    section = ModelSection.model_validate(
        {"embedding_dim": 2, "hidden_size": 2, "dropout": dropout, "ngrams": ngrams}
    )
    model = TextClassifier(section, 3, 2)
    texts = EncodedTexts(np.array([2], np.int32), np.array([1]), np.array([0]))
    with pytest.raises(ConfigError, match="the run has no dropout"):
        compute_disagreement(model, texts, seed=0)
