"""A prediction: its label, its probability and its best labels."""

import subprocess
import sys

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


@pytest.mark.parametrize(
    "module", ["rnncls.inference.prediction", "rnncls.text.encoded_texts"]
)
def test_what_the_light_runtime_needs_does_not_import_torch(module: str) -> None:
    check = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
