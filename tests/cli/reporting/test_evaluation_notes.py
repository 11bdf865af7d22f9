"""Notes on the rows of an evaluation: unknown labels, and rows that the run used."""

import pytest

from rnncls.cli.reporting.evaluation_notes import (
    describe_use,
    row_notes,
    unknown_label_lines,
)


def test_skipped_labels_are_named_with_their_rows() -> None:
    origin = {
        "unknown_labels_are": "skip",
        "unknown_labels": [
            {"label": "x", "num_rows": 2, "first_row": 3, "similar": "X"}
        ],
    }
    assert unknown_label_lines(origin) == [
        "unknown labels, skipped: 'x' (2 rows, first row 3, similar to 'X')"
    ]
    assert unknown_label_lines({}) == []


@pytest.mark.parametrize(
    ("split", "use", "note"),
    [
        ("train", "training", "the run was trained on these rows: its scores here are"),
        (None, "training", "the run was trained on rows of this file: its scores"),
        ("valid", "validation", "the run chose its epoch and calibration with these"),
        (None, None, ""),
    ],
)
def test_rows_that_the_run_used_are_named(
    split: str | None, use: str | None, note: str
) -> None:
    origin = {"split": split, "used_for": use}
    assert describe_use(origin).startswith(note)
    assert row_notes(origin) == ([describe_use(origin)] if note else [])
