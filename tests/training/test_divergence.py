"""Numbers that go bad: which step it was, how long the gradients are, and when one has
exploded."""

import math

import pytest
import torch

from rnncls.training.divergence import (
    LOOK_EVERY,
    GradientWatch,
    describe_explosion,
    has_exploded,
)

CPU = torch.device("cpu")


def watch(*steps: tuple[float, float]) -> GradientWatch:
    """Return a watch that has taken in steps from number 10 on, each a loss and the
    length of a gradient."""
    found = GradientWatch(CPU)
    for number, (loss, norm) in enumerate(steps, start=10):
        found.add(number, torch.tensor(loss), torch.tensor(norm))
    return found


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_step_whose_loss_or_gradient_is_not_finite_is_found(
    bad: float,
) -> None:
    assert watch((0.5, 1.0), (bad, 1.0), (0.5, 1.0), (bad, bad)).find_bad_step() == 11
    assert watch((0.5, 1.0), (0.5, 1.0), (0.5, bad)).find_bad_step() == 12


def test_finite_steps_are_fine() -> None:
    assert watch().find_bad_step() is None
    assert watch((0.5, 1.0), (1e30, 1e30)).find_bad_step() is None


def test_a_step_is_looked_at_once() -> None:
    found = watch(*[(0.5, 1.0)] * LOOK_EVERY)
    assert found.is_full
    found.find_bad_step()
    assert not found.is_full
    found.add(99, torch.tensor(math.nan), torch.tensor(1.0))
    assert found.find_bad_step() == 99


@pytest.mark.parametrize("question", ["item", "tolist", "__bool__", "__float__", "cpu"])
def test_taking_in_a_step_never_asks_the_device(
    monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    found = watch()
    monkeypatch.setattr(torch.Tensor, question, lambda _: 1 / 0)
    for step in range(LOOK_EVERY):
        found.add(step, torch.ones(()), torch.ones(()))
    assert found.is_full


def test_the_summary_is_the_mean_and_the_largest_length() -> None:
    norms = watch((0.5, 1.0), (0.5, 6.0), (0.5, 2.0)).summary(3)
    assert norms == {"gradient_norm": 3.0, "largest_gradient_norm": 6.0}


def test_a_summary_goes_on_from_a_state() -> None:
    first, second = watch((0.5, 1.0), (0.5, 6.0)), watch()
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


def test_one_gradient_alone_has_nothing_to_be_compared_with() -> None:
    assert not has_exploded({"gradient_norm": 5.0, "largest_gradient_norm": 5.0}, 1)


def test_an_explosion_is_told_with_both_lengths() -> None:
    line = describe_explosion({"gradient_norm": 1.5, "largest_gradient_norm": 12345.6})
    assert line.startswith("a gradient of length 1.23e+04 where the mean is 1.5: ")
