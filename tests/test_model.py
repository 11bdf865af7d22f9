"""The network: its maths against torch's own packed sequences, and its blindness to padding, order and batch size."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from rnncls.config import ModelSection
from rnncls.model import Attention, Encoder, TextClassifier, last_states, pool, reversal
from rnncls.vocab import PAD_ID, UNK_ID

CELLS = ["rnn", "lstm", "gru", "none"]
POOLINGS = [["last"], ["max"], ["mean"], ["attention"], ["last", "max", "mean", "attention"]]
LENGTHS = [7, 1, 4, 7, 2]
GRID = list(itertools.product(CELLS, [False, True], [1, 2], POOLINGS))


def build(cell: str, *, bidirectional: bool, num_layers: int, pooling: list[str], **other: Any) -> TextClassifier:
    torch.manual_seed(0)
    values = {"embedding_dim": 6, "hidden_size": 5, "dropout": 0.0, "word_dropout": 0.0} | other
    section = ModelSection.model_validate(
        {"cell": cell, "bidirectional": bidirectional, "num_layers": num_layers, "pooling": pooling} | values
    )
    return TextClassifier(section, vocab_size=30, num_classes=3).double().eval()


def pad(texts: list[torch.Tensor], longest: int | None = None) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Return token ids [B, T], lengths [B] and whether they are ragged."""
    lengths = torch.tensor([len(text) for text in texts])
    width = longest or int(lengths.max())
    token_ids = torch.full((len(texts), width), PAD_ID)
    for row, text in enumerate(texts):
        token_ids[row, : len(text)] = text
    return token_ids, lengths, bool((lengths < width).any())


def texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(2, 30, (length,), generator=generator) for length in LENGTHS]


def logits_of(model: TextClassifier, batch: list[torch.Tensor], longest: int | None = None) -> torch.Tensor:
    token_ids, lengths, is_ragged = pad(batch, longest)
    result: torch.Tensor = model(token_ids, lengths, is_ragged=is_ragged)
    return result


def alone(model: TextClassifier) -> torch.Tensor:
    """Return the logits of each text in a batch of its own."""
    return torch.cat([logits_of(model, [text]) for text in texts()])


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_padding_and_batch_size_do_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling)
    torch.testing.assert_close(logits_of(model, texts()), alone(model))
    torch.testing.assert_close(logits_of(model, texts(), longest=12), alone(model))


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_order_in_the_batch_does_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling)
    order = [3, 0, 4, 2, 1]
    torch.testing.assert_close(logits_of(model, [texts()[row] for row in order]), alone(model)[order])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_states_equal_those_of_a_packed_sequence(cell: str, bidirectional: bool, num_layers: int) -> None:
    model = build(cell, bidirectional=bidirectional, num_layers=num_layers, pooling=["last"])
    assert model.encoder is not None
    token_ids, lengths, is_ragged = pad(texts())
    embedded = model.embedding(token_ids)
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(model.encoder.rnn(packed)[0], batch_first=True)
    states = model.encoder(embedded, lengths, is_ragged=is_ragged)
    inside = token_ids != PAD_ID
    torch.testing.assert_close(states[inside], expected[inside])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_equal_those_of_a_packed_sequence(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    assert model.encoder is not None
    token_ids, lengths, is_ragged = pad(texts())
    embedded = model.embedding(token_ids).detach()
    parameters = list(model.encoder.parameters())
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
    padded, _ = nn.utils.rnn.pad_packed_sequence(model.encoder.rnn(packed)[0], batch_first=True)
    expected = torch.autograd.grad(last_states(padded, lengths, bidirectional=True).square().sum(), parameters)
    states = model.encoder(embedded, lengths, is_ragged=is_ragged)
    found = torch.autograd.grad(last_states(states, lengths, bidirectional=True).square().sum(), parameters)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_last_pooling_is_the_final_state_of_each_direction(bidirectional: bool) -> None:
    model = build("gru", bidirectional=bidirectional, num_layers=1, pooling=["last"])
    assert model.encoder is not None
    embedded = model.embedding(texts()[0][None])
    states, final = model.encoder.rnn(embedded)
    expected = torch.cat(list(final), dim=-1)
    lengths = torch.tensor([LENGTHS[0]])
    torch.testing.assert_close(model.pooling(states, lengths, is_ragged=False), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("last", [[30.0, 3.0], [10.0, 9.0]]), ("max", [[30.0, 3.0], [10.0, 9.0]]), ("mean", [[20.0, 2.0], [10.0, 9.0]])],
)
def test_pooling_by_hand(name: str, expected: list[list[float]]) -> None:
    model = build("rnn", bidirectional=False, num_layers=1, pooling=[name])
    states = torch.tensor([[[10.0, 1], [20, 2], [30, 3]], [[10, 9], [99, 99], [99, 99]]])
    pooled = model.pooling(states, torch.tensor([3, 1]), is_ragged=True)
    torch.testing.assert_close(pooled, torch.tensor(expected))


