"""The planner of epochs, against `plan_epoch`."""

import numpy as np

from rnncls.text.batch_plans import plan_epoch
from rnncls.training.epochs import EpochPlanner

LENGTHS = np.random.default_rng(0).integers(1, 9, 21)
PLANNER = EpochPlanner(LENGTHS, batch_size=4, seed=5, balanced_labels=None)


def test_an_epoch_has_a_step_for_each_batch() -> None:
    assert PLANNER.steps_per_epoch == len(PLANNER.plan(0)) == 6


def test_a_plan_is_that_of_the_seed_and_the_epoch() -> None:
    expected = plan_epoch(LENGTHS, 4, 5, 3)
    assert [rows.tolist() for rows in PLANNER.plan(3)] == [
        rows.tolist() for rows in expected
    ]


def test_a_step_has_the_rows_of_its_batch_in_its_epoch() -> None:
    assert PLANNER.rows_of_step(13).tolist() == PLANNER.plan(2)[1].tolist()


def test_the_tokens_of_an_epoch_are_those_of_all_its_rows() -> None:
    assert PLANNER.count_tokens(PLANNER.plan(0)) == LENGTHS.sum()
    balanced = EpochPlanner(LENGTHS, 4, 5, np.array([0] + [1] * 20))
    plan = balanced.plan(0)
    assert balanced.count_tokens(plan) == sum(LENGTHS[rows].sum() for rows in plan)
    assert balanced.count_tokens(plan) != LENGTHS.sum()


def test_an_epoch_may_be_limited_to_its_first_batches() -> None:
    limited = EpochPlanner(LENGTHS, 4, 5, None, max_batches=2)
    assert (limited.steps_per_epoch, limited.num_texts) == (2, 8)
    assert PLANNER.num_texts == 21
    plans = zip(limited.plan(3), PLANNER.plan(3), strict=False)
    assert all(rows.tolist() == expected.tolist() for rows, expected in plans)
    assert len(limited.plan(3)) == 2
    assert limited.rows_of_step(5).tolist() == PLANNER.plan(2)[1].tolist()
