"""Splits of labelled rows into training, validation and test rows, stratified by class.

The rows are drawn one by one, or text by text: then all copies of a text are in the
same part. The rows of a text are given by `text_ids`, which has the same number for the
same text (see `rnncls.data.copies`); without it, each row is a text of its own.

Shapes: N rows, T texts.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.data.iterative_stratification import sample_label_sets

Split = Literal["train", "valid", "test"]
Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[Any]
"""[N] int64, the class of each row; or [N, C] bool, which row has which label."""

TEST_SEED = 20_151_121
"""The seed of the rows of `data.test_fraction`. No seed of a config changes it, so that
a test row of one run is never a training row of another. The rows also depend on the
labels of the file (see `rnncls.data.fingerprint`)."""
_VERY_FEW_ROWS = 10
"""With fewer rows, no fraction gives parts that say much: more rows are needed."""
_FRACTIONS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)


def split_rows(
    labels: Labels, fraction: float, seed: int, text_ids: Ints | None = None
) -> tuple[Ints, Ints]:
    """Return the row numbers of the training and of the validation rows, each sorted.

    Of a class's n rows, round(fraction * n) are for validation; each class keeps at
    least one training row. With `text_ids` it may be fewer, as a text with more copies
    than are wanted is not drawn.

    Args:
        labels: [N] int64; or [N, C] bool, which are stratified iteratively.
        fraction: The share of validation rows.
        seed: Draws the rows.
        text_ids: [N] int64, the same number for copies of a text.

    Raises:
        DataError: There are too few rows for a validation row.
    """
    valid = _sample_stratified(labels, fraction, seed, text_ids)
    if not len(valid):
        advice = _advise_fraction("valid", labels, seed, text_ids)
        raise DataError(
            f"{len(labels)} training rows are too few to keep {fraction:.0%} of each"
            f" class for validation: {advice}"
        )
    return np.setdiff1d(np.arange(len(labels)), valid), valid


def split_test_rows(
    labels: Labels, fraction: float | None, text_ids: Ints | None = None
) -> tuple[Ints, Ints]:
    """Return the row numbers of the other rows and of the test rows, each sorted.

    The result depends on the labels, the fraction and the copies alone (see TEST_SEED).
    Without a fraction there are no test rows.

    Raises:
        DataError: There are too few rows for a test row.
    """
    if fraction is None:
        return np.arange(len(labels)), np.empty(0, dtype=np.int64)
    test = _sample_stratified(labels, fraction, TEST_SEED, text_ids)
    if not len(test):
        advice = _advise_fraction("test", labels, TEST_SEED, text_ids)
        raise DataError(
            f"{len(labels)} rows are too few to keep {fraction:.0%} of each class for"
            f" the test: {advice}"
        )
    return np.setdiff1d(np.arange(len(labels)), test), test


def _advise_fraction(
    split: Split, labels: Labels, seed: int, text_ids: Ints | None
) -> str:
    """Return which fraction is large enough, or that there must be more rows."""
    key = f"data.{split}_fraction"
    working = _find_fraction(labels, seed, text_ids)
    if working is None:
        advice = f"add rows (no {key} works), or set data.{split} to a file"
    else:
        advice = f"set {key} to {working}, or data.{split} to a file"
    if working is not None and len(labels) < _VERY_FEW_ROWS:
        advice = f"add rows, or {advice}"
    if text_ids is None:
        return advice
    num_texts = len(np.unique(text_ids))
    return f"{advice}, or data.split to rows: only {num_texts:,} texts are different"


def _find_fraction(labels: Labels, seed: int, text_ids: Ints | None) -> float | None:
    """Return the smallest fraction that draws a row; None if half of them does not."""
    for fraction in _FRACTIONS:
        if len(_sample_stratified(labels, fraction, seed, text_ids)):
            return fraction
    return None


def _sample_stratified(
    labels: Labels, fraction: float, seed: int, text_ids: Ints | None
) -> Ints:
    """Return about `fraction` of the rows of each class, never all, sorted."""
    generator = np.random.default_rng(seed)
    if labels.dtype == np.bool_:
        return sample_label_sets(labels.astype(np.bool_), fraction, generator, text_ids)
    labels = labels.astype(np.int64, copy=False)
    if text_ids is not None:
        return _sample_texts(labels, fraction, generator, text_ids)
    samples = []
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        num_sampled = min(round(fraction * len(rows)), len(rows) - 1)
        samples.append(rows[:num_sampled])
    return np.sort(np.concatenate(samples))


# Text by text


@dataclass(frozen=True)
class _Texts:
    """The T distinct texts of rows.

    Attributes:
        of_rows: [N] int64, the index of the text of each row.
        sizes: [T] int64, the number of rows of each text.
        labels: [T] int64, the most common class of its rows; the first of several.
    """

    of_rows: Ints
    sizes: Ints
    labels: Ints


def _group_rows(labels: Ints, text_ids: Ints) -> _Texts:
    _, of_rows, sizes = np.unique(text_ids, return_inverse=True, return_counts=True)
    num_classes = int(labels.max()) + 1
    # Each pair of a text and a class as one number.
    pairs, counts = np.unique(of_rows * num_classes + labels, return_counts=True)
    texts, classes = pairs // num_classes, pairs % num_classes
    order = np.lexsort((classes, -counts, texts))
    _, first = np.unique(texts[order], return_index=True)
    return _Texts(of_rows, sizes, classes[order][first])


def _sample_texts(
    labels: Ints, fraction: float, generator: np.random.Generator, text_ids: Ints
) -> Ints:
    """Return rows with all copies of their texts, about `fraction` of each class.

    If no text has a copy, they are the rows that are drawn one by one.
    """
    texts = _group_rows(labels, text_ids)
    is_sampled = np.zeros(len(texts.sizes), dtype=np.bool_)  # [T]
    for label in np.unique(texts.labels):
        candidates = generator.permutation(np.flatnonzero(texts.labels == label))
        sampled = _draw_texts(candidates, texts.sizes, fraction)
        is_sampled[sampled] = True
    _keep_all_classes(labels, texts, is_sampled)
    return np.flatnonzero(is_sampled[texts.of_rows])


def _draw_texts(candidates: Ints, sizes: Ints, fraction: float) -> list[int]:
    """Return the first texts whose rows fit into a fraction of all, never all texts."""
    num_rows = int(sizes[candidates].sum())
    num_wanted = min(round(fraction * num_rows), num_rows - 1)
    drawn: list[int] = []
    for text in candidates.tolist():
        if num_wanted <= 0:
            break
        if sizes[text] <= num_wanted:
            drawn.append(text)
            num_wanted -= int(sizes[text])
    if num_wanted > 0 and not drawn:
        smallest = int(candidates[np.argmin(sizes[candidates])])
        if 2 * sizes[smallest] <= num_rows:
            drawn.append(smallest)
    return drawn


def _keep_all_classes(
    labels: Ints, texts: _Texts, is_sampled: npt.NDArray[np.bool_]
) -> None:
    """Take back a sampled text for each class that would have no other row."""
    for label in np.unique(labels):
        own_texts = np.unique(texts.of_rows[labels == label])
        if is_sampled[own_texts].all():
            is_sampled[own_texts[0]] = False


def assign_folds(labels: Ints, text_ids: Ints, num_folds: int, seed: int) -> Ints:
    """Return a fold for each row, from 1; all copies of a text are in the same fold.

    The texts of each class are dealt out in random order, those with many copies first,
    each to the fold with the fewest rows of the class. [N] int64.

    Args:
        labels: [N] int64.
        text_ids: [N] int64, the same number for copies of a text.
        num_folds: At least 2.
        seed: Draws the order.
    """
    generator = np.random.default_rng(seed)
    texts = _group_rows(labels, text_ids)
    folds = np.empty(len(texts.sizes), dtype=np.int64)  # [T]
    num_rows = [0] * num_folds
    for label in np.unique(texts.labels):
        members = generator.permutation(np.flatnonzero(texts.labels == label))
        num_of_class = [0] * num_folds
        for text in members[np.argsort(-texts.sizes[members], kind="stable")].tolist():
            fullness = list(zip(num_of_class, num_rows, strict=True))
            fold = fullness.index(min(fullness))
            folds[text] = fold + 1
            num_of_class[fold] += int(texts.sizes[text])
            num_rows[fold] += int(texts.sizes[text])
    return folds[texts.of_rows]


def count_texts(labels: Ints, text_ids: Ints, num_classes: int) -> Ints:
    """Return the number of distinct texts of each class. [C] int64."""
    num_ids = int(text_ids.max(initial=0)) + 1
    pairs = np.unique(labels * num_ids + text_ids)  # as one number each
    return np.bincount(pairs // num_ids, minlength=num_classes)
