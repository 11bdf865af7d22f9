"""Weights with few bits."""

from typing import Literal

import numpy as np
import pytest

from rnncls.inference.export.quantization import find_readers, quantize_rows
from rnncls.runs.portable import Array
from tests.inference.light.networks import build_networks

Cell = Literal["rnn", "lstm", "gru", "grid_lstm", "none"]


def draw(num_rows: int, num_columns: int, seed: int = 0) -> Array:
    numbers = np.random.default_rng(seed).normal(size=(num_rows, num_columns))
    return numbers.astype(np.float32)


@pytest.mark.parametrize("num_bits", [8, 12, 16])
def test_a_number_is_rounded_to_the_next_step(num_bits: int) -> None:
    matrix = draw(50, 7)
    quantized = quantize_rows(matrix, num_bits)
    assert quantized.values.dtype == (np.int8 if num_bits == 8 else np.int16)
    steps = np.abs(matrix).max(axis=1, keepdims=True) / (2 ** (num_bits - 1) - 1)
    assert (np.abs(quantized.restore() - matrix) <= 0.5001 * steps).all()


def test_a_row_of_zeros_stays_zero() -> None:
    readers = draw(4, 3)
    assert not quantize_rows(np.zeros((2, 3), np.float32)).restore().any()
    rounded = quantize_rows(np.zeros((2, 3), np.float32), readers=readers).restore()
    assert not rounded.any()


def test_what_reads_the_rows_changes_less_than_by_plain_rounding() -> None:
    matrix = draw(200, 12)
    # The readers are far from orthogonal, as those of a trained network.
    readers = draw(30, 3, seed=1) @ draw(3, 12, seed=2) + 0.3 * draw(30, 12, seed=3)
    exact = matrix @ readers.T
    plain = quantize_rows(matrix).restore() @ readers.T
    adapted = quantize_rows(matrix, readers=readers).restore() @ readers.T
    plain_error = np.square(plain - exact).mean()
    assert np.square(adapted - exact).mean() < 0.5 * plain_error


def test_rows_are_rounded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, readers = draw(10, 5), draw(8, 5)
    together = quantize_rows(matrix, readers=readers)
    alone = quantize_rows(matrix[3:4], readers=readers)
    np.testing.assert_array_equal(together.values[3:4], alone.values)
    monkeypatch.setattr("rnncls.inference.export.quantization._BLOCK_ROWS", 3)
    in_blocks = quantize_rows(matrix, readers=readers)
    np.testing.assert_array_equal(together.values, in_blocks.values)


def test_readers_of_zeros_round_plainly() -> None:
    matrix = draw(10, 5)
    found = quantize_rows(matrix, readers=np.zeros((4, 5), np.float32))
    np.testing.assert_array_equal(found.values, quantize_rows(matrix).values)


@pytest.mark.parametrize(
    ("cell", "num_readers"),
    [("rnn", 10), ("lstm", 40), ("gru", 30), ("grid_lstm", 10), ("none", 3)],
)
def test_the_readers_are_what_the_vectors_are_multiplied_with(
    cell: Cell, num_readers: int
) -> None:
    networks = build_networks(cell=cell, bidirectional=True, num_layers=2)
    assert find_readers(networks.numpy).shape == (num_readers, 6)
