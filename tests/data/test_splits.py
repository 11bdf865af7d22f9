"""The split into training, validation and test rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncls import DataError
from rnncls.data.splits import (
    Ints,
    assign_folds,
    count_texts,
    split_rows,
    split_test_rows,
)


@pytest.mark.parametrize(
    ("fraction", "counts"),
    [
        (0.05, [5, 2, 0]),
        (0.1, [10, 4, 1]),
        (0.2, [20, 7, 2]),
        (0.5, [50, 18, 5]),
        (0.9, [90, 33, 9]),
    ],
)
def test_a_split_takes_the_rounded_share_of_each_class(
    fraction: float, counts: list[int]
) -> None:
    labels = np.repeat([0, 1, 2], [100, 37, 10])
    _, valid = split_rows(labels, fraction, seed=0)
    assert np.bincount(labels[valid], minlength=3).tolist() == counts


def test_a_split_parts_all_rows_in_their_order() -> None:
    train, valid = split_rows(np.arange(50) % 3, 0.2, seed=0)
    assert sorted([*train, *valid]) == list(range(50))
    assert (sorted(train), sorted(valid)) == (train.tolist(), valid.tolist())


def test_a_split_is_the_same_for_the_same_seed() -> None:
    labels = np.arange(100) % 2
    np.testing.assert_array_equal(
        split_rows(labels, 0.2, seed=3)[1], split_rows(labels, 0.2, seed=3)[1]
    )


def test_a_split_differs_for_another_seed() -> None:
    labels = np.arange(100) % 2
    assert (
        split_rows(labels, 0.2, seed=3)[1].tolist()
        != split_rows(labels, 0.2, seed=4)[1].tolist()
    )


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99])
def test_a_split_leaves_each_class_a_training_row(fraction: float) -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    train, _ = split_rows(labels, fraction, seed=0)
    assert set(labels[train].tolist()) == {0, 1, 2}


NO_FRACTION = "add rows (no data.valid_fraction works), or set data.valid to a file"


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (
            [0, 1],
            NO_FRACTION,
        ),
        (
            [0, 1, 2],
            NO_FRACTION,
        ),
        (
            [0] * 9,
            "add rows, or set data.valid_fraction to 0.1, or data.valid to a file",
        ),
        (
            [0, 0, 1, 1],
            "add rows, or set data.valid_fraction to 0.3, or data.valid to a file",
        ),
        ([0] * 10, "set data.valid_fraction to 0.1, or data.valid to a file"),
    ],
)
def test_too_few_rows_to_split_are_named_with_what_to_do(
    labels: list[int], advice: str
) -> None:
    with pytest.raises(DataError) as caught:
        split_rows(np.array(labels), 0.05, seed=0)
    assert (
        str(caught.value)
        == f"{len(labels)} training rows are too few to keep 5% of each class for"
        f" validation: {advice}"
    )


def test_a_class_too_small_for_its_share_stays_whole() -> None:
    labels = np.array([0] * 20 + [1] * 2)
    _, valid = split_rows(labels, 0.1, seed=0)
    assert labels[valid].tolist() == [0, 0]


def test_test_rows_are_drawn_class_by_class() -> None:
    labels = np.array([0] * 50 + [1] * 30)
    rest, test = split_test_rows(labels, 0.1)
    assert np.bincount(labels[test]).tolist() == [5, 3]
    assert sorted([*rest, *test]) == list(range(80))


def test_test_rows_are_not_those_that_a_seed_of_a_config_draws() -> None:
    labels = np.array([0, 1] * 200)
    _, test = split_test_rows(labels, 0.1)
    assert all(
        split_rows(labels, 0.1, seed)[1].tolist() != test.tolist() for seed in range(50)
    )


def test_without_a_fraction_there_are_no_test_rows() -> None:
    rest, test = split_test_rows(np.array([0, 1, 0]), None)
    assert (rest.tolist(), test.tolist()) == ([0, 1, 2], [])


def test_a_class_keeps_a_row_to_learn_from() -> None:
    rest, _ = split_test_rows(np.array([0, 0, 1]), 0.99)
    assert np.array([0, 0, 1])[rest].tolist() == [0, 1]


def test_too_few_rows_for_a_test_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=(
            r"^2 rows are too few to keep 10% of each class for the test: add rows"
            r" \(no data\.test_fraction works"
        ),
    ):
        split_test_rows(np.array([0, 1]), 0.1)


# Text by text

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1)


def arrays(rows: list[tuple[int, int]]) -> tuple[Ints, Ints]:
    """Return the labels and text ids of rows, as a file gives them."""
    first_rows: dict[int, int] = {}
    ids = [first_rows.setdefault(text, row) for row, (_, text) in enumerate(rows)]
    return np.array([label for label, _ in rows]), np.array(ids)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5, 0.9])
def test_without_copies_texts_are_split_as_rows_are(fraction: float, seed: int) -> None:
    labels = np.repeat([0, 1, 2], [100, 37, 10])[
        np.random.default_rng(seed).permutation(147)
    ]
    ids = np.arange(147)
    by_row, by_text = (split_rows(labels, fraction, seed, i) for i in (None, ids))
    np.testing.assert_array_equal(by_row[1], by_text[1])
    np.testing.assert_array_equal(
        split_test_rows(labels, fraction)[1], split_test_rows(labels, fraction, ids)[1]
    )


@given(ROWS, st.floats(0.01, 0.99), st.integers(0, 9))
def test_copies_are_on_one_side_and_no_class_is_lost(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    labels, ids = arrays(rows)
    try:
        train, valid = split_rows(labels, fraction, seed, ids)
    except DataError:
        return
    assert sorted([*train, *valid]) == list(range(len(rows)))
    assert not set(ids[train]) & set(ids[valid])
    assert set(labels[train]) == set(labels)


def test_copies_do_not_change_how_many_rows_are_taken() -> None:
    labels = np.repeat([0, 1], 100)
    ids = np.arange(200) - np.arange(200) % 2  # each text twice
    _, valid = split_rows(labels, 0.2, 0, ids)
    assert np.bincount(labels[valid]).tolist() == [20, 20]


def test_a_text_with_most_of_the_copies_stays_in_training() -> None:
    labels = np.zeros(60, dtype=np.int64)
    ids = np.concatenate([np.zeros(50, dtype=np.int64), np.arange(50, 60)])
    for seed in range(10):
        _, valid = split_rows(labels, 0.1, seed, ids)
        assert len(valid) == 6
        assert 0 not in ids[valid]


def test_if_each_text_has_too_many_copies_the_rarest_is_taken() -> None:
    labels = np.zeros(9, dtype=np.int64)
    ids = np.array([0, 0, 0, 0, 0, 5, 5, 5, 5])
    _, valid = split_rows(labels, 0.2, 0, ids)
    assert valid.tolist() == [5, 6, 7, 8]


def test_a_text_with_two_labels_stays_together_and_counts_for_the_more_common() -> None:
    labels = np.array([0, 0, 1, *[0] * 20, *[1] * 20])
    ids = np.array([0, 0, 0, *range(3, 43)])
    sides = set()
    for seed in range(30):
        _, valid = split_rows(labels, 0.5, seed, ids)
        sides.add(tuple(np.isin([0, 1, 2], valid).tolist()))
    assert sides == {(False,) * 3, (True,) * 3}


def test_one_text_alone_cannot_be_split_and_what_to_do_is_said() -> None:
    with pytest.raises(DataError, match=r"or data\.split to rows: only 2 texts"):
        split_rows(np.array([0, 1] * 9), 0.2, 0, np.array([0, 1] * 9))
    with pytest.raises(DataError, match=r"or data\.split to rows: only 2 texts"):
        split_test_rows(np.array([0, 1] * 9), 0.2, np.array([0, 1] * 9))


@given(ROWS, st.integers(2, 5), st.integers(0, 9))
def test_the_copies_of_a_text_are_in_one_fold(
    rows: list[tuple[int, int]], num_folds: int, seed: int
) -> None:
    labels, ids = arrays(rows)
    folds = assign_folds(labels, ids, num_folds, seed)
    assert set(folds) <= set(range(1, num_folds + 1))
    for text in set(ids):
        assert len(set(folds[ids == text])) == 1
    again = assign_folds(labels, ids, num_folds, seed)
    np.testing.assert_array_equal(folds, again)


def test_folds_of_texts_have_equal_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1], [60, 14])
    ids = np.arange(74)
    ids[:8] = [0, 0, 0, 0, 4, 4, 4, 4]
    folds = assign_folds(labels, ids, 5, 0)
    counts = [np.bincount(labels[folds == fold]).tolist() for fold in range(1, 6)]
    assert [zeros for zeros, _ in counts] == [12] * 5
    assert sorted(ones for _, ones in counts) == [2, 3, 3, 3, 3]
    assert folds.tolist() != assign_folds(labels, ids, 5, 1).tolist()


def test_different_texts_of_each_class_are_counted() -> None:
    labels, ids = np.array([0, 0, 0, 2, 2]), np.array([0, 0, 2, 0, 4])
    assert count_texts(labels, ids, 4).tolist() == [2, 0, 2, 0]
