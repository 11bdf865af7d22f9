"""Divergence: the step that was not finite, gradient norms, and exploded gradients."""

import math

import pytest
import torch

from rnncls.training.divergence import (
    CHECK_EVERY,
    GradientMonitor,
    describe_explosion,
    has_exploded,
)

CPU = torch.device("cpu")


def monitor_of(*steps: tuple[float, float]) -> GradientMonitor:
    """Return a monitor with steps from 10 on, each a loss and a gradient norm."""
    monitor = GradientMonitor(CPU)
    for step, (loss, norm) in enumerate(steps, start=10):
        monitor.add(step, torch.tensor(loss), torch.tensor(norm))
    return monitor


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_step_whose_loss_or_gradient_is_not_finite_is_found(
    bad: float,
) -> None:
    assert (
        monitor_of((0.5, 1.0), (bad, 1.0), (0.5, 1.0), (bad, bad)).find_bad_step() == 11
    )
    assert monitor_of((0.5, 1.0), (0.5, 1.0), (0.5, bad)).find_bad_step() == 12


def test_finite_steps_are_fine() -> None:
    assert monitor_of().find_bad_step() is None
    assert monitor_of((0.5, 1.0), (1e30, 1e30)).find_bad_step() is None


def test_a_step_is_checked_once() -> None:
    monitor = monitor_of(*[(0.5, 1.0)] * CHECK_EVERY)
    assert monitor.is_full
    monitor.find_bad_step()
    assert not monitor.is_full
    monitor.add(99, torch.tensor(math.nan), torch.tensor(1.0))
    assert monitor.find_bad_step() == 99


@pytest.mark.parametrize("question", ["item", "tolist", "__bool__", "__float__", "cpu"])
def test_adding_a_step_never_waits_for_the_device(
    monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    monitor = monitor_of()
    monkeypatch.setattr(torch.Tensor, question, lambda _: 1 / 0)
    for step in range(CHECK_EVERY):
        monitor.add(step, torch.ones(()), torch.ones(()))
    assert monitor.is_full


def test_the_summary_is_the_mean_and_the_largest_length() -> None:
    norms = monitor_of((0.5, 1.0), (0.5, 6.0), (0.5, 2.0)).summary(3)
    assert norms == {"gradient_norm": 3.0, "largest_gradient_norm": 6.0}


def test_a_restored_monitor_continues() -> None:
    first, second = monitor_of((0.5, 1.0), (0.5, 6.0)), monitor_of()
    second.load_state_dict(first.state_dict())
    second.add(12, torch.tensor(0.5), torch.tensor(2.0))
    assert second.summary(3) == {"gradient_norm": 3.0, "largest_gradient_norm": 6.0}


@pytest.mark.parametrize(("largest", "exploded"), [(99.0, False), (101.0, True)])
def test_a_gradient_of_a_hundred_times_the_others_has_exploded(
    largest: float, exploded: bool
) -> None:
    # Nine of length 1 beside it.
    norms = {"gradient_norm": (9 + largest) / 10, "largest_gradient_norm": largest}
    assert has_exploded(norms, 10) == exploded


def test_a_single_gradient_cannot_have_exploded() -> None:
    assert not has_exploded({"gradient_norm": 5.0, "largest_gradient_norm": 5.0}, 1)


def test_an_explosion_is_described_with_both_norms() -> None:
    line = describe_explosion({"gradient_norm": 1.5, "largest_gradient_norm": 12345.6})
    assert "its largest norm is 1.23e+04, the mean is 1.5;" in line
