"""The optimiser: equal to torch's dense ones where each row sees every step, and to one
a row where it does not."""

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import chain

import pytest
import torch
from torch import nn

from rnncls.config.sections import Config, TrainSection
from rnncls.config.yaml_format import dump_config
from rnncls.machine.threads import Workers
from rnncls.training.optimizer import (
    Gradients,
    Optimizer,
    RunningMean,
    add_up,
    build_optimizer,
    clip,
    lr_factor,
)

DENSE = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
NUM_WORDS, WIDTH, LR = 6, 3, 0.1


class Words(nn.Module):
    """A model as small as can be: an embedding and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(NUM_WORDS, WIDTH)
        self.linear = nn.Linear(WIDTH, 1)

    def layers(self) -> list[list[nn.Parameter]]:
        return [[*self.linear.parameters()]]

    def loss(self, words: list[int]) -> torch.Tensor:
        result: torch.Tensor = (
            self.linear(self.embedding(torch.tensor(words)).sin()).square().sum()
        )
        return result


def section(name: str, **values: float | None) -> TrainSection:
    return TrainSection.model_validate(
        {"optimizer": name, "lr": LR, "clip_norm": None} | values
    )


def gradients_of(model: Words, words: list[int]) -> Gradients:
    """Return the gradients of the words that occur, and of the linear layer."""
    used = torch.tensor(sorted(set(words)))
    embedding, *network = torch.autograd.grad(
        model.loss(words), list(model.parameters())
    )
    return Gradients(used, embedding[used], network)


def step(model: Words, optimizer: Optimizer, words: list[int]) -> None:
    optimizer.step(gradients_of(model, words), LR)


def dense_step(
    model: Words,
    optimizer: torch.optim.Optimizer,
    words: list[int],
    clip_norm: float | None = None,
) -> None:
    optimizer.zero_grad()
    model.loss(words).backward()  # type: ignore[no-untyped-call]
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()


def assert_same(model: Words, other: Words) -> None:
    for (name, found), expected in zip(
        model.named_parameters(), other.parameters(), strict=True
    ):
        assert torch.allclose(found, expected, rtol=1.3e-6, atol=1e-5), name


@pytest.mark.parametrize("name", list(DENSE))
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_it_equals_the_dense_optimizer_where_every_word_is_in_every_batch(
    name: str, weight_decay: float, clip_norm: float | None
) -> None:
    model, reference = Words(), Words()
    optimizer = build_optimizer(
        model, section(name, weight_decay=weight_decay, clip_norm=clip_norm)
    )
    dense = DENSE[name](reference.parameters(), lr=LR, weight_decay=weight_decay)
    for words in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0, 0, 0], [0, 1, 2, 3, 4, 5]):
        step(model, optimizer, words)
        dense_step(reference, dense, words, clip_norm)
        assert_same(model, reference)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_each_row_equals_an_optimizer_of_its_own_that_steps_when_its_word_occurs(
    name: str,
) -> None:
    model = Words()
    optimizer = build_optimizer(model, section(name, weight_decay=0.1))
    rows = [
        model.embedding.weight[row].detach().clone().requires_grad_()
        for row in range(NUM_WORDS)
    ]
    own = [DENSE[name]([row], lr=LR, weight_decay=0.1) for row in rows]
    for words in ([0, 1], [1, 1, 4], [0], [1, 5]):
        linear = torch.nn.functional.linear(
            torch.stack([rows[word] for word in words]).sin(),
            model.linear.weight.detach(),
            model.linear.bias.detach(),
        )
        gradients = torch.autograd.grad(
            linear.square().sum(), [rows[word] for word in sorted(set(words))]
        )
        for word, gradient in zip(sorted(set(words)), gradients, strict=True):
            rows[word].grad = gradient
            own[word].step()
        step(model, optimizer, words)
    torch.testing.assert_close(model.embedding.weight, torch.stack(rows))


@pytest.mark.parametrize("name", list(DENSE))
def test_words_outside_the_batch_stay_where_they_are(name: str) -> None:
    model = Words()
    before = model.embedding.weight.detach().clone()
    optimizer = build_optimizer(model, section(name, weight_decay=0.1))
    for _ in range(3):
        step(model, optimizer, [1, 2])
    torch.testing.assert_close(
        model.embedding.weight[[0, 3, 4, 5]], before[[0, 3, 4, 5]], rtol=0, atol=0
    )
    assert (model.embedding.weight[[1, 2]] != before[[1, 2]]).all()


def test_the_learning_rate_of_a_step_is_the_one_given() -> None:
    model = Words()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = build_optimizer(model, section("adamw"))
    optimizer.step(gradients_of(model, [0, 1]), 0.0)
    assert all(
        torch.equal(old, new)
        for old, new in zip(before, model.parameters(), strict=True)
    )


def test_gradients_are_forgotten_after_a_step() -> None:
    model = Words()
    optimizer = build_optimizer(model, section("adam"))
    step(model, optimizer, [0])
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", list(DENSE))
def test_a_restored_optimizer_goes_on_to_the_bit(name: str) -> None:
    model, other = Words(), Words()
    optimizer = build_optimizer(model, section(name))
    step(model, optimizer, [0, 1, 1])
    other.load_state_dict(model.state_dict())
    restored = build_optimizer(other, section(name))
    restored.load_state_dict(
        {key: value.clone() for key, value in optimizer.state_dict().items()}
    )
    step(model, optimizer, [1, 2])
    step(other, restored, [1, 2])
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", list(DENSE))
def test_two_workers_take_the_step_of_one_to_the_bit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []
    for num_threads in (1, 2):
        workers = Workers(num_threads)
        monkeypatch.setattr(
            "rnncls.training.optimizer.start_workers",
            lambda _, workers=workers: workers,
        )
        models.append(model := Words())
        optimizer = build_optimizer(
            model, section(name, weight_decay=0.1, clip_norm=0.5)
        )
        for words in ([0, 1, 2, 3, 4], [5, 5], [1, 2, 3]):
            step(model, optimizer, words)
    assert all(
        torch.equal(a, b)
        for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "parts", [[[0, 1, 2, 1, 4, 2]], [[0, 1, 2], [1, 4, 2]], [[0], [1, 2, 1], [4, 2]]]
)
def test_the_gradients_of_the_parts_add_up_to_that_of_the_whole_batch(
    parts: list[list[int]],
) -> None:
    model, used = Words(), torch.tensor([0, 1, 2, 4])

    def differentiate(words: list[int]) -> tuple[torch.Tensor, ...]:
        embedding, *network = torch.autograd.grad(
            model.loss(words), list(model.parameters())
        )
        return embedding[used], *network

    found, expected = (
        add_up(used, [differentiate(part) for part in parts]),
        gradients_of(model, [*chain(*parts)]),
    )
    assert found.words.tolist() == expected.words.tolist()
    torch.testing.assert_close(
        [found.rows, *found.network], [expected.rows, *expected.network]
    )


def test_clip_scales_all_gradients_by_one_factor() -> None:
    gradients = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    clip(gradients, torch.nn.utils.get_total_norm(gradients), 1.0)
    torch.testing.assert_close(
        gradients, [torch.tensor([0.6]), torch.tensor([[0.0, 0.8]])]
    )


def test_clip_leaves_short_gradients_as_they_are() -> None:
    gradients = [torch.tensor([0.3, 0.4])]
    clip(gradients, torch.nn.utils.get_total_norm(gradients), 1.0)
    assert gradients[0].tolist() == torch.tensor([0.3, 0.4]).tolist()


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
def test_the_schedule_by_hand(schedule: str, expected: list[float]) -> None:
    found = [lr_factor(step, 10, schedule, 0.2) for step in range(10)]  # type: ignore[arg-type]
    assert found == pytest.approx(expected)


def test_one_cycle_warms_up_along_a_cosine() -> None:
    assert lr_factor(0, 40, "one_cycle", 0.1) == pytest.approx(
        (1 - math.cos(math.pi / 4)) / 2
    )
    assert lr_factor(0, 40, "linear", 0.1) == pytest.approx(1 / 4)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "one_cycle"])
def test_without_warmup_the_first_step_is_at_full_rate(schedule: str) -> None:
    assert lr_factor(0, 5, schedule, 0.0) == 1.0  # type: ignore[arg-type]


class Deep(Words):
    """Words with a layer between the embedding and the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = nn.Linear(WIDTH, WIDTH)

    def layers(self) -> list[list[nn.Parameter]]:
        return [[*self.linear.parameters()], [*self.middle.parameters()]]

    def loss(self, words: list[int]) -> torch.Tensor:
        result: torch.Tensor = (
            self.linear(self.middle(self.embedding(torch.tensor(words))).sin())
            .square()
            .sum()
        )
        return result


