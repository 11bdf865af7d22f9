"""The moving average of the weights, against its recursion."""

import pytest
import torch
from torch import nn

from rnncls.training.ema import WeightEMA


def test_the_average_follows_the_weights_more_and_more_slowly() -> None:
    model = nn.Linear(3, 1)
    ema = WeightEMA(model, decay=0.9, steps_per_epoch=20)
    average = ema.module.get_parameter("bias")
    expected = model.bias.item()
    for num_updates in range(40):
        with torch.no_grad():
            model.bias.add_(1)
        ema.update_parameters(model)
        factor = 0.0  # the first update copies the weights
        if num_updates:
            factor = min(0.9**10, (1 + num_updates) / (10 + num_updates))
        expected = factor * expected + (1 - factor) * model.bias.item()
        assert average.item() == pytest.approx(expected)
    assert average.item() < model.bias.item()


@pytest.mark.parametrize(("steps_per_epoch", "every"), [(1, 1), (7, 7), (500, 10)])
def test_there_is_an_update_in_each_epoch(steps_per_epoch: int, every: int) -> None:
    assert WeightEMA(nn.Linear(1, 1), 0.9, steps_per_epoch).every == every
