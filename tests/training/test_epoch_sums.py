"""The sums of an epoch: what they add up, and that they can be restored."""

import pytest
import torch

from rnncls.training.epoch_sums import EpochSums
from rnncls.training.optimizer import Gradients
from rnncls.training.step_data import StepResult

CPU = torch.device("cpu")


def result(loss: float, num_correct: int) -> StepResult:
    gradients = Gradients(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2), [])
    return StepResult(torch.tensor(loss), torch.tensor(num_correct), gradients)


def test_restored_sums_continue() -> None:
    first, second = EpochSums(CPU), EpochSums(CPU)
    first.add(result(0.5, 3))
    first.gradients.add(0, torch.tensor(0.5), torch.tensor(2.0))
    second.load_state_dict(first.state_dict())
    second.add(result(1.5, 4))
    assert second.loss == 2.0
    assert second.num_correct == 7
    assert second.gradients.sum == 2.0


def test_a_state_without_a_sum_is_refused() -> None:
    state = EpochSums(CPU).state_dict()
    del state["epoch_correct"]
    with pytest.raises(KeyError, match="epoch_correct"):
        EpochSums(CPU).load_state_dict(state)


def test_correct_texts_are_counted_exactly_beyond_the_integers_of_float32() -> None:
    sums = EpochSums(CPU)
    sums.add(result(0.5, 2**24))
    sums.add(result(0.5, 1))
    assert sums.num_correct.item() == 2**24 + 1


def test_the_sums_are_on_the_device_of_the_training() -> None:
    state = EpochSums(torch.device("meta")).state_dict()
    assert {value.device.type for value in state.values()} == {"meta"}
