"""Texts drawn from files and from the validation rows of a run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rnncls import DataError
from rnncls.evaluation.drift_sample import (
    LabelledRow,
    draw_rows,
    draw_validation_rows,
)
from rnncls.runs.run import load_run


def iter_rows(num_rows: int) -> Iterator[LabelledRow]:
    for number in range(1, num_rows + 1):
        yield LabelledRow(f"text {number}", (str(number % 2),))


def test_few_rows_are_all_drawn() -> None:
    sample = draw_rows(iter_rows(12), "a.csv", 20)
    assert sample.rows == list(range(1, 13))
    assert sample.texts[4] == "text 5"
    assert sample.labels[4] == ("1",)
    assert sample.num_rows == 12


def test_many_rows_are_drawn_evenly_and_always_the_same() -> None:
    sample = draw_rows(iter_rows(10_000), "a.csv", 1_000)
    assert len(set(sample.rows)) == 1_000
    assert sample.rows == sorted(sample.rows)
    assert sample.num_rows == 10_000
    assert sample.texts == [f"text {row}" for row in sample.rows]
    counts, _ = np.histogram(sample.rows, bins=10, range=(1, 10_001))
    assert counts.min() > 70
    assert draw_rows(iter_rows(10_000), "a.csv", 1_000) == sample


def test_too_few_rows_are_an_error() -> None:
    with pytest.raises(DataError, match=r"a.csv: found 9 rows, expected at least 10"):
        draw_rows(iter_rows(9), "a.csv", 20)


def test_validation_rows_have_their_labels_and_numbers(toy_run: Path) -> None:
    sample = draw_validation_rows(load_run(toy_run), 25, use_cache=False)
    lines = (toy_run.parent / "toy.csv").read_text().splitlines()
    assert (len(sample.rows), sample.num_rows, sample.split) == (25, 40, "valid")
    for row, text, labels in zip(sample.rows, sample.texts, sample.labels, strict=True):
        label, title, description = lines[row].split(",")
        assert (text, labels) == (f"{title} {description}", (label,))
