"""The classifier does not depend on padding, the order of the batch or its size."""

from dataclasses import replace

import pytest
import torch

from rnncls.nn.classifier import TextClassifier, least_weights
from rnncls.nn.encoder import Encoder
from rnncls.text.batching import unique_words
from rnncls.text.vocab import PAD_ID, UNK_ID
from tests.nn.builders import GRID, build, logits_of, pad, seeded, texts

CELLS = ["rnn", "lstm", "gru", "grid_lstm", "none"]


def logits_one_by_one(model: TextClassifier) -> torch.Tensor:
    """Return the logits of each text in a batch of its own."""
    return torch.cat([logits_of(model, [text]) for text in texts()])


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_padding_and_batch_size_do_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    torch.testing.assert_close(logits_of(model, texts()), logits_one_by_one(model))
    torch.testing.assert_close(
        logits_of(model, texts(), longest=12), logits_one_by_one(model)
    )


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_a_network_has_at_least_so_many_weights(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell,
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=pooling,
        hidden_size=40,
    )
    found = sum(weight.numel() for weight in model.parameters())
    assert (
        found / 40 < least_weights(model.section, vocab_size=30, num_classes=3) < found
    )


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_order_in_the_batch_does_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    order = [3, 0, 4, 2, 1]
    torch.testing.assert_close(
        logits_of(model, [texts()[row] for row in order]),
        logits_one_by_one(model)[order],
    )


@pytest.mark.parametrize("filler", [UNK_ID, 7])
@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_what_stands_after_the_end_of_a_text_does_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str], filler: int
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    token_ids, lengths, is_ragged = pad(texts())
    filled = token_ids.masked_fill(token_ids == PAD_ID, filler)
    torch.testing.assert_close(
        model(filled, lengths, is_ragged=is_ragged), logits_one_by_one(model)
    )


def test_cell_none_does_not_see_order() -> None:
    model = build("none", bidirectional=True, num_layers=1, pooling=["last"])
    text = texts()[0]
    torch.testing.assert_close(
        logits_of(model, [text]), logits_of(model, [text.flip(0)])
    )


