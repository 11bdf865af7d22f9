"""The encoder against torch's own packed sequences, and its single steps."""

import pytest
import torch
from torch import nn

from rnncls.nn.encoder import Encoder
from rnncls.nn.grid_lstm import GridLstm
from rnncls.nn.states import HiddenState
from rnncls.text.vocab import PAD_ID
from tests.nn.builders import LENGTHS, build, pad, texts


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_states_equal_those_of_a_packed_sequence(
    cell: str, bidirectional: bool, num_layers: int
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=["last"]
    )
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, _ = pad(texts())
    embedded = model.embedding(token_ids.t())
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(model.encoder.rnn(packed)[0])
    states = model.encoder(embedded, lengths).joined()
    inside = token_ids.t() != PAD_ID
    torch.testing.assert_close(states[inside], expected[inside])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_equal_those_of_a_packed_sequence(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, is_ragged = pad(texts())
    embedded = model.embedding(token_ids.t()).detach()
    parameters = list(model.encoder.parameters())
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, enforce_sorted=False)
    final = model.encoder.rnn(packed)[1]
    final = final[0] if cell == "lstm" else final
    expected = torch.autograd.grad(
        final[-2:].square().sum(), parameters
    )  # of the last layer's two directions
    states = model.encoder(embedded, lengths)
    pooled = model.pooling(states, lengths, is_ragged=is_ragged)
    torch.testing.assert_close(
        torch.autograd.grad(pooled.square().sum(), parameters), expected
    )


@pytest.mark.parametrize("bidirectional", [False, True])
def test_last_pooling_is_the_final_state_of_each_direction(bidirectional: bool) -> None:
    model = build("gru", bidirectional=bidirectional, num_layers=1, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    embedded = model.embedding(texts()[0][:, None])
    _, final = model.encoder.rnn(embedded)
    expected = torch.cat(list(final), dim=-1)
    lengths = torch.tensor([LENGTHS[0]])
    states = model.encoder(embedded, lengths)
    torch.testing.assert_close(
        model.pooling(states, lengths, is_ragged=False), expected
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_single_steps_reach_the_states_of_the_text(cell: str, num_layers: int) -> None:
    model = build(cell, bidirectional=False, num_layers=num_layers, pooling=["last"])
    assert isinstance(model.encoder, Encoder | GridLstm)
    embedded = model.embedding(torch.tensor([[4, 7], [5, 2], [9, 8]]))  # [T, B, E]
    expected = model.encoder(embedded, torch.tensor([3, 3])).forward  # [T, B, H]
    hidden_state: HiddenState = ()
    for vectors, states in zip(embedded, expected, strict=True):
        found, hidden_state = model.encoder.step(vectors, hidden_state)
        torch.testing.assert_close(found, states)
