"""Uncertain texts that are unlike each other are suggested."""

from pathlib import Path

import pytest
import torch

from rnncls.inference.active_learning.pool import PoolText
from rnncls.inference.active_learning.selection import (
    Measure,
    SelectionOptions,
    Suggestion,
    encode_pool_texts,
    suggest_texts,
)
from rnncls.runs.classifier import Classifier
from rnncls.runs.run import load_run
from tests.builders import write_run

WORDS = ["up", "down", "left", "right"]
TEXTS = ["up", "up up", "down", "up down", "left", "right", "left right", "down down"]
POOL = [PoolText(row, text, []) for row, text in enumerate(TEXTS, start=1)]
MEASURES = ["margin", "entropy", "dropout", "gradients", "centres", "random"]


def suggest(
    classifier: Classifier, options: SelectionOptions, block_size: int = len(POOL)
) -> list[Suggestion]:
    starts = range(0, len(POOL), block_size)
    blocks = [POOL[start : start + block_size] for start in starts]
    return suggest_texts(classifier, blocks, options)


def list_rows(suggestions: list[Suggestion]) -> list[int]:
    return [suggestion.text.row for suggestion in suggestions]


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    """A classifier with two classes: `up` speaks for one, `down` for the other."""
    torch.manual_seed(0)
    write_run(tmp_path / "run", labels=["a", "b"], words=WORDS)
    classifier = load_run(tmp_path / "run").classifier
    with torch.no_grad():
        classifier.model.linear.weight *= 5
    return classifier


@pytest.mark.parametrize("measure", MEASURES)
def test_each_measure_chooses_different_texts_always_the_same(
    classifier: Classifier, measure: Measure
) -> None:
    options = SelectionOptions(num_rows=4, measure=measure)
    rows = list_rows(suggest(classifier, options))
    assert len(set(rows)) == 4
    assert list_rows(suggest(classifier, options)) == rows


@pytest.mark.parametrize("measure", ["margin", "entropy", "centres", "random"])
@pytest.mark.parametrize("candidates", [1, 2])
def test_the_blocks_of_a_pool_do_not_change_the_choice(
    classifier: Classifier, measure: Measure, candidates: int
) -> None:
    options = SelectionOptions(3, measure, candidates)
    expected = list_rows(suggest(classifier, options))
    assert list_rows(suggest(classifier, options, block_size=3)) == expected


@pytest.mark.parametrize("measure", ["margin", "entropy"])
def test_with_one_candidate_the_most_uncertain_texts_are_chosen(
    classifier: Classifier, measure: Measure
) -> None:
    chosen = suggest(classifier, SelectionOptions(num_rows=3, measure=measure))
    ranked = suggest(classifier, SelectionOptions(len(POOL), measure))
    assert list_rows(ranked[:3]) == list_rows(chosen)
    confidences = [item.prediction.confidence for item in ranked]
    assert confidences == sorted(confidences)


def test_near_copies_are_passed_over(classifier: Classifier) -> None:
    words = " ".join(f"left{number}" for number in range(20))
    copies = [PoolText(row, f"{words} {row}", []) for row in range(20, 60)]
    others = [PoolText(row, f"up down {row}", []) for row in range(60, 80)]
    for measure in ("margin", "entropy", "dropout"):
        options = SelectionOptions(5, measure)
        chosen = suggest_texts(classifier, [copies + others], options)
        assert sum(text.text.row < 60 for text in chosen) <= 1


def test_candidates_are_at_most_half_of_the_pool(classifier: Classifier) -> None:
    chosen = suggest(classifier, SelectionOptions(num_rows=2, candidates=100))
    ranked = list_rows(suggest(classifier, SelectionOptions(len(POOL))))
    assert chosen[0].text.row == ranked[0]
    assert set(list_rows(chosen)) <= set(ranked[:4])


@pytest.mark.parametrize("measure", MEASURES)
def test_a_pool_that_is_too_small_is_suggested_as_a_whole(
    classifier: Classifier, measure: Measure
) -> None:
    options = SelectionOptions(50, measure)
    assert sorted(list_rows(suggest(classifier, options))) == list(range(1, 9))
    assert suggest_texts(classifier, [], options) == []


def test_random_texts_depend_on_the_seed(classifier: Classifier) -> None:
    choices = {
        tuple(list_rows(suggest(classifier, SelectionOptions(4, "random", seed=seed))))
        for seed in range(5)
    }
    assert len(choices) == 5


def test_centres_are_unlike_the_labelled_texts(classifier: Classifier) -> None:
    options = SelectionOptions(num_rows=1, measure="centres")
    known = [text for text in POOL if text.text != "down"]
    train_texts = encode_pool_texts(classifier, known)
    (chosen,) = suggest_texts(classifier, [POOL], options, train_texts)
    assert chosen.text.text == "down"


def test_a_suggestion_has_the_prediction_of_its_text(classifier: Classifier) -> None:
    for item in suggest(classifier, SelectionOptions(3)):
        assert item.prediction.text == item.text.text
        assert item.prediction.label in {"a", "b"}
