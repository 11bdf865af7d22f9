"""The optimiser against torch's dense ones, for all rows and row by row."""

from itertools import chain

import pytest
import torch
from torch import nn

from rnncls.config.sections import TrainSection
from rnncls.machine.threads import Workers
from rnncls.training.optimizer import Gradients, Optimizer, clip, sum_gradients
from rnncls.training.options import TrainOptions

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


def make_optimizer(
    model: Words, train: TrainSection, num_threads: int = 1
) -> Optimizer:
    options = TrainOptions.from_train(train)
    return Optimizer(model, options.optimizer, Workers(num_threads))


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
    optimizer = make_optimizer(
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
    optimizer = make_optimizer(model, section(name, weight_decay=0.1))
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
    optimizer = make_optimizer(model, section(name, weight_decay=0.1))
    for _ in range(3):
        step(model, optimizer, [1, 2])
    torch.testing.assert_close(
        model.embedding.weight[[0, 3, 4, 5]], before[[0, 3, 4, 5]], rtol=0, atol=0
    )
    assert (model.embedding.weight[[1, 2]] != before[[1, 2]]).all()


@pytest.mark.parametrize("name", list(DENSE))
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_frozen_rows_stay_and_the_others_move_as_without_them(
    name: str, weight_decay: float
) -> None:
    train = section(name, weight_decay=weight_decay)
    frozen, expected = Words(), Words()
    for model in (frozen, expected):
        with torch.no_grad():
            model.embedding.weight[0] = 0  # <pad>
    before = frozen.embedding.weight[4:].tolist()
    options = TrainOptions.from_train(train).optimizer
    optimizer = Optimizer(frozen, options, Workers(1), num_frozen_rows=2)
    reference = make_optimizer(expected, train)
    for _ in range(3):
        gradients = gradients_of(frozen, [1, 2, 4, 5])
        known = Gradients(
            torch.tensor([1, 2]),
            gradients.rows[:2].clone(),
            [gradient.clone() for gradient in gradients.network],
        )
        reference.step(known, LR)
        optimizer.step(gradients, LR)
    assert frozen.embedding.weight[4:].tolist() == before
    assert torch.equal(frozen.embedding.weight[:4], expected.embedding.weight[:4])
    assert optimizer.state_dict().keys() == reference.state_dict().keys()


def test_the_learning_rate_of_a_step_is_the_one_given() -> None:
    model = Words()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = make_optimizer(model, section("adamw"))
    optimizer.step(gradients_of(model, [0, 1]), 0.0)
    assert all(
        torch.equal(old, new)
        for old, new in zip(before, model.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", list(DENSE))
def test_a_restored_optimizer_goes_on_to_the_bit(name: str) -> None:
    model, other = Words(), Words()
    optimizer = make_optimizer(model, section(name))
    step(model, optimizer, [0, 1, 1])
    other.load_state_dict(model.state_dict())
    restored = make_optimizer(other, section(name))
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
def test_two_threads_make_the_update_of_one_to_the_bit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnncls.training.optimizer.MIN_ROWS_FOR_THREADS", 2)
    models = []
    for num_threads in (1, 2):
        models.append(model := Words())
        train = section(name, weight_decay=0.1, clip_norm=0.5)
        optimizer = make_optimizer(model, train, num_threads)
        for words in ([0, 1, 2, 3, 4], [5, 5], [1, 2, 3]):
            step(model, optimizer, words)
    assert all(
        torch.equal(a, b)
        for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True)
    )


@pytest.mark.parametrize(("saved", "restored"), [("sgd", "adam"), ("sgd", "adamw")])
def test_the_state_of_another_optimizer_is_refused(saved: str, restored: str) -> None:
    model = Words()
    state = make_optimizer(model, section(saved)).state_dict()
    with pytest.raises(KeyError, match="moments"):
        make_optimizer(model, section(restored)).load_state_dict(state)


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
        sum_gradients(used, [differentiate(part) for part in parts]),
        gradients_of(model, [*chain(*parts)]),
    )
    assert found.word_ids.tolist() == expected.word_ids.tolist()
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
    optimizer = make_optimizer(model, section(name, layer_lr_decay=0.5))
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
    optimizer = make_optimizer(
        model, section(name, freeze_encoder=1, freeze_embedding=2, **options)
    )
    dense = DENSE[name](reference.parameters(), lr=LR, weight_decay=0.1)
    words = [0, 1, 2, 3, 4, 5]
    for epoch in range(4):
        optimizer.unfreeze(epoch)
        embedding, *network = torch.autograd.grad(
            model.loss(words), [model.embedding.weight, *optimizer.trainable]
        )
        optimizer.step(Gradients(torch.tensor(words), embedding, network), LR)
        reference.middle.requires_grad_(epoch >= 1)
        reference.embedding.requires_grad_(epoch >= 2)
        dense_step(reference, dense, words, clip_norm)
        assert_same(model, reference)
