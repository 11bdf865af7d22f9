"""The n-grams of an ONNX graph against NumPy: every key of a large table is found."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper

from rnncls.inference.export.graph_builder import GraphBuilder
from rnncls.inference.export.ngram_graph import NgramGraph, arrange_buckets
from rnncls.inference.export.predict_script import open_session, pad
from rnncls.inference.light.ngrams import compute_ngram_logits
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_hash import MASK, hash_ngrams
from rnncls.text.ngram_table import NgramTable, pack_table, unpack_table

MAX_TOKEN_ID = 4_000_000
LENGTHS = np.array([1, 7, 400, 2, 30])


def draw_tokens(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    generator = np.random.default_rng(0)
    tokens = generator.integers(1, MAX_TOKEN_ID, int(lengths.sum()))
    return tokens.astype(np.int32)


def build_table(
    num_classes: int, num_others: int = 0, *, is_centred: bool = True
) -> NgramTable:
    """Return a table of half of the n-grams of the texts, and of random keys."""
    generator = np.random.default_rng(1)
    own = hash_ngrams(draw_tokens(LENGTHS), LENGTHS, max_size=3).ravel()
    others = generator.integers(0, MASK + 1, num_others)
    keys = np.unique(np.concatenate([own[own >= 0][::2], others]))
    table = NgramTable(
        3,
        keys,
        generator.normal(size=(len(keys), num_classes)).astype(np.float32),
        generator.random(len(keys)).astype(np.float32),
        generator.normal(size=num_classes).astype(np.float32),
        scale=0.7,
        is_centred=is_centred,
    )
    return unpack_table(pack_table(table, np.ones(len(keys), np.float32)))


def build_model(table: NgramTable) -> bytes:
    graph = GraphBuilder()
    token_ids = graph.add("Transpose", "token_ids", perm=[1, 0])
    graph.add_named("logits", "Add", *NgramGraph(graph, table).add_logits(token_ids))
    make_info = helper.make_tensor_value_info
    inputs = [make_info("token_ids", TensorProto.INT64, ["batch", "tokens"])]
    shape: list[str | int | None] = ["batch", len(table.bias)]
    outputs = [make_info("logits", TensorProto.FLOAT, shape)]
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(
        graph.build(inputs, outputs), opset_imports=opsets, ir_version=8
    )
    content: bytes = model.SerializeToString()
    return content


def split_texts() -> list[npt.NDArray[np.int32]]:
    return np.split(draw_tokens(LENGTHS), np.cumsum(LENGTHS)[:-1])


def compute_expected(table: NgramTable) -> Any:
    starts = np.cumsum(LENGTHS) - LENGTHS
    encoded = EncodedTexts(draw_tokens(LENGTHS), LENGTHS, starts)
    return compute_ngram_logits(table, encoded)


@pytest.mark.parametrize("is_centred", [True, False])
@pytest.mark.parametrize("num_classes", [2, 3, 8])
def test_the_logits_are_those_of_numpy(num_classes: int, *, is_centred: bool) -> None:
    table = build_table(num_classes, is_centred=is_centred)
    session = open_session(build_model(table))
    inputs = {"token_ids": pad(split_texts())}
    (logits,) = session.run(None, inputs)
    np.testing.assert_allclose(logits, compute_expected(table), rtol=0, atol=1e-5)


def test_a_table_without_ngrams_gives_the_bias() -> None:
    bias = np.array([0.5, -1.0, 2.0], np.float32)
    no_rows = np.zeros((0, 3), np.float32)
    no_keys = np.zeros(0, np.int64)
    table = NgramTable(2, no_keys, no_rows, np.zeros(0, np.float32), bias)
    (logits,) = open_session(build_model(table)).run(None, {"token_ids": [[3, 2]]})
    assert logits.tolist() == [bias.tolist()]


def test_each_bucket_begins_with_an_empty_entry() -> None:
    keys = np.array([0, 5, (7 << 22) + 1, MASK])
    buckets = arrange_buckets(keys)
    assert buckets.starts[[0, 1, 7, 8, -1]].tolist() == [0, 3, 9, 11, 1026]
    assert buckets.ends[[0, 1, 7, 8, -1]].tolist() == [2, 3, 10, 11, 1027]
    assert buckets.entries.tolist() == [1, 2, 10, 1027]
    assert buckets.low_keys[buckets.entries].tolist() == [0, 5, 1, (1 << 22) - 1]
    assert set(buckets.low_keys[buckets.starts].tolist()) == {-1}


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino", "tract"])
def test_a_large_table_in_other_runtimes(runtime: str) -> None:
    table = build_table(4, num_others=120_000)
    model = build_model(table)
    run = run_openvino if runtime == "openvino" else run_tract
    logits = [run(model, pad([text])) for text in split_texts()]
    expected = compute_expected(table)
    np.testing.assert_allclose(np.concatenate(logits), expected, rtol=0, atol=1e-5)


def run_openvino(model: bytes, token_ids: npt.NDArray[np.int64]) -> Any:
    openvino = pytest.importorskip("openvino", reason="the package is not installed")
    core = openvino.Core()
    # With the default precision: keys must not depend on it.
    compiled = core.compile_model(core.read_model(model), "CPU")
    return compiled({"token_ids": token_ids})["logits"]


def run_tract(model: bytes, token_ids: npt.NDArray[np.int64]) -> Any:
    tract = pytest.importorskip("tract", reason="the package is not installed")
    Path("table.onnx").write_bytes(model)
    loaded = tract.onnx().load("table.onnx")
    loaded.set_input_fact(0, "1,tokens,i64")
    program = loaded.into_model().into_runnable()
    return program.run([token_ids])[0].to_numpy()
