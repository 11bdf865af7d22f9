"""The scores of earlier and of new classes, apart."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from rnncls.evaluation.class_groups import (
    score_class_groups,
    score_confusion_groups,
    score_decision_groups,
)


def test_both_groups_have_their_own_scores() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    predictions = torch.tensor([0, 2, 1, 1, 2, 2, 0])
    logits = torch.eye(3)[predictions]
    earlier, new = score_class_groups(logits, labels, num_earlier=2)
    f1s = f1_score(labels.numpy(), predictions.numpy(), average=None)
    assert (earlier.name, earlier.num_classes, earlier.num_rows) == ("earlier", 2, 4)
    assert earlier.accuracy == 3 / 4
    assert earlier.macro_f1 == pytest.approx(f1s[:2].mean())
    assert (new.name, new.num_classes, new.num_rows) == ("new", 1, 3)
    assert new.accuracy == pytest.approx(2 / 3)
    assert new.macro_f1 == pytest.approx(f1s[2])


def test_a_group_without_rows_is_left_out() -> None:
    labels = torch.tensor([0, 1])
    (group,) = score_class_groups(torch.eye(3)[labels], labels, num_earlier=2)
    assert group.name == "earlier"


def test_labels_that_are_no_class_are_in_no_group() -> None:
    confusion = np.array([[2, 0, 0], [1, 3, 0], [1, 1, 0]])
    earlier, new = score_confusion_groups(confusion, num_earlier=1, num_classes=2)
    assert (earlier.num_rows, new.num_rows) == (2, 4)


def test_decisions_about_several_labels_are_scored_as_they_are() -> None:
    labels = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=np.bool_)
    predicted = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]], dtype=np.bool_)
    earlier, new = score_decision_groups(predicted, labels, num_earlier=2)
    assert earlier.accuracy == pytest.approx(2 / 3)
    assert earlier.macro_f1 == pytest.approx((1 + 2 / 3) / 2)
    assert new.num_rows == 2
    assert new.macro_f1 == pytest.approx(2 / 3)


def test_several_labels_a_text_have_groups_too() -> None:
    labels = torch.tensor([[True, False, False], [False, False, True]])
    logits = torch.where(labels, 3.0, -3.0)
    logits[1, 2] = -9.0
    earlier, new = score_class_groups(logits, labels, num_earlier=2)
    assert (earlier.num_rows, earlier.accuracy) == (1, 1.0)
    assert (new.num_rows, new.accuracy, new.macro_f1) == (1, 0.5, 0.0)
