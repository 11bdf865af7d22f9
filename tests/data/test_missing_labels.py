"""Rows without a label: those at the end are ignored if empty, others are counted."""

import logging
from collections.abc import Iterator

import pytest

from rnncls import DataError
from rnncls.data.missing_labels import check_labels
from rnncls.data.rows import Rows


def chunks(rows: str, size: int = 3) -> Iterator[Rows]:
    """Return rows: `.` is an empty row, `?` a text without a label, others both."""
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield Rows(
            ["" if row == "." else f"text {row}" for row in part],
            ["\u00a0" if row in ".?" else row for row in part],
        )


@pytest.mark.parametrize("size", [1, 2, 3, 9])
@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ("abc", None),
        ("abc.", "a.csv: row 4, the last one, is empty: ignored"),
        ("ab....", "a.csv: rows 3 to 6, at the end, are empty: ignored"),
    ],
)
def test_empty_rows_at_the_end_are_ignored_with_a_note(
    rows: str, note: str | None, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    read = list(check_labels(chunks(rows, size), "a.csv", "y"))
    assert "".join(label for part in read for label in part.labels) == rows.strip(".")
    assert caplog.messages == ([note] if note else [])


@pytest.mark.parametrize("size", [1, 2, 9])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("ab?", "row 3: the label (column 'y') is missing: fill it in, or remove"),
        ("a?b..", "row 2: the label (column 'y') is missing: fill it in, or remove"),
        (
            "a.b?..",
            "row 2: the label (column 'y') is missing, and those of 1 other row (",
        ),
        ("??a.b", "row 1: the label (column 'y') is missing, and those of 2 other"),
        ("a" + "?" * 40, "and those of 39 other rows (3, 4, 5, 6, …): fill them in"),
    ],
)
def test_missing_labels_are_counted_and_listed(
    rows: str, message: str, size: int
) -> None:
    read: list[Rows] = []
    with pytest.raises(DataError) as caught:
        read.extend(check_labels(chunks(rows, size), "a.csv", "y"))
    assert message in str(caught.value)


def test_a_wrong_row_after_a_missing_label_does_not_hide_it() -> None:
    def rows() -> Iterator[Rows]:
        yield from chunks("a?b")
        raise DataError("row 4 is wrong")

    with pytest.raises(DataError, match="row 2: the label"):
        list(check_labels(rows(), "a.csv", "y"))
