"""The optimiser of the network; test_optimizer compares its updates with torch's."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.training.network_optimizer import NetworkOptimizer

DENSE = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
LR, FACTORS, WEIGHT_DECAY = 0.1, [1.0, 0.5, 1.0], 0.1

each_optimizer = pytest.mark.parametrize("name", list(DENSE))


def draw_tensors(seed: int) -> list[torch.Tensor]:
    """Return a random tensor for each parameter."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, 3), (3,), (2,)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def draw_parameters() -> list[nn.Parameter]:
    return [nn.Parameter(value) for value in draw_tensors(0)]


def build_optimizer(parameters: list[nn.Parameter], name: str) -> NetworkOptimizer:
    return NetworkOptimizer(parameters, FACTORS, name, WEIGHT_DECAY)


def assert_equal(found: list[nn.Parameter], expected: list[nn.Parameter]) -> None:
    torch.testing.assert_close([*found], [*expected], rtol=0.0, atol=0.0)


@each_optimizer
def test_each_parameter_has_a_learning_rate_of_its_own(name: str) -> None:
    parameters, reference = draw_parameters(), draw_parameters()
    optimizer = build_optimizer(parameters, name)
    groups = [
        {"params": [parameter], "lr": LR * factor}
        for parameter, factor in zip(reference, FACTORS, strict=True)
    ]
    dense = DENSE[name](groups, lr=LR, weight_decay=WEIGHT_DECAY)
    for seed in (1, 2, 3):
        gradients = draw_tensors(seed)
        optimizer.update(gradients, LR)
        for parameter, gradient in zip(reference, gradients, strict=True):
            parameter.grad = gradient.clone()
        dense.step()
        torch.testing.assert_close([*parameters], [*reference])


@each_optimizer
def test_parameters_that_are_not_trainable_stay(name: str) -> None:
    parameters, reference = draw_parameters(), draw_parameters()
    optimizer, complete = (
        build_optimizer(weights, name) for weights in (parameters, reference)
    )
    gradients = draw_tensors(1)
    optimizer.set_trainable([2, 0])
    assert optimizer.trainable == [parameters[2], parameters[0]]
    optimizer.update([gradients[2], gradients[0]], LR)
    complete.update(gradients, LR)
    initial = draw_parameters()
    assert_equal(parameters, [reference[0], initial[1], reference[2]])


@each_optimizer
def test_a_restored_optimizer_continues_to_the_bit(name: str) -> None:
    parameters = draw_parameters()
    optimizer = build_optimizer(parameters, name)
    optimizer.update(draw_tensors(1), LR)
    others = [nn.Parameter(weight.detach().clone()) for weight in parameters]
    restored = build_optimizer(others, name)
    restored.update([torch.zeros_like(weight) for weight in others], 0.0)
    state = {key: value.clone() for key, value in optimizer.state_dict().items()}
    restored.load_state_dict(state)
    for each in (optimizer, restored):
        each.update(draw_tensors(2), LR)
    assert_equal(parameters, others)


def test_the_state_has_the_moments_and_the_steps_of_trained_parameters_only() -> None:
    optimizer = build_optimizer(draw_parameters(), "adam")
    assert optimizer.state_dict() == {}
    optimizer.set_trainable([1])
    gradient = draw_tensors(1)[1]
    optimizer.update([gradient], LR)
    optimizer.update([gradient], LR)
    state = optimizer.state_dict()
    assert set(state) == {"1.step", "1.exp_avg", "1.exp_avg_sq"}
    assert state["1.step"] == 2
    assert state["1.exp_avg"].shape == state["1.exp_avg_sq"].shape == (3,)


def test_sgd_has_no_state() -> None:
    optimizer = build_optimizer(draw_parameters(), "sgd")
    optimizer.update(draw_tensors(1), LR)
    assert optimizer.state_dict() == {}


def test_loading_a_state_replaces_all_that_was_there() -> None:
    optimizer = build_optimizer(draw_parameters(), "adam")
    optimizer.update(draw_tensors(1), LR)
    optimizer.load_state_dict({})
    assert optimizer.state_dict() == {}


def test_the_step_counts_are_on_the_device_of_the_weights() -> None:
    parameters = [nn.Parameter(torch.zeros(2, device="meta")) for _ in FACTORS]
    optimizer = build_optimizer(parameters, "adam")
    optimizer.update([torch.zeros(2, device="meta") for _ in FACTORS], LR)
    state = optimizer.state_dict()
    assert len(state) == 9
    assert {value.device.type for value in state.values()} == {"meta"}


def test_a_training_does_not_import_torchs_compiler(
    make_config: Callable[..., Config],
) -> None:
    script = """
import sys
from pathlib import Path
from rnncls.config.loading import parse_config
from rnncls.training.run import train

train(parse_config(sys.argv[1], "toy"), Path("run"))
assert "torch._dynamo" not in sys.modules, "its import takes a second"
"""
    subprocess.run(
        [sys.executable, "-c", script, dump_config(make_config("train.max_epochs=1"))],
        check=True,
    )
