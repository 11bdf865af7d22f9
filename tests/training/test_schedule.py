"""Learning-rate schedules against values worked by hand."""

import math

import pytest

from rnncls.training.schedule import Schedule, lr_factor


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]),
        (
            "cosine",
            [0.5, 1.0] + [(1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)],
        ),
        (
            "one_cycle",
            [0.5, 1.0] + [(1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)],
        ),
    ],
)
def test_the_schedule_by_hand(schedule: Schedule, expected: list[float]) -> None:
    factors = [lr_factor(step, 10, schedule, 0.2) for step in range(10)]
    assert factors == pytest.approx(expected)


def test_one_cycle_warms_up_along_half_a_cosine() -> None:
    assert lr_factor(0, 40, "one_cycle", 0.1) == pytest.approx(
        (1 - math.cos(math.pi / 4)) / 2
    )
    assert lr_factor(0, 40, "linear", 0.1) == pytest.approx(1 / 4)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "one_cycle"])
def test_without_warmup_the_first_step_is_at_full_rate(schedule: Schedule) -> None:
    assert lr_factor(0, 5, schedule, 0.0) == 1.0


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "one_cycle"])
def test_a_warmup_over_all_steps_ends_at_full_rate(schedule: Schedule) -> None:
    factors = [lr_factor(step, 10, schedule, 1.0) for step in range(10)]
    assert factors == sorted(set(factors))
    assert factors[-1] == 1.0
