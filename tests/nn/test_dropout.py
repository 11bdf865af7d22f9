"""Dropout: its masks, and where they are applied."""

import pytest
import torch
from torch import nn

from rnncls.nn.dropout import Dropout
from rnncls.nn.encoder import CELLS, Encoder
from rnncls.text.vocab import PAD_ID
from tests.nn.builders import GRID, build, logits_of, pad, seeded, texts


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_between_layers_is_one_mask_a_text_for_all_its_steps(
    cell: str, bidirectional: bool
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=2, pooling=["last"], dropout=0.5
    )
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, _ = pad(texts())
    (mask,) = model.sample_dropout(len(lengths), seeded(0)).between
    states = embedded = model.embedding(token_ids.t())
    own = dict(model.encoder.rnn.named_parameters())
    for layer, factor in enumerate([mask, torch.ones(())]):
        cell_alone = CELLS[cell](
            states.shape[-1], 5, bidirectional=bidirectional
        ).double()
        weights = {
            name: own[name.replace("_l0", f"_l{layer}")]
            for name in cell_alone.state_dict()
        }
        cell_alone.load_state_dict(weights)
        packed = nn.utils.rnn.pack_padded_sequence(
            states, lengths, enforce_sorted=False
        )
        states = nn.utils.rnn.pad_packed_sequence(cell_alone(packed)[0])[0] * factor
    found = model.encoder(embedded, lengths, Dropout([mask], mask)).joined()
    inside = token_ids.t() != PAD_ID
    torch.testing.assert_close(found[inside], states[inside])


def test_dropout_before_the_linear_layer_multiplies_the_pooled_states() -> None:
    model = build(
        "none", bidirectional=False, num_layers=1, pooling=["mean"], dropout=0.5
    )
    text = texts()[0]
    dropout = model.sample_dropout(1, seeded(0))
    found = model(
        text[None], torch.tensor([len(text)]), is_ragged=False, dropout=dropout
    )
    expected = model.linear(model.embedding.weight[text].mean(dim=0) * dropout.last[0])
    torch.testing.assert_close(found[0], expected)
    assert not torch.allclose(found, logits_of(model, [text]))


def test_dropout_is_zero_or_what_makes_up_for_it() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=3, pooling=["last", "max"], dropout=0.2
    )
    dropout = model.sample_dropout(500, seeded(0))
    assert [tuple(mask.shape) for mask in [*dropout.between, dropout.last]] == [
        (500, 10),
        (500, 10),
        (500, 20),
    ]
    for mask in [*dropout.between, dropout.last]:
        assert sorted(set(mask.flatten().tolist())) == pytest.approx([0.0, 1.25])
        assert (mask == 0).double().mean().item() == pytest.approx(0.2, abs=0.03)


def test_no_layer_and_no_text_has_the_dropout_of_another() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=3, pooling=["last"], dropout=0.5
    )
    dropout = model.sample_dropout(20, seeded(0))
    drawn = torch.cat([*dropout.between, dropout.last])  # [3 * 20, 10]
    assert len(set(map(tuple, drawn.tolist()))) > 50


def test_a_share_of_zero_drops_nothing() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=2, pooling=["last"], dropout=0.0
    )
    dropout = model.sample_dropout(20, seeded(0))
    assert all((mask == 1).all() for mask in [*dropout.between, dropout.last])


def test_dropout_is_a_function_of_its_generator() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=2, pooling=["last"], dropout=0.5
    )
    first, again, other = (model.sample_dropout(4, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.last, again.last)
    assert torch.equal(first.between[0], again.between[0])
    assert not torch.equal(first.last, other.last)
    assert not torch.equal(first.between[0], other.between[0])


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_a_part_of_a_batch_is_dropped_from_as_within_the_whole(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    shares = {"dropout": 0.5, "input_dropout": 0.5, "recurrent_dropout": 0.5}
    model = build(
        cell,
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=pooling,
        **shares,
    )
    token_ids, lengths, is_ragged = pad(texts())
    dropout, part = model.sample_dropout(len(lengths), seeded(0)), slice(1, 4)
    whole = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    found = model(
        token_ids[part], lengths[part], is_ragged=is_ragged, dropout=dropout.of(part)
    )
    torch.testing.assert_close(found, whole[part])
    assert not torch.allclose(whole, logits_of(model, texts()))


def test_input_dropout_multiplies_the_word_vectors_alike_at_all_steps() -> None:
    model = build(
        "lstm",
        bidirectional=True,
        num_layers=1,
        pooling=["last", "max"],
        input_dropout=0.5,
    )
    token_ids, lengths, is_ragged = pad(texts())
    dropout = model.sample_dropout(len(lengths), seeded(0))
    assert dropout.inputs is not None
    assert sorted(set(dropout.inputs.flatten().tolist())) == [0.0, 2.0]
    found = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    for row, text in enumerate(texts()):
        vectors = model.embedding(text) * dropout.inputs[row]
        expected = model.classify_steps(
            vectors[:, None], lengths[row, None], is_ragged=False
        )
        torch.testing.assert_close(found[row, None], expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
def test_recurrent_dropout_multiplies_the_weights_from_state_to_state(
    cell: str,
) -> None:
    model = build(
        cell, bidirectional=True, num_layers=2, pooling=["last"], recurrent_dropout=0.5
    )
    assert model.encoder is not None
    token_ids, lengths, is_ragged = pad(texts())
    dropout = model.sample_dropout(len(lengths), seeded(0))
    weights = model.encoder.recurrent_weights()
    assert len(dropout.recurrent) == len(weights) == 4
    found = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    assert not torch.allclose(found, logits_of(model, texts()))
    with torch.no_grad():
        for weight, mask in zip(weights, dropout.recurrent, strict=True):
            assert sorted(set(mask.flatten().tolist())) == [0.0, 2.0]
            weight.mul_(mask)
    torch.testing.assert_close(found, logits_of(model, texts()))


def test_no_input_mask_is_the_default() -> None:
    assert Dropout([], torch.ones(2, 3)).inputs is None