@pytest.mark.parametrize("name", list(DENSE))
def test_each_layer_has_a_lower_rate_than_the_one_above(name: str) -> None:
    model, reference = Deep(), Deep()
    optimizer = build_optimizer(model, section(name, layer_lr_decay=0.5))
    rates = [
        (reference.linear, LR),
        (reference.middle, LR / 2),
        (reference.embedding, LR / 4),
    ]
    groups = [{"params": [*module.parameters()], "lr": rate} for module, rate in rates]
    dense = DENSE[name](groups, weight_decay=0.0)
    for _ in range(3):
        step(model, optimizer, [0, 1, 2, 3, 4, 5])
        dense_step(reference, dense, [0, 1, 2, 3, 4, 5])
        assert_same(model, reference)


@pytest.mark.parametrize("name", list(DENSE))
@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_frozen_weights_stay_and_then_move_like_fresh_ones(
    name: str, clip_norm: float | None
) -> None:
    model, reference = Deep(), Deep()
    options = {"weight_decay": 0.1, "clip_norm": clip_norm}
    optimizer = build_optimizer(
        model, section(name, freeze_encoder=1, freeze_embedding=2, **options)
    )
    dense = DENSE[name](reference.parameters(), lr=LR, weight_decay=0.1)
    words = [0, 1, 2, 3, 4, 5]
    for epoch in range(4):
        optimizer.thaw(epoch)
        embedding, *network = torch.autograd.grad(
            model.loss(words), [model.embedding.weight, *optimizer.moving]
        )
        optimizer.step(Gradients(torch.tensor(words), embedding, network), LR)
        reference.middle.requires_grad_(epoch >= 1)
        reference.embedding.requires_grad_(epoch >= 2)
        dense_step(reference, dense, words, clip_norm)
        assert_same(model, reference)


def test_the_running_mean_follows_the_weights_ever_more_slowly() -> None:
    model = Words()
    mean = RunningMean(model, decay=0.9, steps_per_epoch=20)
    kept = mean.module.get_parameter("linear.bias")
    expected = model.linear.bias.item()
    for look in range(40):
        with torch.no_grad():
            model.linear.bias.add_(1)
        mean.update_parameters(model)
        fade = (
            min(0.9**10, (1 + look) / (10 + look)) if look else 0.0
        )  # the first look takes the weights as they are
        expected = fade * expected + (1 - fade) * model.linear.bias.item()
        assert kept.item() == pytest.approx(expected)
    assert kept.item() < model.linear.bias.item()


def test_a_training_does_not_import_torchs_compiler(
    make_config: Callable[..., Config],
) -> None:
    script = """
import sys
from pathlib import Path
from rnncls.config.loading import parse_config
from rnncls.training.run import train

train(parse_config(sys.argv[1], "toy"), Path("run"))
assert "torch._dynamo" not in sys.modules, "which takes a second"
"""
    subprocess.run(
        [sys.executable, "-c", script, dump_config(make_config("train.max_epochs=1"))],
        check=True,
    )
