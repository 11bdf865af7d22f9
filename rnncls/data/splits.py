"""Splits of labelled rows into training, validation and test rows, stratified by class.

Shapes: N rows.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from rnncls import DataError

Split = Literal["train", "valid", "test"]
Ints = npt.NDArray[np.int64]

TEST_SEED = 20_151_121
"""The seed of the rows of `data.test_fraction`. No seed of a config changes it, so that
a test row of one run is never a training row of another. The rows also depend on the
labels of the file (see `rnncls.data.fingerprint`)."""


def split_rows(labels: Ints, fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Return the row numbers of the training and of the validation rows, each sorted.

    Of a class's n rows, round(fraction * n) are for validation; each class keeps at
    least one training row.

    Args:
        labels: [N] int64.
        fraction: The share of validation rows.
        seed: Draws the rows.

    Raises:
        DataError: There are too few rows for a validation row.
    """
    valid = _sample_stratified(labels, fraction, seed)
    if not len(valid):
        raise DataError(
            f"{len(labels)} training rows are too few to keep {fraction:.0%} of each"
            " class for validation: raise data.valid_fraction or set data.valid"
        )
    return np.setdiff1d(np.arange(len(labels)), valid), valid


def split_test_rows(labels: Ints, fraction: float | None) -> tuple[Ints, Ints]:
    """Return the row numbers of the other rows and of the test rows, each sorted.

    The result depends on the labels and the fraction alone (see TEST_SEED). Without a
    fraction there are no test rows.

    Raises:
        DataError: There are too few rows for a test row.
    """
    if fraction is None:
        return np.arange(len(labels)), np.empty(0, dtype=np.int64)
    test = _sample_stratified(labels, fraction, TEST_SEED)
    if not len(test):
        raise DataError(
            f"{len(labels)} rows are too few to keep {fraction:.0%} of each class for"
            " the test: raise data.test_fraction or set data.test"
        )
    return np.setdiff1d(np.arange(len(labels)), test), test


def _sample_stratified(labels: Ints, fraction: float, seed: int) -> Ints:
    """Return round(fraction * n) of the n rows of each class, never all, sorted."""
    generator = np.random.default_rng(seed)
    samples = []
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        num_sampled = min(round(fraction * len(rows)), len(rows) - 1)
        samples.append(rows[:num_sampled])
    return np.sort(np.concatenate(samples))
