"""Unknown labels are listed completely, with the known label that each resembles."""

import numpy as np
import pytest

from rnncls.data.unknown_labels import (
    UnknownLabel,
    describe_unknown_labels,
    find_similar,
    find_unknown_labels,
)

NAMES = ["a", "biling", "true"]


def find(*labels: int, known: tuple[str, ...] = ("a",)) -> list[UnknownLabel]:
    numbers = np.array(labels)
    return find_unknown_labels(numbers, NAMES, known, np.arange(len(numbers)))


def test_each_unknown_label_has_its_rows_and_its_first_row() -> None:
    assert find(0, 1, 2, 1) == [
        UnknownLabel("biling", 2, 2, None),
        UnknownLabel("true", 1, 3, None),
    ]


def test_a_label_of_other_rows_does_not_count() -> None:
    labels, rows = np.array([1, 0, 2, 2]), np.array([1, 3])
    assert find_unknown_labels(labels, NAMES, ["a"], rows) == [
        UnknownLabel("true", 1, 4, None)
    ]


def test_known_labels_are_not_reported() -> None:
    assert find(0, 0) == []


@pytest.mark.parametrize(
    ("label", "similar"),
    [
        ("true", "True"),
        ("1.0", "1"),
        ("01", "1"),
        ("biling", "billing"),
        ("Billing", "billing"),
        (" billing ", "billing"),
        ("bill\u200bing", "billing"),
        ("cafe\u0301", "café"),
        ("CAFE\u0301", "café"),
        ("tech_support", "tech support"),
        ("sports", None),
        ("2", None),
        ("nan", None),
        ("", None),
    ],
)
def test_the_known_label_that_a_label_resembles(
    label: str, similar: str | None
) -> None:
    known = ["1", "True", "billing", "café", "tech support"]
    assert find_similar(label, known) == similar


def test_the_message_names_the_first_row_and_lists_all_unknown_labels() -> None:
    assert describe_unknown_labels(
        find(0, 1, 2, 2, known=("a", "billing")), ["a", "billing"]
    ) == (
        "row 2: unknown label 'biling': expected one of 'a', 'billing'; unknown are"
        " 'true' (2 rows, first row 3), 'biling' (1 row, first row 2, similar to"
        " 'billing')"
    )


def test_the_message_of_very_many_labels_stays_short() -> None:
    names = [f"class {number}" for number in range(600)]
    labels = np.arange(300, 600)
    unknown = find_unknown_labels(labels, names, names[:300], np.arange(300))
    message = describe_unknown_labels(unknown, names[:300])
    assert "and 280 more" in message
    assert len(message) < 3_000


def test_a_label_that_a_run_stores_in_another_unicode_form_is_known() -> None:
    stored = ["cafe\u0301", "tea"]  # as an earlier version kept it
    labels, rows = np.array([0, 1, 2]), np.arange(3)
    names = ["caf\u00e9", "tea", "milk"]
    unknown = find_unknown_labels(labels, names, stored, rows)
    assert [each.label for each in unknown] == ["milk"]


def test_unknown_labels_of_label_sets_have_their_rows() -> None:
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)
    assert find_unknown_labels(labels, NAMES, ["a"], np.arange(4)) == [
        UnknownLabel("biling", 2, 2, None),
        UnknownLabel("true", 1, 3, None),
    ]
    assert find_unknown_labels(labels, NAMES, ["a"], np.array([0, 3])) == []
