"""The language model's loss against torch's own modules, with and without padding."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from rnncls.config.sections import ModelSection
from rnncls.machine.threads import Workers
from rnncls.nn.encoder import CELLS, Encoder
from rnncls.nn.language_model import LanguageModel
from tests.nn.builders import pad, texts


def build(
    cell: str,
    *,
    bidirectional: bool,
    vocab_size: int = 30,
    num_layers: int = 1,
    hidden_size: int = 8,
    recurrent_dropout: float = 0.0,
) -> LanguageModel:
    torch.manual_seed(0)
    sizes = {"embedding_dim": 6, "hidden_size": hidden_size, "num_layers": num_layers}
    section = ModelSection.model_validate(
        {
            "cell": cell,
            "bidirectional": bidirectional,
            "recurrent_dropout": recurrent_dropout,
            **sizes,
        }
    )
    return LanguageModel(section, vocab_size).double()


def loss_of(
    model: LanguageModel, batch: list[torch.Tensor], longest: int | None = None
) -> torch.Tensor:
    token_ids, lengths, is_ragged = pad(batch, longest)
    loss: torch.Tensor = model(token_ids, token_ids, lengths, is_ragged=is_ragged)
    return loss


def nll(model: LanguageModel, text: torch.Tensor, *, backwards: bool) -> torch.Tensor:
    """Return one direction's loss on one text, by torch's cell and full softmax."""
    assert isinstance(model.encoder, Encoder)
    own = model.encoder.rnn
    alone = CELLS[own.mode.lower().removesuffix("_tanh")](
        own.input_size, own.hidden_size, own.num_layers
    ).double()
    ending = "_reverse" if backwards else ""
    alone.load_state_dict(
        {name: own.state_dict()[f"{name}{ending}"] for name in alone.state_dict()}
    )
    text = text.flip(0) if backwards else text
    states = alone(model.embedding(text)[:, None])[0][:, 0]  # [T, H]
    log_probs = model.softmax.log_prob(states[:-1])  # [T - 1, V]
    return -log_probs[torch.arange(len(text) - 1), text[1:]].sum()


@pytest.mark.parametrize(
    ("cell", "bidirectional"),
    list(itertools.product(["rnn", "lstm", "gru"], [False, True])),
)
def test_the_loss_is_the_sum_over_words_and_directions(
    cell: str, *, bidirectional: bool
) -> None:
    model = build(cell, bidirectional=bidirectional)
    directions = [False, True] if bidirectional else [False]
    expected = sum(
        nll(model, text, backwards=backwards)
        for text in texts()
        for backwards in directions
    )
    torch.testing.assert_close(loss_of(model, texts()), torch.as_tensor(expected))
    torch.testing.assert_close(
        loss_of(model, texts(), longest=12), torch.as_tensor(expected)
    )


def test_a_grid_lstm_guesses_without_seeing_what_it_guesses() -> None:
    model = build("grid_lstm", bidirectional=True, num_layers=2)
    alone = sum((loss_of(model, [text]) for text in texts()), torch.zeros(()))
    torch.testing.assert_close(loss_of(model, texts()), alone)
    torch.testing.assert_close(loss_of(model, texts(), longest=12), alone)
    read = torch.tensor([[4, 5, 6, 7, 8]])
    inputs = model.embedding(read.t()).detach().requires_grad_()
    states = model.encoder(inputs, torch.tensor([5]), is_ragged=False)
    (gradient,) = torch.autograd.grad(
        states.joined()[2, :, :8].sum(), inputs, retain_graph=True
    )  # forward, third word
    assert gradient.abs().sum(dim=(1, 2)).ne(0).tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]
    (gradient,) = torch.autograd.grad(
        states.joined()[2, :, 8:].sum(), inputs
    )  # backward
    assert gradient.abs().sum(dim=(1, 2)).ne(0).tolist() == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_stack_of_one_direction_is_a_language_model_too() -> None:
    model = build("lstm", bidirectional=False, num_layers=2)
    expected = sum(nll(model, text, backwards=False) for text in texts())
    torch.testing.assert_close(loss_of(model, texts()), torch.as_tensor(expected))


@pytest.mark.filterwarnings("error")  # torch's, of a tail without a number
@pytest.mark.parametrize(
    ("vocab_size", "hidden_size", "cutoffs"),
    [
        (3, 8, [2]),
        (3, 1, [2]),
        (900, 64, [899]),
        (1_001, 8, [1_000]),
        (7_000, 8, [1_000]),
        (7_000, 3, [6_999]),
        (7_000, 16, [1_000, 3_000]),
        (25_000, 64, [1_000, 3_000, 9_000, 20_000]),
    ],
)
def test_frequent_words_are_in_the_head_of_the_softmax(
    vocab_size: int, hidden_size: int, cutoffs: list[int]
) -> None:
    softmax = build(
        "rnn", bidirectional=False, vocab_size=vocab_size, hidden_size=hidden_size
    ).softmax
    assert softmax.cutoffs == [*cutoffs, vocab_size]
    total = softmax.log_prob(torch.zeros(1, hidden_size).double()).exp().sum()
    torch.testing.assert_close(total, torch.ones(()).double())


def test_rare_words_are_guessed_as_torchs_softmax_does() -> None:
    model = build("lstm", bidirectional=True, vocab_size=7_000, hidden_size=16)
    rare = [
        torch.tensor([5, 999, 1_000, 2_999, 3_000, 6_999]),
        torch.tensor([6_999, 4]),
        torch.tensor([4, 5, 4]),
    ]
    expected = sum(
        nll(model, text, backwards=backwards)
        for text in rare
        for backwards in (False, True)
    )
    torch.testing.assert_close(loss_of(model, rare), torch.as_tensor(expected))
    many = [
        torch.arange(2_000, 2_000 + num) for num in (66, 65, 33)
    ]  # 65, 64 and 32 to guess, all in one tail
    for batch in ([rare[2]], [many[0]], [many[1]], many):
        expected = sum(
            nll(model, text, backwards=backwards)
            for text in batch
            for backwards in (False, True)
        )
        torch.testing.assert_close(loss_of(model, batch), torch.as_tensor(expected))
    coarse = model.float()
    token_ids, lengths, is_ragged = pad(many)
    found = coarse(
        token_ids, token_ids, lengths, is_ragged=is_ragged, dtype=torch.bfloat16
    )
    torch.testing.assert_close(found, loss_of(coarse, many), rtol=0.02, atol=0.0)


class RecordProducts(TorchFunctionMode):
    """Record the rows and the dtypes of each product with a weight matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.num_rows: list[int] = []
        self.dtypes: set[torch.dtype] = set()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.linear:
            self.num_rows.append(len(args[0]))
            self.dtypes |= {args[0].dtype, args[1].dtype}
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("num_rare", [0, 1, 63, 64, 65])
def test_rare_words_fill_up_to_a_multiple_of_64_rows(num_rare: int) -> None:
    model = build("lstm", bidirectional=False, vocab_size=1_100, hidden_size=16)
    text = torch.cat([torch.tensor([5, 6]), torch.full((num_rare,), 1_050)])
    with RecordProducts() as record:
        loss_of(model, [text])
    expected = {0: 0, 1: 64, 63: 64, 64: 64, 65: 128}[num_rare]
    assert record.num_rows == [expected, expected, len(text) - 1]


