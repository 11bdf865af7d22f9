"""The unrolled network against torch's own modules and cells, and the textbook."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from rnncls.nn.encoder import Encoder
from rnncls.nn.kernels import LayerWeights
from rnncls.nn.unroll import stack_steps, unroll, unroll_direction
from rnncls.text.vocab import PAD_ID
from tests.nn.builders import build, pad, texts

MODULES: dict[str, Callable[..., nn.RNNBase]] = {
    "RNN_TANH": nn.RNN,
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
}


def sigmoid(values: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
    return 1 / (1 + np.exp(-values))


def unroll_module(
    mode: str, module: nn.RNNBase, inputs: torch.Tensor
) -> dict[str, torch.Tensor]:
    weights = LayerWeights(*module.all_weights[0])
    return stack_steps(unroll_direction(mode, inputs, weights))


@pytest.mark.parametrize("mode", MODULES)
def test_states_equal_those_of_the_module(mode: str) -> None:
    torch.manual_seed(0)
    module = MODULES[mode](6, 5)
    inputs = 3 * torch.randn(9, 4, 6)
    found = unroll_module(mode, module, inputs)
    torch.testing.assert_close(found["hidden"], module(inputs)[0], rtol=0, atol=1e-5)


def test_cells_equal_those_of_an_lstm_cell() -> None:
    torch.manual_seed(0)
    module, cell = nn.LSTM(6, 5), nn.LSTMCell(6, 5)
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in module.state_dict().items()}
    )
    inputs = 3 * torch.randn(9, 4, 6)
    found = unroll_module("LSTM", module, inputs)
    state = None
    for step, seen in enumerate(inputs):
        state = cell(seen, state)
        torch.testing.assert_close(
            (found["hidden"][step], found["cell"][step]), state, rtol=0, atol=1e-5
        )


def test_gates_of_an_lstm_are_the_textbook_s() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(3, 2)
    inputs = 3 * torch.randn(4, 1, 3)
    found = {
        name: each[:, 0].detach().numpy()
        for name, each in unroll_module("LSTM", module, inputs).items()
    }
    weight, recurrent, bias, other = (
        each.detach().numpy().astype(np.float64) for each in module.all_weights[0]
    )
    hidden = module(inputs)[0][:, 0].detach().numpy()
    before = np.vstack([np.zeros(2), hidden[:-1]])
    sums = (
        inputs[:, 0].numpy() @ weight.T + before @ recurrent.T + bias + other
    )  # [T, 4 * H]
    for name, start in {"input": 0, "forget": 2, "output": 6}.items():
        np.testing.assert_allclose(
            found[name], sigmoid(sums[:, start : start + 2]), atol=1e-5
        )


def test_gates_of_a_gru_are_the_textbook_s() -> None:
    torch.manual_seed(0)
    module = nn.GRU(3, 2)
    inputs = 3 * torch.randn(4, 1, 3)
    found = {
        name: each[:, 0].detach().numpy()
        for name, each in unroll_module("GRU", module, inputs).items()
    }
    weight, recurrent, bias, other = (
        each.detach().numpy().astype(np.float64) for each in module.all_weights[0]
    )
    before = np.vstack([np.zeros(2), module(inputs)[0][:-1, 0].detach().numpy()])
    sums = (
        inputs[:, 0].numpy() @ weight.T + before @ recurrent.T + bias + other
    )  # [T, 3 * H]
    np.testing.assert_allclose(found["reset"], sigmoid(sums[:, :2]), atol=1e-5)
    np.testing.assert_allclose(found["update"], sigmoid(sums[:, 2:4]), atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("num_texts", [1, 5])
def test_the_states_are_the_encoders(
    cell: str, num_layers: int, bidirectional: bool, num_texts: int
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=["last"]
    )
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, is_ragged = pad(texts()[:num_texts])
    inputs = model.embedding(token_ids.t())
    expected = model.encoder(inputs, lengths, is_ragged=is_ragged).joined()
    unrolled = unroll(model.encoder, inputs, lengths, is_ragged=is_ragged)
    inside = token_ids.t() != PAD_ID
    torch.testing.assert_close(
        unrolled.states.joined()[inside], expected[inside], rtol=1e-12, atol=1e-12
    )
    assert [len(steps) for steps in unrolled.steps] == [len(inputs)] * (
        1 + bidirectional
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_lower_layer_has_the_states_of_a_shallower_network(cell: str) -> None:
    deep = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    shallow = build(cell, bidirectional=True, num_layers=1, pooling=["last"])
    assert isinstance(deep.encoder, Encoder)
    assert isinstance(shallow.encoder, Encoder)
    weights = deep.encoder.state_dict()
    shallow.encoder.load_state_dict(
        {name: weights[name] for name in shallow.encoder.state_dict()}
    )
    token_ids, lengths, _ = pad(texts())
    inputs = deep.embedding(token_ids.t())
    states = unroll(deep.encoder, inputs, lengths, num_layers=1).states.joined()
    inside = token_ids.t() != PAD_ID
    expected = shallow.encoder(inputs, lengths).joined()
    torch.testing.assert_close(states[inside], expected[inside])
