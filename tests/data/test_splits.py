"""The split into training, validation and test rows."""

import numpy as np
import pytest

from rnncls import DataError
from rnncls.data.splits import split_rows, split_test_rows


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


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], [0] * 9])
def test_too_few_rows_to_split_are_named_with_what_to_do(labels: list[int]) -> None:
    with pytest.raises(DataError) as caught:
        split_rows(np.array(labels), 0.05, seed=0)
    assert (
        str(caught.value)
        == f"{len(labels)} training rows are too few to keep 5% of each class for"
        " validation: raise data.valid_fraction or set data.valid"
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
            r"^2 rows are too few to keep 10% of each class for the test: raise"
            r" data\.test_"
        ),
    ):
        split_test_rows(np.array([0, 1]), 0.1)