def test_gradients_of_a_ragged_batch_are_the_sum_of_those_of_its_texts() -> None:
    model = build("lstm", bidirectional=True, vocab_size=7_000, hidden_size=16)
    batch = [
        torch.tensor([5, 1_000, 6_999]),
        torch.tensor([3]),
        torch.tensor([999, 2_000, 8, 9, 4_000]),
    ]
    weights = list(model.parameters())
    found = torch.autograd.grad(loss_of(model, batch), weights)
    alone = [
        torch.autograd.grad(loss_of(model, [text]), weights, materialize_grads=True)
        for text in batch
    ]
    for gradient, parts in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(gradient, sum(parts, torch.zeros(())))


def test_a_text_of_one_word_has_nothing_to_guess() -> None:
    model = build("lstm", bidirectional=True)
    loss = loss_of(model, [torch.tensor([5])])
    gradients = torch.autograd.grad(
        loss, list(model.parameters()), materialize_grads=True
    )
    assert all(not gradient.any() for gradient in gradients)


def test_what_is_read_may_differ_from_what_is_guessed() -> None:
    model = build("lstm", bidirectional=False)
    read, guessed = torch.tensor([[4, 1, 6]]), torch.tensor([[4, 5, 6]])
    found = model(read, guessed, torch.tensor([3]), is_ragged=False)
    assert isinstance(model.encoder, Encoder)
    states = model.encoder.rnn(model.embedding(read[0])[:, None])[0][:, 0]
    log_probs = model.softmax.log_prob(states)
    torch.testing.assert_close(found, -(log_probs[0, 5] + log_probs[1, 6]))


