"""Data sets with few rows: whether they can be split, and what to do instead."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnncls import DataError
from rnncls.data.dataset_stats import DatasetStats
from rnncls.data.splits import Ints, assign_folds, split_rows, split_test_rows
from rnncls.text.display import list_names

FEW_ROWS = 100
"""With fewer rows, cross-validation is advised."""
_MAX_FOLDS = 5
_MAX_NEEDED = 20


def can_split(
    data: Mapping[str, Any], labels: Ints, fraction: float, text_ids: Ints | None = None
) -> bool:
    """Return whether each split that is drawn from the training file gets a row.

    Args:
        data: The keys of the data section.
        labels: [N] int64, the class of each row.
        fraction: The share of the test rows, and of the validation rows.
        text_ids: [N] int64, the text of each row, if copies are kept together.
    """
    rows = np.arange(len(labels))
    try:
        if "test" not in data:
            rows, _ = split_test_rows(labels, fraction, text_ids)
        if "valid" not in data:
            own_ids = None if text_ids is None else text_ids[rows]
            split_rows(labels[rows], fraction, seed=0, text_ids=own_ids)
    except DataError:
        return False
    return True


def describe_missing_rows(
    data: Mapping[str, Any], stats: DatasetStats, fraction: float
) -> str:
    """Return why a data set is too small for training; empty if it is not.

    Args:
        data: The keys of the data section.
        stats: Statistics of the training file.
        fraction: The share of the test rows, and of the validation rows.
    """
    if stats.labels is None or can_split(data, stats.labels, fraction):
        return ""
    drawn = [f"data.{split}" for split in ("valid", "test") if split not in data]
    needed = next(
        number
        for number in range(1, _MAX_NEEDED)
        if can_split(data, np.zeros(number, np.int64), fraction)
    )
    largest = max(stats.classes.values())
    return (
        f"too few rows to train: expected at least one class with {needed} rows, from"
        f" which {' and '.join(drawn)} are drawn; the largest class has {largest}: add"
        f" rows, or set {' and '.join(drawn)} to files"
    )


def advise_cross_validation(
    data: Mapping[str, Any], stats: DatasetStats, fraction: float, config: Path
) -> str:
    """Return how to score a data set that is too small for a good test set.

    Empty if it is large enough, or too small for cross-validation.

    Args:
        data: The keys of the data section.
        stats: Statistics of the training file.
        fraction: The share of the test rows, and of the validation rows.
        config: The config of the data set.
    """
    if stats.num_rows >= FEW_ROWS or stats.labels is None or stats.labels.ndim > 1:
        return ""
    num_folds = count_folds(stats.labels, stats.text_ids, fraction)
    if not num_folds:
        return ""
    command = f"rnncls crossval --config {shlex.quote(str(config))} --folds {num_folds}"
    if "test" in data:
        return (
            f"only {stats.num_rows:,} training rows; {command} scores each of them with"
            " a model that was not trained on it"
        )
    _, test = split_test_rows(stats.labels, fraction)
    return (
        f"only {stats.num_rows:,} rows: a test set of about {len(test):,} gives a rough"
        f" score only; better: {command} --set data.test_fraction=null, which scores"
        " each row with a model that was not trained on it"
    )


def count_folds(
    labels: Ints,
    text_ids: Ints | None,
    fraction: float | None,
    max_folds: int = _MAX_FOLDS,
) -> int:
    """Return the largest number of folds that works; 0 if none does.

    All copies of a text count as one row, so that the number works however the rows are
    split.

    Args:
        labels: [N] int64, the class of each row.
        text_ids: [N] int64, the text of each row; None: each row is a text of its own.
        fraction: The share of the validation rows of each fold; None: they come from
            another file.
        max_folds: The largest number to return.
    """
    if text_ids is None:
        text_ids = np.arange(len(labels))
    for num_folds in range(max_folds, 1, -1):
        if _has_folds(labels, text_ids, fraction, num_folds):
            return num_folds
    return 0


def _has_folds(
    labels: Ints, text_ids: Ints, fraction: float | None, num_folds: int
) -> bool:
    """Return whether each class with several texts has one in each fold.

    The rows of the other folds must be enough for training and validation.
    """
    smallest = count_smallest_class(labels, text_ids)
    if smallest < num_folds:
        return False
    if fraction is None:
        return True
    folds = assign_folds(labels, text_ids, num_folds, seed=0)
    for fold in range(1, num_folds + 1):
        others = np.flatnonzero(folds != fold)
        try:
            split_rows(labels[others], fraction, seed=0, text_ids=text_ids[others])
        except DataError:
            return False
    return True


def count_smallest_class(labels: Ints, text_ids: Ints) -> int:
    """Return the number of texts of the smallest class that has several; 0: none."""
    counts = [len(np.unique(text_ids[labels == label])) for label in np.unique(labels)]
    return min((count for count in counts if count > 1), default=0)


def note_single_rows(classes: Mapping[str, int]) -> list[str]:
    """Return the note on classes with one row, if there are any."""
    names = [name for name, num_rows in classes.items() if num_rows == 1]
    if not names:
        return []
    if len(names) == 1:
        return [
            f"class '{names[0]}' has one row: it is used for training, so no score"
            " covers it"
        ]
    return [
        f"classes {list_names(names)} have one row each: it is used for training, so no"
        " score covers them"
    ]
