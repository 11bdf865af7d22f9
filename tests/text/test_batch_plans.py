"""The plan of an epoch and of an evaluation."""

import numpy as np
import pytest

from rnncls.text.batch_plans import evenly_spaced, plan_epoch, plan_in_order_of_length


def lengths_of(num_texts: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(0).integers(1, 40, num_texts)


@pytest.mark.parametrize("num_texts", [1, 7, 8, 1000])
def test_an_epoch_has_every_row_once(num_texts: int) -> None:
    plan = plan_epoch(lengths_of(num_texts), 8, seed=0, epoch=0)
    assert sorted(np.concatenate(plan).tolist()) == list(range(num_texts))


def test_all_batches_but_one_are_full() -> None:
    sizes = sorted(
        len(rows) for rows in plan_epoch(lengths_of(1003), 8, seed=0, epoch=0)
    )
    assert sizes == [3] + [8] * 125


def test_padding_stays_under_one_percent_of_the_positions() -> None:
    lengths = lengths_of(20_000)
    plan = plan_epoch(lengths, 128, seed=0, epoch=0)
    positions = sum(len(rows) * int(lengths[rows].max()) for rows in plan)
    assert 1 - lengths.sum() / positions < 0.01


def test_an_epoch_is_planned_the_same_from_the_same_seed() -> None:
    first, second = (plan_epoch(lengths_of(100), 8, seed=3, epoch=2) for _ in range(2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]


@pytest.mark.parametrize(("seed", "epoch"), [(1, 0), (0, 1)])
def test_another_seed_or_epoch_is_another_order_and_other_neighbours(
    seed: int, epoch: int
) -> None:
    lengths = lengths_of(1000)
    first = plan_epoch(lengths, 8, seed=0, epoch=0)
    other = plan_epoch(lengths, 8, seed=seed, epoch=epoch)
    assert [rows.tolist() for rows in first] != [rows.tolist() for rows in other]
    assert {frozenset(rows.tolist()) for rows in first}.isdisjoint(
        {frozenset(rows.tolist()) for rows in other}
    )


UNEQUAL = np.repeat([0, 1, 2], [900, 90, 11])  # labels of 1,001 rows


def balanced_epoch(epoch: int = 0) -> list[list[int]]:
    plan = plan_epoch(
        lengths_of(1001), 16, seed=3, epoch=epoch, balanced_labels=UNEQUAL
    )
    return [rows.tolist() for rows in plan]


def test_a_balanced_epoch_has_as_many_rows_of_each_class() -> None:
    rows = np.concatenate(
        plan_epoch(lengths_of(1001), 16, seed=3, epoch=0, balanced_labels=UNEQUAL)
    )
    assert sorted(np.bincount(UNEQUAL[rows])) == [333, 334, 334]


def test_a_balanced_epoch_takes_no_row_again_before_all_others_of_its_class() -> None:
    times = np.bincount(
        np.concatenate(
            plan_epoch(lengths_of(1001), 16, seed=3, epoch=0, balanced_labels=UNEQUAL)
        )
    )
    # 333 or 334 of 900 rows; 3 rounds of 90 and some more; 30 rounds of 11 and some
    # more.
    for label, fewest in enumerate([0, 3, 30]):
        assert set(times[label == UNEQUAL]) == {fewest, fewest + 1}


def test_a_balanced_epoch_is_a_function_of_the_seed_and_the_epoch() -> None:
    assert balanced_epoch() == balanced_epoch()
    assert balanced_epoch() != balanced_epoch(epoch=1)


def test_balanced_epochs_take_different_rows_of_a_frequent_class() -> None:
    first, second = (
        {row for rows in balanced_epoch(epoch) for row in rows if UNEQUAL[row] == 0}
        for epoch in (0, 1)
    )
    assert {len(first), len(second)} <= {333, 334}  # of 900
    assert len(first & second) < 200  # about 123 by chance, 333 if always the same


def test_a_balanced_epoch_is_batched_by_length_too() -> None:
    lengths = lengths_of(20_000)
    plan = plan_epoch(
        lengths,
        128,
        seed=0,
        epoch=0,
        balanced_labels=(np.arange(20_000) % 50 == 0).astype(np.int64),
    )
    positions = sum(len(rows) * int(lengths[rows].max()) for rows in plan)
    assert 1 - sum(lengths[rows].sum() for rows in plan) / positions < 0.01


def test_batches_come_in_no_order_of_length() -> None:
    lengths = lengths_of(1000)
    longest = [
        int(lengths[rows].max()) for rows in plan_epoch(lengths, 8, seed=0, epoch=0)
    ]
    assert longest != sorted(longest)


def test_an_evaluation_goes_from_short_to_long_and_keeps_ties_in_order() -> None:
    plan = plan_in_order_of_length(np.array([3, 1, 3, 2, 1]), 2)
    assert [rows.tolist() for rows in plan] == [[1, 4], [3, 0], [2]]


@pytest.mark.parametrize(
    ("num_rows", "limit", "rows"),
    [(10, 4, [0, 3, 6, 9]), (3, 10, [0, 1, 2]), (5, 1, [0])],
)
def test_rows_are_evenly_spaced(num_rows: int, limit: int, rows: list[int]) -> None:
    selected = evenly_spaced(num_rows, limit)
    assert selected.tolist() == rows
    assert selected.dtype == np.int64
