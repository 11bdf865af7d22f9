"""What a step reads and reports."""

import torch

from rnncls.nn.dropout import Dropout
from rnncls.training.step_data import Step, StepNoise


def test_a_step_has_only_the_noise_and_the_validation_it_was_given() -> None:
    noise = StepNoise(Dropout([], torch.ones(16, 4)))
    assert noise.second_dropout is None
    assert noise.vat_direction is None
    assert Step(1, 16, torch.zeros(())).validation is None