def test_cell_none_is_a_linear_map_of_the_mean_embedding() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"])
    text = texts()[0]
    expected = model.linear(model.embedding.weight[text].mean(dim=0))
    torch.testing.assert_close(logits_of(model, [text])[0], expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_cell_sees_order(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=1, pooling=["last"])
    text = texts()[0]
    assert (
        logits_of(model, [text]) - logits_of(model, [text.flip(0)])
    ).abs().max() > 1e-3


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_pad_has_a_zero_vector_that_gets_no_gradient(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    logits_of(model, texts()).square().sum().backward()  # type: ignore[no-untyped-call]
    gradient = model.embedding.weight.grad
    assert gradient is not None
    assert gradient[PAD_ID].abs().sum() == 0
    assert gradient[texts()[0]].abs().sum(dim=1).min() > 0
    assert model.embedding.weight[PAD_ID].abs().sum() == 0


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_the_gradient_of_a_table_is_that_of_all_words_at_its_rows(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    token_ids, lengths, is_ragged = pad(texts())
    expected_logits = model(token_ids, lengths, is_ragged=is_ragged)
    (expected,) = torch.autograd.grad(
        expected_logits.square().sum(), [model.embedding.weight]
    )
    words, word_rows = unique_words(token_ids, 30)
    table = model.embedding.weight.detach()[words].requires_grad_()
    logits = model(word_rows, lengths, is_ragged=is_ragged, word_vectors=table)
    torch.testing.assert_close(logits, expected_logits)
    (found,) = torch.autograd.grad(logits.square().sum(), [table])
    torch.testing.assert_close(found, expected[words])
    assert found[words == PAD_ID].abs().sum() == 0
    moved = expected.abs().sum(dim=1).nonzero().squeeze(1).tolist()
    assert set(moved) <= set(words.tolist())
    if pooling != ["max"]:  # a word whose states are nowhere the highest has none
        assert moved == words[words != PAD_ID].tolist()


@pytest.mark.parametrize("cell", CELLS)
def test_the_layers_hold_every_weight_but_the_embedding_once(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=3, pooling=["last", "attention"])
    layers = model.layers()
    assert len(layers) == (1 if cell == "none" else 4)
    found = sorted(id(weight) for layer in layers for weight in layer)
    assert found == sorted(
        id(weight)
        for weight in model.parameters()
        if weight is not model.embedding.weight
    )
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert names[id(layers[0][0])].startswith("linear.")
    if cell == "lstm":
        assert all("_l0" in names[id(weight)] for weight in layers[3])


def test_what_the_steps_read_may_be_changed() -> None:
    model = build("gru", bidirectional=False, num_layers=1, pooling=["mean"])
    text = texts()[0]
    inputs, num_steps = model.embed_steps(
        text[None], torch.tensor([len(text)]), is_ragged=False
    )
    inputs[:, 0] += model.embedding.weight[9] - model.embedding(text)
    found = model.classify_steps(inputs, num_steps, is_ragged=False)
    torch.testing.assert_close(found, logits_of(model, [torch.full_like(text, 9)]))


def test_attention_weights_are_those_that_the_pooling_takes() -> None:
    model = build("lstm", bidirectional=True, num_layers=1, pooling=["attention"])
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, is_ragged = pad(texts())
    assert model.has_attention
    weights = model.attend(token_ids, lengths, is_ragged=is_ragged)  # [B, T]
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(lengths)).double())
    assert not weights[token_ids == PAD_ID].any()
    states = model.encoder(
        model.embedding(token_ids.t()), lengths
    ).joined()  # [T, B, S]
    pooled = torch.einsum("bt,tbs->bs", weights, states)
    torch.testing.assert_close(model.linear(pooled), logits_of(model, texts()))


@pytest.mark.parametrize(
    ("cell", "pooling"), [("lstm", ["last", "max"]), ("none", ["attention"])]
)
def test_without_attention_pooling_there_is_no_attention(
    cell: str, pooling: list[str]
) -> None:
    assert not build(
        cell, bidirectional=True, num_layers=1, pooling=pooling
    ).has_attention


def test_logits_are_divided_by_the_temperature() -> None:
    model = build("gru", bidirectional=True, num_layers=1, pooling=["last"])
    expected = logits_of(model, texts()) / 2.5
    model.temperature = 2.5
    torch.testing.assert_close(logits_of(model, texts()), expected)
    token_ids, lengths, is_ragged = pad(texts())
    inputs = model.embedding(token_ids.t())
    assert model.encoder is not None
    states = model.encoder(inputs, lengths, is_ragged=is_ragged)
    pooled = model.pooling(states, lengths, is_ragged=is_ragged)
    torch.testing.assert_close(model.classify(pooled), expected)


def test_the_recurrent_layers_compute_in_bfloat16_too() -> None:
    model = build("lstm", bidirectional=True, num_layers=1, pooling=["mean"]).float()
    token_ids, lengths, is_ragged = pad(texts())
    exact, coarse = (
        model(token_ids, lengths, is_ragged=is_ragged, dtype=dtype)
        for dtype in (None, torch.bfloat16)
    )
    assert coarse.dtype is torch.float32
    assert not torch.equal(coarse, exact)
    torch.testing.assert_close(coarse, exact, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
def test_dropout_reaches_the_recurrent_layers(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["mean"], dropout=0.5)
    token_ids, lengths, is_ragged = pad(texts())
    sampled = model.sample_dropout(len(lengths), seeded(0))
    dropout = replace(sampled, last=torch.ones_like(sampled.last))
    found = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    assert not torch.allclose(found, logits_of(model, texts()))
    without = replace(
        dropout, between=[torch.ones_like(mask) for mask in dropout.between]
    )
    found = model(token_ids, lengths, is_ragged=is_ragged, dropout=without)
    torch.testing.assert_close(found, logits_of(model, texts()))


@pytest.mark.parametrize(("cell", "size"), [("none", 6), ("gru", 5)])
def test_each_class_adds_at_least_one_weight_per_unit(cell: str, size: int) -> None:
    model = build(cell, bidirectional=False, num_layers=1, pooling=["mean"])
    few, many = (least_weights(model.section, 30, classes) for classes in (3, 1003))
    assert many - few == 1000 * size
