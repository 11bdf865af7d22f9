"""Learning-rate schedules: the factor on `lr` in each step of a training."""

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine", "one_cycle"]


def lr_factor(
    step: int, num_steps: int, schedule: Schedule, warmup_fraction: float
) -> float:
    """Return the factor on the highest learning rate in a step.

    The rate rises over the first `warmup_fraction` of the steps, linearly or, for
    one_cycle (Smith 2018), along half a cosine. After that it stays (constant) or falls
    towards 0, linearly (linear) or along half a cosine (cosine, one_cycle).

    Args:
        step: From 0 to `num_steps` - 1.
        num_steps: Steps of the complete training.
        schedule: The shape of the curve.
        warmup_fraction: In 0..1.
    """
    warmup_steps = warmup_fraction * num_steps
    steps_done = step + 1
    if steps_done < warmup_steps:
        fraction = steps_done / warmup_steps
        if schedule == "one_cycle":
            return (1 - math.cos(math.pi * fraction)) / 2
        return fraction
    decay_steps = num_steps - warmup_steps
    if decay_steps <= 0:
        return _decay_factor(schedule, 0.0)
    fraction = (step - warmup_steps) / decay_steps
    return _decay_factor(schedule, min(max(fraction, 0.0), 1.0))


def _decay_factor(schedule: Schedule, fraction: float) -> float:
    """Return the factor after this fraction of the steps that follow the warm-up."""
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1.0 - fraction
    return (1 + math.cos(math.pi * fraction)) / 2
