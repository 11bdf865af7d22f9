"""An exponential moving average (EMA) of the weights of a model."""

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


class WeightEMA(AveragedModel):
    """A copy of a model whose weights are the moving average of the model's weights."""

    EVERY = 10
    """Steps between two updates, if an epoch has that many. The average is as good as
    with an update after each step, and costs a tenth."""

    def __init__(self, model: nn.Module, decay: float, steps_per_epoch: int) -> None:
        """Start with the current weights.

        Args:
            model: The model to average.
            decay: Factor on the average in each step, in 0..1. The first updates use a
                lower one.
            steps_per_epoch: Limits `every`, so that there is an update before the first
                validation.
        """
        self.every = min(self.EVERY, steps_per_epoch)

        @torch.no_grad()
        def update(averages: Any, weights: Any, num_averaged: Any) -> None:
            num_updates = int(num_averaged)
            warmup_decay = (1 + num_updates) / (10 + num_updates)
            full_decay = decay**self.every
            weight_of_new = 1 - min(full_decay, warmup_decay)
            torch._foreach_lerp_(list(averages), list(weights), weight_of_new)

        device = next(model.parameters()).device
        super().__init__(model, device=device, multi_avg_fn=update)