def test_dropout_is_one_mask_a_text_for_word_vectors_and_states() -> None:
    model = build("lstm", bidirectional=True)
    dropout = model.sample_dropout(4, torch.Generator().manual_seed(1))
    assert dropout.inputs is not None
    assert dropout.inputs.shape == (4, 6)
    assert dropout.last.shape == (4, 16)
    read = torch.tensor([[4, 5, 6, 7], [8, 9, 4, 5]])
    lengths = torch.tensor([4, 4])
    part = dropout.of(slice(1, 3))
    assert part.inputs is not None
    found = model(read, read, lengths, is_ragged=False, dropout=part)
    inputs = model.embedding(read.t()) * dropout.inputs[1:3]
    assert isinstance(model.encoder, Encoder)
    states = model.encoder.rnn(inputs)[0] * dropout.last[1:3]  # [T, B, 2 * H]
    expected = torch.zeros(()).double()
    for step, text in itertools.product(range(3), range(2)):
        forward = model.softmax.log_prob(states[step, text, None, :8])[
            0, read[text, step + 1]
        ]
        backward = model.softmax.log_prob(states[step + 1, text, None, 8:])[
            0, read[text, step]
        ]
        expected -= forward + backward
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
def test_recurrent_dropout_multiplies_the_weights_from_state_to_state(
    cell: str,
) -> None:
    model = build(cell, bidirectional=True, num_layers=2, recurrent_dropout=0.5)
    token_ids, lengths, is_ragged = pad(texts())
    sampled = model.sample_dropout(len(lengths), torch.Generator().manual_seed(1))
    dropout = replace(sampled, last=torch.ones_like(sampled.last), inputs=None)
    found = model(token_ids, token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    assert not torch.allclose(found, loss_of(model, texts()))
    weights = model.encoder.recurrent_weights()
    with torch.no_grad():
        for weight, mask in zip(weights, dropout.recurrent, strict=True):
            weight.mul_(mask)
    torch.testing.assert_close(found, loss_of(model, texts()))


def test_the_softmax_computes_in_bfloat16_too() -> None:
    model = build("lstm", bidirectional=True).float()
    token_ids, lengths, is_ragged = pad(texts())
    exact = loss_of(model, texts())
    with RecordProducts() as record:
        coarse = model(
            token_ids, token_ids, lengths, is_ragged=is_ragged, dtype=torch.bfloat16
        )
    assert record.dtypes == {torch.bfloat16}
    assert coarse.dtype is torch.float32
    assert coarse != exact
    torch.testing.assert_close(coarse, exact, rtol=0.02, atol=0.0)


def test_threads_do_not_get_in_each_others_way() -> None:
    model = build("lstm", bidirectional=True, vocab_size=7_000).float()
    token_ids, lengths, is_ragged = pad(texts())

    def loss(dtype: torch.dtype) -> float:
        found: torch.Tensor = model(
            token_ids, token_ids, lengths, is_ragged=is_ragged, dtype=dtype
        )
        return found.item()

    dtypes = [torch.float32, torch.bfloat16] * 50
    assert Workers(4).map(loss, dtypes) == list(map(loss, dtypes))


def test_words_are_embedded_as_a_classifiers_are() -> None:
    model = build("gru", bidirectional=True)
    assert isinstance(model.embedding, nn.Embedding)
    assert model.embedding.weight.std().item() == pytest.approx(0.1, rel=0.2)
    assert not model.embedding.weight[0].any()
