"""A prediction: its label, its probability and its best labels."""

import subprocess
import sys
from dataclasses import replace

import pytest

from rnncls.inference.prediction import Prediction


def test_the_label_is_the_most_probable_one() -> None:
    assert Prediction("a", {"x": 0.2, "y": 0.5, "z": 0.3}).label == "y"


def test_the_prob_is_that_of_the_label() -> None:
    assert Prediction("a", {"x": 0.2, "y": 0.5, "z": 0.3}).prob == 0.5


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [("y", 0.5)]),
        (2, [("y", 0.5), ("z", 0.3)]),
        (3, [("y", 0.5), ("z", 0.3), ("x", 0.2)]),
        (9, [("y", 0.5), ("z", 0.3), ("x", 0.2)]),
    ],
)
def test_top_holds_the_most_probable_labels_first(
    k: int, expected: list[tuple[str, float]]
) -> None:
    assert Prediction("a", {"x": 0.2, "y": 0.5, "z": 0.3}).top(k) == expected


def test_equally_probable_labels_keep_the_order_of_the_run() -> None:
    prediction = Prediction("a", {"x": 0.2, "y": 0.4, "z": 0.4})
    assert (prediction.label, [label for label, _ in prediction.top(3)]) == (
        "y",
        ["y", "z", "x"],
    )


THRESHOLDS = {"x": 0.5, "y": 0.25, "z": 0.5}


def decide_set(min_confidence: float, num_unknown: int = 0) -> Prediction:
    """Return a prediction of x and y, which is right with 0.9 * 0.3 * 0.8 = 0.216."""
    return Prediction(
        "a",
        {"x": 0.9, "y": 0.3, "z": 0.2},
        min_confidence=min_confidence,
        num_tokens=1,
        num_unknown=num_unknown,
        thresholds=THRESHOLDS,
    )


def test_the_confidence_in_one_label_is_its_probability() -> None:
    assert Prediction("a", {"x": 0.2, "y": 0.8}).confidence == 0.8


def test_the_confidence_in_a_set_is_the_probability_that_all_of_it_is_right() -> None:
    assert decide_set(0.0).confidence == pytest.approx(0.9 * 0.3 * 0.8)


def test_a_set_with_enough_confidence_is_the_answer() -> None:
    prediction = decide_set(0.21)
    assert not prediction.is_rejected
    assert (prediction.answer, prediction.labels) == ("x", ["x", "y"])


@pytest.mark.parametrize(
    ("prediction", "shown"),
    [
        (decide_set(0.22), "no answer: a"),
        (decide_set(0.1, 1), "no answer: a (no known word)"),
    ],
)
def test_a_set_is_no_answer_below_the_confidence_or_without_a_known_word(
    prediction: Prediction, shown: str
) -> None:
    assert prediction.is_rejected
    assert (prediction.answer, prediction.labels) == (None, [])
    assert (prediction.label, prediction.reached) == ("x", ["x", "y"])
    assert str(prediction) == shown


def test_a_text_that_was_not_read_or_cut_has_a_note() -> None:
    probs = {"x": 0.75, "y": 0.25}
    unknown = Prediction("qqq", probs, num_tokens=1, num_unknown=1, num_cut=0)
    assert str(unknown) == "x (75.0%): qqq (no known word)"
    assert repr(unknown) == (
        "Prediction(label='x', prob=0.7500, text='qqq', note='no known word')"
    )
    cut = Prediction("a b c", probs, num_tokens=2, num_unknown=1, num_cut=1)
    assert str(cut) == "x (75.0%): a b c (cut: 2 of 3 tokens read)"
    read = Prediction("a b", probs, num_tokens=2, num_unknown=1, num_cut=0)
    assert str(read) == "x (75.0%): a b"


def test_without_a_min_confidence_every_set_is_an_answer() -> None:
    assert decide_set(0.0, 1).labels == ["x", "y"]


@pytest.mark.parametrize(
    "module", ["rnncls.inference.prediction", "rnncls.text.encoded_texts"]
)
def test_what_the_light_runtime_needs_does_not_import_torch(module: str) -> None:
    check = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_printed_prediction_says_that_the_text_fits_no_class() -> None:
    prediction = Prediction("a text", {"sport": 0.75, "world": 0.25}, fits=False)
    assert str(prediction) == "sport (75.0%): a text (fits none of the classes)"
    assert "note='fits none of the classes'" in repr(prediction)
    fitting = replace(prediction, fits=True)
    assert str(fitting) == "sport (75.0%): a text"