def naive_pool(name: str, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    rows = [row[:length] for row, length in zip(states, lengths.tolist(), strict=True)]
    last = [torch.cat([row[-1, :2], row[0, 2:]]) for row in rows]
    return torch.stack({"last": last, "max": [r.amax(0) for r in rows], "mean": [r.mean(0) for r in rows]}[name])


@pytest.mark.parametrize("names", [["last"], ["max"], ["mean"], ["mean", "max"], ["last", "max", "mean"]])
@pytest.mark.parametrize("lengths", [[5, 5, 5], [5, 1, 3]])
def test_the_gradient_of_the_pooling_is_autograds(names: list[str], lengths: list[int]) -> None:
    states = torch.randn(3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sizes = torch.tensor(lengths)
    inside = None if min(lengths) == 5 else torch.arange(5) < sizes[:, None]
    found = torch.cat(pool(states, sizes, inside, names, bidirectional=True), dim=1)
    expected = torch.cat([naive_pool(name, states, sizes) for name in names], dim=1)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(found.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), states), torch.autograd.grad((expected * weights).sum(), states)
    )


def test_equal_tops_share_the_gradient_alike() -> None:
    states = torch.tensor([[[2.0], [1.0], [2.0]]], requires_grad=True)
    (top,) = pool(states, torch.tensor([3]), None, ["max"], bidirectional=False)
    top.sum().backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None
    assert states.grad.flatten().tolist() == [0.5, 0.0, 0.5]


def test_attention_weights_sum_to_one_and_leave_padding_out() -> None:
    torch.manual_seed(0)
    inside = torch.tensor([[True, True, False], [True, True, True]])
    weights = Attention(4)(torch.randn(2, 3, 4), inside)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    assert weights[0, 2] == 0
    assert (weights[inside] > 0).all()


def test_attention_pooling_is_the_softmax_of_the_scores_by_hand() -> None:
    torch.manual_seed(0)
    attention = Attention(2)
    states = torch.randn(1, 3, 2)
    scores = [attention.query.weight[0] @ torch.tanh(attention.projection(state)) for state in states[0]]
    torch.testing.assert_close(attention(states, None)[0], torch.stack(scores).softmax(dim=0))


def test_reversal_turns_each_text_round_and_keeps_padding() -> None:
    order = reversal(torch.tensor([3, 1, 4]), 4)
    steps = torch.tensor([[10, 20, 30], [11, 0, 31], [12, 0, 32], [0, 0, 33]])
    assert steps.flatten()[order].view(4, 3).tolist() == [[12, 20, 33], [11, 0, 32], [10, 0, 31], [0, 0, 30]]


def test_cell_none_does_not_see_order() -> None:
    model = build("none", bidirectional=True, num_layers=1, pooling=["last"])
    text = texts()[0]
    torch.testing.assert_close(logits_of(model, [text]), logits_of(model, [text.flip(0)]))


def test_cell_none_is_a_linear_map_of_the_mean_embedding() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"])
    text = texts()[0]
    expected = model.linear(model.embedding.weight[text].mean(dim=0))
    torch.testing.assert_close(logits_of(model, [text])[0], expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_cell_sees_order(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=1, pooling=["last"])
    text = texts()[0]
    assert (logits_of(model, [text]) - logits_of(model, [text.flip(0)])).abs().max() > 1e-3


def test_pad_has_a_zero_vector_that_gets_no_gradient() -> None:
    model = build("lstm", bidirectional=True, num_layers=1, pooling=["mean"])
    logits_of(model, texts()).sum().backward()  # type: ignore[no-untyped-call]
    gradient = model.embedding.weight.grad
    assert gradient is not None
    assert gradient.to_dense()[PAD_ID].abs().sum() == 0
    assert model.embedding.weight[PAD_ID].abs().sum() == 0


@pytest.mark.parametrize(("cell", "num_gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(cell: str, num_gates: int) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    assert model.encoder is not None
    for weights in model.encoder.rnn.all_weights:
        gates = weights[1].view(num_gates, 5, 5)
        torch.testing.assert_close(
            gates @ gates.transpose(1, 2), torch.eye(5).double().expand_as(gates), atol=1e-6, rtol=0
        )


def test_only_the_forget_gates_start_with_a_bias() -> None:
    model = build("lstm", bidirectional=False, num_layers=1, pooling=["last"])
    assert model.encoder is not None
    _, _, bias_ih, bias_hh = model.encoder.rnn.all_weights[0]
    assert (bias_ih + bias_hh).tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10


def test_word_dropout_replaces_words_by_unk_in_training_only() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"], word_dropout=0.999999)
    text = texts()[0]
    as_unk = logits_of(model, [torch.full_like(text, UNK_ID)])
    assert not torch.allclose(logits_of(model, [text]), as_unk)
    torch.testing.assert_close(logits_of(model.train(), [text]), as_unk)


def test_dropout_works_between_layers_of_a_ragged_batch_too() -> None:
    section = ModelSection(embedding_dim=6, hidden_size=5, num_layers=2, dropout=0.5)
    torch.manual_seed(0)
    encoder = Encoder(section)
    inputs, lengths = torch.randn(2, 4, 6), torch.tensor([4, 2])
    first, second = (encoder(inputs, lengths, is_ragged=True) for _ in range(2))
    assert not torch.equal(first, second)
    encoder.eval()
    torch.testing.assert_close(*(encoder(inputs, lengths, is_ragged=True) for _ in range(2)))


def test_pretrained_vectors_fill_the_first_columns_of_the_words_that_have_one() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"])
    before = model.embedding.weight.detach().clone()
    found = torch.zeros(30, dtype=torch.bool)
    found[[3, 5]] = True
    model.start_from_vectors(torch.full((30, 4), 7.0, dtype=torch.float64), found)
    assert (model.embedding.weight[found, :4] == 7).all()
    torch.testing.assert_close(model.embedding.weight[found, 4:], before[found, 4:])
    torch.testing.assert_close(model.embedding.weight[~found], before[~found])
