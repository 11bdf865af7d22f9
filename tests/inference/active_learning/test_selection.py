"""Uncertain texts that are unlike each other are suggested."""

from pathlib import Path

import pytest
import torch

from rnncls.inference.active_learning.selection import (
    Measure,
    SelectionOptions,
    suggest_texts,
    tokenize_all,
)
from rnncls.runs.classifier import Classifier
from rnncls.runs.run import load_run
from rnncls.text.encoded_texts import encode_pieces
from tests.builders import write_run

WORDS = ["up", "down", "left", "right"]
TEXTS = ["up", "up up", "down", "up down", "left", "right", "left right", "down down"]


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    """A classifier with two classes: `up` speaks for one, `down` for the other."""
    write_run(tmp_path / "run", labels=["a", "b"], words=WORDS)
    classifier = load_run(tmp_path / "run").classifier
    with torch.no_grad():
        classifier.model.linear.weight *= 5
    return classifier


@pytest.mark.parametrize(
    "measure", ["margin", "entropy", "dropout", "gradients", "centres", "random"]
)
def test_each_measure_chooses_different_texts_always_the_same(
    classifier: Classifier, measure: Measure
) -> None:
    options = SelectionOptions(num_rows=4, measure=measure)
    indices = [item.index for item in suggest_texts(classifier, TEXTS, options)]
    assert len(set(indices)) == 4
    again = [item.index for item in suggest_texts(classifier, TEXTS, options)]
    assert again == indices


@pytest.mark.parametrize("measure", ["margin", "entropy"])
def test_with_one_candidate_the_most_uncertain_texts_are_chosen(
    classifier: Classifier, measure: Measure
) -> None:
    options = SelectionOptions(num_rows=3, measure=measure, candidates=1)
    chosen = suggest_texts(classifier, TEXTS, options)
    all_options = SelectionOptions(len(TEXTS), measure, candidates=1)
    ranked = suggest_texts(classifier, TEXTS, all_options)
    assert [item.index for item in ranked[:3]] == [item.index for item in chosen]
    confidences = [item.prediction.confidence for item in ranked]
    assert confidences == sorted(confidences)


def test_candidates_are_at_most_half_of_the_pool(classifier: Classifier) -> None:
    options = SelectionOptions(num_rows=2, candidates=100)
    chosen = suggest_texts(classifier, TEXTS, options)
    ranked = suggest_texts(classifier, TEXTS, SelectionOptions(8, candidates=1))
    assert chosen[0].index == ranked[0].index
    half = {item.index for item in ranked[:4]}
    assert {item.index for item in chosen} <= half


def test_a_pool_that_is_too_small_is_suggested_as_a_whole(
    classifier: Classifier,
) -> None:
    assert len(suggest_texts(classifier, TEXTS, SelectionOptions(50))) == len(TEXTS)
    assert suggest_texts(classifier, [], SelectionOptions(50)) == []


def test_centres_are_unlike_the_labelled_texts(classifier: Classifier) -> None:
    options = SelectionOptions(num_rows=1, measure="centres")
    known = tokenize_all(classifier, [text for text in TEXTS if text != "down"])
    train_texts = encode_pieces(known, classifier.vocab)
    (chosen,) = suggest_texts(classifier, TEXTS, options, train_texts)
    assert TEXTS[chosen.index] == "down"


def test_a_suggestion_has_the_prediction_of_its_text(classifier: Classifier) -> None:
    for item in suggest_texts(classifier, TEXTS, SelectionOptions(3)):
        assert item.prediction.text == TEXTS[item.index]
        assert item.prediction.label in {"a", "b"}
