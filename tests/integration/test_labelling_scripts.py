"""The scripts that measure `suggest` and `label-issues` count as they say."""

import numpy as np
import pytest
from active_learning import AVERAGED_ROUNDS, count_labels, mean_accuracy
from planted_labels import plant, score_issues

from rnncls.training.label_issues import LabelIssue


def test_labels_are_counted_until_the_target_is_first_reached() -> None:
    assert count_labels([0.7, 0.8, 0.86, 0.84]) == 300
    assert count_labels([0.7, 0.8]) is None


def test_the_mean_accuracy_is_that_of_some_rounds() -> None:
    rounds = len(AVERAGED_ROUNDS)
    long = [0.1, *[0.6] * rounds, 0.9]
    has_ended = [0.1, 0.8]
    assert mean_accuracy([long, has_ended]) == pytest.approx(0.7)


def test_planted_labels_are_other_ones() -> None:
    rows = [("ab"[number % 2], str(number)) for number in range(100)]
    changed = list(rows)
    planted = plant(changed, 10, np.random.default_rng(0))
    assert len(planted) == 10
    for number, (before, after) in enumerate(zip(rows, changed, strict=True), start=1):
        assert (before[0] != after[0]) == (number in planted)
        assert before[1] == after[1]


def test_precision_and_recall_are_those_of_the_planted_rows() -> None:
    issues = [LabelIssue(row, "a", 0.1, "b", "text") for row in (3, 9, 4)]
    scores = score_issues(issues, {3, 4, 5, 6})
    assert (scores.num_planted, scores.num_found) == (4, 3)
    assert scores.recall == 0.5
    assert scores.precisions == [pytest.approx(2 / 3)] * 3
    assert scores.average_precision == pytest.approx((1 + 2 / 3) / 4)
    assert scores.num_near == 0


def test_precision_is_that_of_the_first_rows() -> None:
    issues = [LabelIssue(row, "a", 0.1, "b", "text") for row in range(1, 601)]
    scores = score_issues(issues, set(range(26, 76)))
    assert scores.precisions == [0.5, 0.5, 0.1]
