"""Exported files in other runtimes, and the networks of the project's own configs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls.config.loading import load_config
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.onnx_export import encode_texts, export_onnx
from rnncls.inference.export.predict_script import compute_probs, open_session, pad
from tests.inference.light.networks import Networks, build_networks

pytestmark = pytest.mark.slow

PATH = Path("model.onnx")
CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("**/*.yaml"))
CELLS = ["rnn", "lstm", "gru", "grid_lstm", "none"]
TEXTS = [f"{'rovers ' * number}meet oslo zanzibar" for number in (0, 30, 3, 1, 12)]


def compute_expected(networks: Networks, texts: list[str]) -> Any:
    encoded = networks.encode(texts)
    return compute_logits(networks.torch.model, encoded).softmax(dim=1).numpy()


def run_openvino(token_ids: list[list[int]]) -> Any:
    """Return the probabilities of a batch in OpenVINO."""
    openvino = pytest.importorskip("openvino", reason="the package is not installed")
    core = openvino.Core()
    hint = {"INFERENCE_PRECISION_HINT": "f32"}  # the default rounds to bfloat16
    compiled = core.compile_model(core.read_model(PATH), "CPU", hint)
    return compiled({"token_ids": pad(token_ids)})["probs"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("embedding", ["float32", "float16", "int8"])
def test_openvino_has_the_probabilities_of_onnx_runtime(
    cell: str, *, bidirectional: bool, embedding: Any
) -> None:
    networks = build_networks(
        cell=cell,
        bidirectional=bidirectional,
        num_layers=2,
        pooling=["attention", "last", "max", "mean"],
    )
    export_onnx(networks.numpy, PATH, embedding=embedding)
    token_ids = encode_texts(networks.numpy, TEXTS)
    expected = compute_probs(open_session(PATH.read_bytes()), token_ids)
    ragged = run_openvino(token_ids)
    np.testing.assert_allclose(ragged, expected, rtol=0, atol=1e-5)
    alone = np.concatenate([run_openvino([ids]) for ids in token_ids])
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_openvino_reads_single_texts(cell: str) -> None:
    networks = build_networks(cell=cell, num_layers=2, pooling=["last", "attention"])
    export_onnx(networks.numpy, PATH, is_single=True)
    token_ids = encode_texts(networks.numpy, TEXTS)
    found = np.concatenate([run_openvino([ids]) for ids in token_ids])
    expected = compute_expected(networks, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("size", [2, 3])
def test_openvino_has_steps_of_several_tokens(cell: str, size: int) -> None:
    networks = build_networks(cell=cell, tokens_per_step=size)
    export_onnx(networks.numpy, PATH)
    found = run_openvino(encode_texts(networks.numpy, TEXTS))
    expected = compute_expected(networks, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("size", [1, 2])
def test_tract_reads_single_texts(cell: str, size: int, *, bidirectional: bool) -> None:
    tract = pytest.importorskip("tract", reason="the package is not installed")
    networks = build_networks(
        cell=cell,
        tokens_per_step=size,
        bidirectional=bidirectional,
        num_layers=2,
        pooling=["attention", "last", "max", "mean"],
    )
    export_onnx(networks.numpy, PATH, is_single=True)
    model = tract.onnx().load(str(PATH))
    model.set_input_fact(0, "1,tokens,i64")
    program = model.into_model().into_runnable()
    found = [
        program.run([pad([ids])])[1].to_numpy()
        for ids in encode_texts(networks.numpy, TEXTS)
    ]
    expected = compute_expected(networks, TEXTS)
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("is_single", [True, False])
def test_the_network_of_every_config_has_the_probabilities_of_torch(
    config: Path, *, is_single: bool
) -> None:
    loaded = load_config(config)
    networks = build_networks(text=loaded.text, **loaded.model.model_dump())
    export_onnx(networks.numpy, PATH, is_single=is_single)
    token_ids = encode_texts(networks.numpy, TEXTS)
    found = compute_probs(open_session(PATH.read_bytes()), token_ids)
    expected = compute_expected(networks, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
