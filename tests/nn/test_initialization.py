"""Initial weights."""

import pytest
import torch

from rnncls.nn.encoder import Encoder
from rnncls.nn.initialization import build_embedding, start_from_vectors
from tests.nn.builders import build


@pytest.mark.parametrize(("cell", "num_gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(
    cell: str, num_gates: int
) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    for weights in model.encoder.rnn.all_weights:
        gates = weights[1].view(num_gates, 5, 5)
        torch.testing.assert_close(
            gates @ gates.transpose(1, 2),
            torch.eye(5).double().expand_as(gates),
            atol=1e-6,
            rtol=0,
        )


def test_only_the_forget_gates_start_with_a_bias() -> None:
    model = build("lstm", bidirectional=False, num_layers=1, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    _, _, bias_ih, bias_hh = model.encoder.rnn.all_weights[0]
    assert (bias_ih + bias_hh).tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10


def test_pretrained_vectors_fill_the_first_columns_of_the_words_that_have_one() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"])
    before = model.embedding.weight.detach().clone()
    found = torch.zeros(30, dtype=torch.bool)
    found[[3, 5]] = True
    start_from_vectors(
        model.embedding, torch.full((30, 4), 7.0, dtype=torch.float64), found
    )
    assert (model.embedding.weight[found, :4] == 7).all()
    torch.testing.assert_close(model.embedding.weight[found, 4:], before[found, 4:])
    torch.testing.assert_close(model.embedding.weight[~found], before[~found])


def test_vectors_leave_the_rows_of_ngrams_as_they_are() -> None:
    embedding = build_embedding(10, 4)
    before = embedding.weight.detach().clone()
    has_vector = torch.tensor([False, False, True])
    start_from_vectors(embedding, torch.full((3, 2), 7.0), has_vector)
    after = embedding.weight.detach()
    assert (after[2, :2] == 7).all()
    assert torch.equal(after[3:], before[3:])
    assert torch.equal(after[:2], before[:2])
