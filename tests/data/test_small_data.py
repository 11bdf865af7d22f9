"""Data sets with few rows: what can be split, and into how many folds."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls.data.dataset_stats import DatasetStats
from rnncls.data.small_data import (
    advise_cross_validation,
    can_split,
    count_folds,
    describe_missing_rows,
)

FRACTION = 0.34


def stats(*labels: int) -> DatasetStats:
    counts = Counter(labels)
    return DatasetStats(
        num_rows=len(labels),
        classes={str(label): count for label, count in counts.items()},
        lengths=np.ones(len(labels), np.int64),
        coverage=None,
        labels=np.array(labels),
        text_ids=np.arange(len(labels)),
    )


@pytest.mark.parametrize(
    ("labels", "data", "is_enough"),
    [
        ([0, 1], {}, False),
        ([0, 0, 1], {}, False),
        ([0, 0, 1, 1], {}, False),
        ([0, 0, 0, 1], {}, True),
        ([0, 0, 1], {"test": "test.csv"}, True),
        ([0, 1], {"test": "test.csv"}, False),
        ([0, 1], {"test": "test.csv", "valid": "valid.csv"}, True),
    ],
)
def test_each_split_that_is_drawn_needs_a_row(
    labels: list[int], data: dict[str, Any], is_enough: bool
) -> None:
    assert can_split(data, np.array(labels), FRACTION) == is_enough
    message = describe_missing_rows(data, stats(*labels), FRACTION)
    assert (message == "") == is_enough


def test_what_is_missing_is_said() -> None:
    message = describe_missing_rows({}, stats(0, 0, 1), FRACTION)
    assert "at least one class with 3 rows" in message
    assert "the largest class has 2" in message
    assert "set data.valid and data.test to files" in message
    message = describe_missing_rows({"test": "test.csv"}, stats(0, 1), FRACTION)
    assert "at least one class with 2 rows, from which data.valid" in message


@pytest.mark.parametrize(
    ("labels", "num_folds"),
    [
        ([0, 1], 0),
        ([0, 0, 1, 1], 0),
        ([0] * 3 + [1] * 3, 3),
        ([0] * 6 + [1] * 6, 5),
        ([0] * 30 + [1] * 3, 3),
        ([0] * 30 + [1], 5),
    ],
)
def test_the_smallest_class_decides_the_number_of_folds(
    labels: list[int], num_folds: int
) -> None:
    assert count_folds(np.array(labels), None, FRACTION) == num_folds


def test_copies_of_a_text_count_once() -> None:
    labels = np.array([0] * 6 + [1] * 6)
    text_ids = np.array([0, 0, 0, 0, 1, 2, 6, 7, 8, 9, 10, 11])
    assert count_folds(labels, text_ids, FRACTION) == 3


def test_cross_validation_is_advised_for_few_rows_only() -> None:
    few, many = stats(*[0, 1] * 10), stats(*[0, 1] * 50)
    config = Path("my config.yaml")
    advice = advise_cross_validation({}, few, FRACTION, config)
    assert "only 20 rows: a test set of about 6 gives a rough score only" in advice
    assert "rnncls crossval --config 'my config.yaml' --folds 5" in advice
    assert "--set data.test_fraction=null" in advice
    with_test = advise_cross_validation({"test": "t.csv"}, few, FRACTION, config)
    assert "test_fraction" not in with_test
    assert "--folds 5" in with_test
    assert advise_cross_validation({}, many, FRACTION, config) == ""
    assert advise_cross_validation({}, stats(0, 1), FRACTION, config) == ""
