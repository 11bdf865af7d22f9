"""Row-wise Adam against one dense Adam for each row."""

import pytest
import torch

from rnncls.training.row_optimizer import RowAdam, RowOptimizer


def test_a_row_that_is_not_in_the_batch_keeps_its_moments_and_its_count() -> None:
    adam = RowAdam(torch.zeros(3, 2))
    adam.direction(torch.tensor([0, 2]), torch.ones(2, 2))
    adam.direction(torch.tensor([2]), torch.ones(1, 2))
    assert adam.steps.flatten().tolist() == [1.0, 0.0, 2.0]
    assert not adam.moments[1].any()


def test_the_first_direction_is_the_sign_of_the_gradient() -> None:
    gradient = torch.tensor([[0.5, -3.0]])
    direction = RowAdam(torch.zeros(4, 2)).direction(torch.tensor([3]), gradient)
    torch.testing.assert_close(direction, torch.tensor([[1.0, -1.0]]))


def test_sgd_has_no_state() -> None:
    assert RowOptimizer(torch.zeros(3, 2), "sgd", 0.0).state_dict() == {}


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_restored_row_optimizer_continues_to_the_bit(name: str) -> None:
    first = RowOptimizer(torch.ones(3, 2), name, 0.1)
    first.update(torch.tensor([0, 1]), torch.full((2, 2), 0.3), 0.1)
    second = RowOptimizer(first.weight.clone(), name, 0.1)
    second.load_state_dict(
        {key: value.clone() for key, value in first.state_dict().items()}
    )
    for optimizer in (first, second):
        optimizer.update(torch.tensor([1, 2]), torch.full((2, 2), -0.7), 0.1)
    assert torch.equal(first.weight, second.weight)


def test_the_state_is_on_the_device_of_the_embedding() -> None:
    state = RowAdam(torch.empty(3, 2, device="meta")).state_dict()
    assert {tensor.device.type for tensor in state.values()} == {"meta"}
