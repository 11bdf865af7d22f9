"""The network in NumPy: against torch, and against itself in other batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls.config.loading import load_config
from rnncls.inference.light import network
from rnncls.inference.light.cells import sigmoid
from rnncls.inference.light.encoder import reverse
from rnncls.inference.light.network import compute_outputs
from rnncls.inference.light.support import find_unsupported
from tests.inference.light.networks import build_networks

ROOT = Path(__file__).parents[3]
CONFIGS = sorted(ROOT.glob("configs/**/*.yaml"))
TEXTS = [
    "rovers meet oslo",
    "",
    "oslo",
    "again again again oslo meet rovers again",
    *(f"{'rovers ' * number}meet zanzibar" for number in range(12)),
    "rovers " * 40,
    "meet " * 500,
]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_the_logits_are_those_of_torch(
    cell: str, num_layers: int, *, bidirectional: bool
) -> None:
    networks = build_networks(
        cell=cell,
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=["last", "attention", "max", "mean"],
    )
    networks.assert_equal(TEXTS)


@pytest.mark.parametrize(
    "path", CONFIGS, ids=[str(path.relative_to(ROOT)) for path in CONFIGS]
)
def test_the_logits_of_a_network_of_each_config_are_those_of_torch(path: Path) -> None:
    config = load_config(path)
    if find_unsupported(config.text, config.model) is not None:
        pytest.skip("torch predicts it")
    settings = config.model.model_dump() | {"pretrained": None}
    build_networks(text=config.text, gain=1.0, **settings).assert_equal(TEXTS)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("size", [2, 3, 16])
def test_steps_of_several_tokens_are_those_of_torch(cell: str, size: int) -> None:
    networks = build_networks(
        cell=cell,
        bidirectional=True,
        num_layers=2,
        pooling=["last", "attention", "max", "mean"],
        tokens_per_step=size,
    )
    networks.assert_equal(TEXTS)


def test_the_tokens_of_a_step_share_its_attention_as_in_torch() -> None:
    networks = build_networks(pooling=["attention"], tokens_per_step=3)
    found = networks.light(attention=True).predict(TEXTS)
    expected = networks.predictor(attention=True).predict(TEXTS)
    for one, other in zip(found, expected, strict=True):
        words, weights = zip(*(one.attention or []), strict=True)
        expected_words, expected_weights = zip(*(other.attention or []), strict=True)
        assert words == expected_words
        assert weights == pytest.approx(expected_weights, abs=1e-6)


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "attention"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_each_pooling_is_that_of_torch(pooling: str, *, bidirectional: bool) -> None:
    networks = build_networks(pooling=[pooling], bidirectional=bidirectional)
    networks.assert_equal(TEXTS)


def test_the_logits_are_divided_by_the_temperature() -> None:
    networks = build_networks(temperature=2.5)
    networks.assert_equal(TEXTS)
    plain = build_networks()
    encoded = plain.encode(TEXTS)
    np.testing.assert_allclose(
        compute_outputs(networks.numpy, encoded).logits * 2.5,
        compute_outputs(plain.numpy, encoded).logits,
        rtol=1e-6,
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_does_not_change_the_logits_of_a_text(
    cell: str, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = build_networks(cell=cell, pooling=["last", "max", "mean", "attention"])
    expected = compute_outputs(networks.numpy, networks.encode(TEXTS)).logits
    monkeypatch.setattr(network, "BATCH_SIZE", batch_size)
    shuffled = [*TEXTS[::-1], "meet " * 60]
    found = compute_outputs(networks.numpy, networks.encode(shuffled)).logits
    np.testing.assert_allclose(found[-2::-1], expected, rtol=0, atol=2e-6)


def test_the_logits_are_float32_and_need_no_text() -> None:
    networks = build_networks()
    outputs = compute_outputs(networks.numpy, networks.encode([]))
    assert outputs.logits.dtype == np.float32
    assert outputs.logits.shape == (0, 3)
    assert outputs.attention is None


def test_a_network_with_huge_weights_overflows_nowhere() -> None:
    for cell in ("rnn", "lstm", "gru", "grid_lstm"):
        networks = build_networks(cell=cell, gain=1e4, pooling=["attention", "max"])
        outputs = compute_outputs(networks.numpy, networks.encode(TEXTS))
        assert np.isfinite(outputs.logits).all()


def test_the_sigmoid_is_exact_at_both_ends() -> None:
    values = np.array([-1e30, -100, -1, 0, 1, 100, 1e30], dtype=np.float32)
    expected = torch.from_numpy(values).sigmoid().numpy()
    np.testing.assert_allclose(sigmoid(values), expected, rtol=0, atol=1e-7)
    assert sigmoid(values).dtype == np.float32


def test_each_text_is_reversed_within_its_own_length() -> None:
    values = np.array([[1, 4], [2, 5], [3, 0]], dtype=np.float32)[..., None]
    found = reverse(values, np.array([3, 2]))[..., 0]
    assert found.tolist() == [[3, 5], [2, 4], [1, 0]]
