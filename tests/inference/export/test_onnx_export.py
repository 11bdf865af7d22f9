"""The ONNX file of a network: against torch, in every batch."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls import RunError
from rnncls.config.sections import TextSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export import onnx_export
from rnncls.inference.export.onnx_export import encode_texts, export_onnx
from rnncls.inference.export.onnx_file import load_onnx
from rnncls.inference.export.predict_script import compute_probs, open_session, pad
from rnncls.inference.export.verification import _compare
from tests.inference.light.networks import (
    LABELS,
    THRESHOLDS,
    Networks,
    add_ngrams,
    build_networks,
)

ALL = ["attention", "last", "max", "mean"]
PATH = Path("model.onnx")
TEXTS = [
    "rovers meet oslo",
    "",
    "again again again oslo meet rovers again",
    *(f"{'rovers ' * number}meet zanzibar" for number in range(9)),
    "meet " * 500,
]

NGRAM_TEXTS = [*TEXTS, "again . a", "oslo", "zanzibar oslo zanzibar meet again '"]


def compare(networks: Networks, texts: list[str], *, tolerance: float) -> None:
    """Compare the probabilities of a file with those of torch: ragged and alone."""
    session = open_session(load_onnx(PATH).model)
    encoded = networks.encode(texts)
    model = networks.torch.model
    expected = model.compute_probs(compute_logits(model, encoded)).numpy()
    token_ids = encode_texts(networks.numpy, texts)
    alone = [session.run(["probs"], {"token_ids": pad([ids])})[0] for ids in token_ids]
    np.testing.assert_allclose(np.concatenate(alone), expected, atol=tolerance, rtol=0)
    if session.get_inputs()[0].shape[0] == 1:
        return
    (ragged,) = session.run(["probs"], {"token_ids": pad(token_ids)})
    np.testing.assert_allclose(ragged, expected, atol=tolerance, rtol=0)
    order = random.Random(0).sample(range(len(texts)), len(texts))
    shuffled = compute_probs(session, [token_ids[row] for row in order])
    np.testing.assert_allclose(shuffled, expected[order], atol=tolerance, rtol=0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("is_single", [True, False])
def test_the_probabilities_are_those_of_torch(
    cell: str, *, bidirectional: bool, is_single: bool
) -> None:
    networks = build_networks(
        cell=cell,
        bidirectional=bidirectional,
        num_layers=2,
        pooling=ALL if bidirectional else ALL[::-1],
        temperature=1.7,
    )
    export_onnx(networks.numpy, PATH, is_single=is_single)
    compare(networks, TEXTS, tolerance=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("is_single", [True, False])
@pytest.mark.parametrize("size", [2, 3, 16])
def test_steps_of_several_tokens_are_those_of_torch(
    cell: str, size: int, *, is_single: bool
) -> None:
    networks = build_networks(
        cell=cell, bidirectional=True, num_layers=2, pooling=ALL, tokens_per_step=size
    )
    export_onnx(networks.numpy, PATH, is_single=is_single)
    compare(networks, TEXTS, tolerance=1e-5)


@pytest.mark.parametrize("embedding", ["float32", "int8"])
def test_steps_of_several_tokens_do_not_store_the_vectors_again(embedding: Any) -> None:
    sizes = []
    for tokens_per_step in (1, 3):
        networks = build_networks(embedding_dim=2000, tokens_per_step=tokens_per_step)
        export_onnx(networks.numpy, PATH, embedding=embedding)
        sizes.append(PATH.stat().st_size)
    assert sizes[1] < sizes[0] + 2000


@pytest.mark.parametrize("is_single", [True, False])
def test_several_labels_have_a_probability_each(*, is_single: bool) -> None:
    networks = build_networks(task="several_labels", temperature=1.7)
    export_onnx(networks.numpy, PATH, is_single=is_single)
    compare(networks, TEXTS, tolerance=1e-5)
    entries = open_session(load_onnx(PATH).model).get_modelmeta().custom_metadata_map
    assert entries["task"] == "several_labels"
    assert json.loads(entries["thresholds"]) == THRESHOLDS
    assert entries["format"] == "2"


@pytest.mark.parametrize("pooling", ALL)
def test_each_pooling_is_that_of_torch(pooling: str) -> None:
    networks = build_networks(pooling=[pooling], cell="gru")
    export_onnx(networks.numpy, PATH)
    compare(networks, TEXTS, tolerance=1e-5)


@pytest.mark.parametrize(("embedding", "tolerance"), [("float16", 2e-3), ("int8", 0.1)])
def test_a_smaller_embedding_changes_little_and_not_with_the_batch(
    embedding: Any, tolerance: float
) -> None:
    networks = build_networks(gain=1.5)
    export_onnx(networks.numpy, PATH, embedding=embedding)
    compare(networks, TEXTS, tolerance=tolerance)
    session = open_session(load_onnx(PATH).model)
    token_ids = encode_texts(networks.numpy, TEXTS)
    (ragged,) = session.run(["probs"], {"token_ids": pad(token_ids)})
    (alone,) = session.run(["probs"], {"token_ids": pad(token_ids[:1])})
    np.testing.assert_allclose(ragged[:1], alone, atol=1e-6, rtol=0)


def test_the_metadata_are_all_that_a_port_needs() -> None:
    networks = build_networks(temperature=1.7)
    export_onnx(networks.numpy, PATH)
    model = load_onnx(PATH).model
    entries = open_session(model).get_modelmeta().custom_metadata_map
    assert json.loads(entries["labels"]) == LABELS
    assert (entries["format"], entries["task"]) == ("1", "one_label")
    assert "thresholds" not in entries
    assert entries["words"].split("\n") == networks.numpy.vocab.words
    assert json.loads(entries["temperature"]) == 1.7
    assert entries["embedding"] == "float32"
    assert json.loads(entries["tokenizer"])["max_tokens"] == 64
    vectors = json.loads(entries["test_vectors"])
    assert len(vectors) == 20
    texts = [vector["text"] for vector in vectors]
    assert [vector["token_ids"] for vector in vectors] == encode_texts(
        networks.numpy, texts
    )
    encoded = networks.encode(texts)
    expected = compute_logits(networks.torch.model, encoded).softmax(dim=1).numpy()
    probs = np.array([vector["probs"] for vector in vectors])
    np.testing.assert_allclose(probs, expected, atol=1e-5)
    labels = [LABELS[row.argmax()] for row in expected]
    assert [vector["label"] for vector in vectors] == labels


@pytest.mark.parametrize("is_single", [True, False])
@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_the_ngrams_are_part_of_the_file(
    task: str, *, is_single: bool, is_alone: bool
) -> None:
    built = build_networks(task=task, temperature=1.7)
    networks = add_ngrams(built, is_alone=is_alone)
    export_onnx(networks.numpy, PATH, is_single=is_single)
    compare(networks, NGRAM_TEXTS, tolerance=1e-5)


@pytest.mark.parametrize("num_ngrams", [0, 1, 2, 3, 5, 8])
def test_a_table_of_any_size_is_searched(num_ngrams: int) -> None:
    networks = add_ngrams(build_networks(), num_ngrams=num_ngrams)
    export_onnx(networks.numpy, PATH)
    compare(networks, TEXTS, tolerance=1e-5)


def test_the_same_run_gives_the_same_file() -> None:
    export_onnx(build_networks().numpy, PATH)
    first = PATH.read_bytes()
    export_onnx(build_networks().numpy, PATH)
    assert PATH.read_bytes() == first


def test_no_node_has_lengths_or_two_directions() -> None:
    import onnx

    export_onnx(build_networks(num_layers=2).numpy, PATH)
    model = onnx.load_model_from_string(PATH.read_bytes())
    assert [opset.version for opset in model.opset_import] == [17]
    assert model.ir_version == 8
    cells = [node for node in model.graph.node if node.op_type == "LSTM"]
    assert len(cells) == 4
    for node in cells:
        assert [value.name for value in node.attribute] == ["hidden_size"]
        assert len(node.input) == 4


def test_a_setting_that_files_lack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = onnx_export.KNOWN_KEYS - {"text.mark_case"}
    monkeypatch.setattr(onnx_export, "KNOWN_KEYS", known)
    networks = build_networks(text=TextSection(mark_case=True))
    with pytest.raises(RunError, match=r"do not support text\.mark_case=True"):
        export_onnx(networks.numpy, PATH)


def test_character_ngrams_are_refused_with_advice() -> None:
    text = TextSection(tokenizer="words", char_ngrams=[3, 5], ngram_buckets=64)
    message = r"text\.char_ngrams=\[3, 5\]: .* as a page"
    with pytest.raises(RunError, match=message) as caught:
        export_onnx(build_networks(text=text).numpy, PATH)
    assert caught.value.suggestions == {"to": "page"}


def test_another_set_of_labels_is_a_changed_label() -> None:
    expected = np.array([[0.25, 0.75], [0.5, 0.4]], np.float32)
    found = np.array([[0.35, 0.75], [0.5, 0.41]], np.float32)
    comparison = _compare(expected, found, [found], thresholds=[0.3, 0.3])
    assert comparison.num_changed_labels == 1
    assert _compare(expected, found, [found]).num_changed_labels == 0


def test_not_a_number_is_no_match() -> None:
    right = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    wrong = np.array([[0.25, 0.75], [np.nan, 0.5]], np.float32)
    comparison = _compare(right, right, [right, wrong])
    assert np.isnan(comparison.largest_difference)
    assert np.isnan(comparison.batch_difference)
    assert comparison.num_changed_labels == 0
