"""The most confused classes, the best and the worst ones, and the matrix as CSV."""

import csv
from pathlib import Path

import numpy as np

from rnncls.evaluation.confusion import (
    ConfusedPair,
    find_confused_pairs,
    rank_classes,
    save_confusion,
)
from rnncls.evaluation.metrics import Scores, score

SCORES = score(
    np.array([[5, 3, 0], [1, 3, 0], [0, 0, 0]]), 0.5, ["cat", 'a "dog"', "cow"]
)


def test_the_most_frequent_confusion_comes_first() -> None:
    assert find_confused_pairs(SCORES) == [
        ConfusedPair("cat", 'a "dog"', 3, 3 / 8),
        ConfusedPair('a "dog"', "cat", 1, 1 / 4),
    ]


def test_only_the_first_pairs_are_kept() -> None:
    assert [pair.num_rows for pair in find_confused_pairs(SCORES, 1)] == [3]


def test_no_pair_is_confused_if_all_is_right() -> None:
    assert find_confused_pairs(score(np.eye(3, dtype=np.int64), 0.0, "abc")) == []


def test_classes_are_ranked_by_f1_without_those_that_have_no_row() -> None:
    assert [row.label for row in rank_classes(SCORES)] == ["cat", 'a "dog"']


def test_the_csv_file_has_a_line_for_each_true_class(tmp_path: Path) -> None:
    save_confusion(tmp_path / "confusion.csv", SCORES)
    with (tmp_path / "confusion.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["true \\ predicted", "cat", 'a "dog"', "cow"],
            ["cat", "5", "3", "0"],
            ['a "dog"', "1", "3", "0"],
            ["cow", "0", "0", "0"],
        ]


def test_the_scores_do_not_change_when_pairs_are_found() -> None:
    before: Scores = score(np.array([[1, 1], [0, 2]]), 0.0, "ab")
    find_confused_pairs(before)
    assert before.confusion_matrix == [[1, 1], [0, 2]]
