"""Probabilities and predicted classes, worked out by hand."""

import math

import pytest
import torch

from rnncls.nn.decisions import decide, decide_label, decide_labels, to_probs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_are_the_softmax_of_the_logits(dtype: torch.dtype) -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [math.log(4.0), 0.0]], dtype=dtype)
    expected = torch.tensor([[0.25, 0.75], [0.8, 0.2]], dtype=dtype)
    torch.testing.assert_close(to_probs(logits), expected)


def test_the_predicted_class_has_the_highest_logit() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert decide(logits).tolist() == [1, 0]
    assert decide(logits[0]).item() == 1


def test_the_predicted_label_is_the_most_probable_and_the_first_of_equal_ones() -> None:
    assert decide_label({"a": 0.2, "b": 0.5, "c": 0.3}) == "b"
    assert decide_label({"a": 0.2, "b": 0.4, "c": 0.4}) == "b"


def test_a_text_has_the_labels_that_reach_their_threshold() -> None:
    logits = torch.tensor([[0.0, 0.0, -2.0], [-1.0, 3.0, 0.0]])
    expected = [[True, False, True], [False, True, True]]
    assert decide_labels(logits, [0.5, 0.6, 0.1]).tolist() == expected
    assert decide(logits, [0.5, 0.6, 0.1]).tolist() == expected
