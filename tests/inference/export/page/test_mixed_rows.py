"""Word vectors of 12 and 8 bits."""

import numpy as np
import pytest

from rnncls.inference.export.page.mixed_rows import (
    VectorFormat,
    choose_format,
    quantize_mixed,
    round_mixed,
)

READERS = np.eye(5, dtype=np.float32)


@pytest.mark.parametrize("num_fine", [0, 1, 4, 7])
def test_the_stored_bits_stand_for_the_rounded_rows(num_fine: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    rows = quantize_mixed(matrix, num_fine, READERS)
    low = np.stack([rows.low & 15, rows.low >> 4], axis=1).ravel()
    values = rows.high.astype(np.int64)
    fine_low = low[: num_fine * 5].reshape(num_fine, 5)
    values[:num_fine] = values[:num_fine] * 16 + fine_low
    rounded = round_mixed(matrix, num_fine, READERS)
    np.testing.assert_array_equal((values * rows.scales).astype(np.float32), rounded)
    highest = np.where(np.arange(7) < num_fine, 2047, 127)
    steps = np.abs(matrix).max(axis=1) / highest
    errors = np.abs(rounded - matrix).max(axis=1)
    assert (errors <= steps * 0.5001).all()


def test_only_integers_have_fine_rows() -> None:
    assert choose_format("int8", 300) == VectorFormat("int8", 75)
    assert choose_format("float16", 300) == VectorFormat("float16", 0)
