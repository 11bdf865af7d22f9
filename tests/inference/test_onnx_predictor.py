"""The predictions of an ONNX file: those of the run, without torch."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
from onnx import helper

from rnncls import RunError
from rnncls.config.sections import TextSection
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.export.onnx_file import OPERATORS, load_onnx, seal_model
from rnncls.inference.export.protobuf import encode_field
from rnncls.inference.onnx_predictor import OnnxPredictor, load_onnx_predictor
from rnncls.inference.prediction import Prediction
from tests.inference.light.networks import (
    LABELS,
    add_ngrams,
    assert_same_labels,
    build_networks,
)

PATH = Path("model.onnx")
TEXTS = [
    "rovers meet oslo",
    "",
    "Again again &amp; zanzibar",
    *(f"{'rovers ' * number}." for number in range(20)),
]
NETWORKS = build_networks(
    text=TextSection(tokenizer="words", max_tokens=10), pooling=["attention", "last"]
)


@pytest.fixture
def predictor() -> OnnxPredictor:
    export_onnx(NETWORKS.numpy, PATH)
    return load_onnx_predictor(PATH)


def assert_equal(found: list[Prediction], expected: list[Prediction]) -> None:
    for one, two in zip(found, expected, strict=True):
        assert (one.text, one.label) == (two.text, two.label)
        assert one.probs == pytest.approx(two.probs, abs=1e-5)
        assert (one.num_tokens, one.num_unknown, one.num_cut) == (
            two.num_tokens,
            two.num_unknown,
            two.num_cut,
        )


def test_predictions_are_those_of_the_run(predictor: OnnxPredictor) -> None:
    expected = NETWORKS.predictor().predict(TEXTS)
    assert_equal(predictor.predict(TEXTS), expected)
    chunks = [TEXTS[:7], [], TEXTS[7:]]
    (window,) = predictor.stream(chunks)
    assert_equal(window, expected)
    live = list(predictor.stream_live(chunks))
    assert [len(part) for part in live] == [7, 0, len(TEXTS) - 7]
    assert predictor.predict([]) == []


def test_several_labels_are_those_of_the_run() -> None:
    networks = build_networks(task="several_labels")
    export_onnx(networks.numpy, PATH)
    predictor = load_onnx_predictor(PATH)
    expected = networks.predictor().predict(TEXTS)
    assert len({len(prediction.labels) for prediction in expected}) > 1
    assert_same_labels(predictor.predict(TEXTS), expected)
    copy = pickle.loads(pickle.dumps(predictor))  # noqa: S301 - written by this test
    assert copy.predict(TEXTS) == predictor.predict(TEXTS)
    (prediction,) = load_onnx_predictor(PATH, threshold=0.0).predict("oslo")
    assert set(prediction.labels) == set(LABELS)
    (rejected,) = load_onnx_predictor(PATH, min_confidence=1.0).predict("oslo")
    assert rejected.answer is None
    assert rejected.confidence == pytest.approx(
        networks.predictor().predict("oslo")[0].confidence, abs=1e-5
    )


@pytest.mark.usefixtures("predictor")
def test_a_file_of_an_earlier_version_has_one_label_a_text() -> None:
    model = onnx.load_model_from_string(PATH.read_bytes())
    entries = {entry.key: entry.value for entry in model.metadata_props}
    del entries["sha256"], entries["task"], model.metadata_props[:]
    PATH.write_bytes(seal_model(model.SerializeToString(), entries))
    predictor = load_onnx_predictor(PATH)
    assert not predictor.has_several_labels
    assert_equal(predictor.predict(TEXTS), NETWORKS.predictor().predict(TEXTS))


@pytest.mark.parametrize("thresholds", ["[0.5]", "[0.5, 2, 0.5]", "{}", "null"])
def test_damaged_thresholds_are_refused(thresholds: str) -> None:
    export_onnx(build_networks(task="several_labels").numpy, PATH)
    write_changed("", {"thresholds": thresholds})
    with pytest.raises(RunError, match=r"^model\.onnx: damaged"):
        load_onnx_predictor(PATH)


def test_a_pickled_predictor_predicts_the_same(predictor: OnnxPredictor) -> None:
    PATH.unlink()
    copy = pickle.loads(pickle.dumps(predictor))  # noqa: S301 - written by this test
    assert copy.predict(TEXTS) == predictor.predict(TEXTS)


def test_threads_share_a_predictor(predictor: OnnxPredictor) -> None:
    expected = predictor.predict(TEXTS)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(predictor.predict, [TEXTS] * 8))
    assert all(result == expected for result in results)


def test_a_single_text_file_predicts_several_texts() -> None:
    export_onnx(NETWORKS.numpy, PATH, is_single=True)
    expected = NETWORKS.predictor().predict(TEXTS)
    assert_equal(load_onnx_predictor(PATH).predict(TEXTS), expected)


def test_below_min_confidence_there_is_no_answer(predictor: OnnxPredictor) -> None:
    assert predictor.predict("oslo")[0].answer is not None
    sure = load_onnx_predictor(PATH, min_confidence=1.0)
    assert sure.predict("oslo")[0].answer is None


@pytest.mark.usefixtures("predictor")
def test_neither_torch_nor_onnx_is_imported() -> None:
    program = (
        "import sys; from rnncls.inference.onnx_predictor import load_onnx_predictor;"
        " print(load_onnx_predictor('model.onnx').predict('oslo')[0].label);"
        " print({'torch', 'onnx'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    expected = NETWORKS.predictor().predict("oslo")[0].label
    assert result.stdout == f"{expected}\nset()\n"


# Files that are refused


def change_graph(model: onnx.ModelProto, change: str) -> None:
    node = model.graph.node[0]
    if change == "external":
        tensor = model.graph.initializer[0]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
        tensor.ClearField("raw_data")
    elif change == "operator":
        node.op_type = "If"
    elif change == "domain":
        node.domain = "com.microsoft"
    elif change == "opset":
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    elif change == "function":
        model.functions.add(name="Add", domain="mine")
    elif change == "sparse":
        model.graph.sparse_initializer.add()
    elif change == "attribute":
        node.attribute.append(helper.make_attribute("body", model.graph))


def write_changed(change: str, metadata: dict[str, str]) -> None:
    """Write the file with another graph or metadata, and a seal that fits it."""
    model, entries = read_parts()
    change_graph(model, change)
    PATH.write_bytes(seal_model(model.SerializeToString(), entries | metadata))


def write_with(field: bytes) -> None:
    """Write the file with another field, and a seal that fits it."""
    model, entries = read_parts()
    PATH.write_bytes(seal_model(model.SerializeToString() + field, entries))


def read_parts() -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return the model without its metadata, and these without the seal."""
    model = onnx.load_model_from_string(PATH.read_bytes())
    entries = {entry.key: entry.value for entry in model.metadata_props}
    del entries["sha256"], model.metadata_props[:]
    return model, entries


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("external", "its weights are in another file, which is not allowed"),
        ("operator", "the operator If is not allowed"),
        ("domain", r"operators of 'com\.microsoft' are not allowed"),
        ("opset", r"operators of 'ai\.onnx\.ml' are not allowed"),
        ("function", "it defines operators of its own"),
        ("sparse", "it has a sparse constant"),
        ("attribute", "an operator has a graph or a tensor of its own"),
    ],
)
def test_a_file_with_anything_foreign_is_refused(change: str, message: str) -> None:
    write_changed(change, {})
    with pytest.raises(RunError, match=rf"^model\.onnx: .*{message}"):
        load_onnx_predictor(PATH)


@pytest.mark.usefixtures("predictor")
def test_a_graph_under_an_impossible_number_is_refused() -> None:
    # ONNX Runtime reads 32 bits of a field's number, and would see a second graph.
    write_with(encode_field(7 + (1 << 29), b""))
    with pytest.raises(RunError, match="a field of the impossible number 536870919"):
        load_onnx_predictor(PATH)


@pytest.mark.usefixtures("predictor")
def test_a_graph_for_training_is_refused() -> None:
    write_with(encode_field(20, b""))
    with pytest.raises(RunError, match="it has a graph for training"):
        load_onnx_predictor(PATH)


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("labels", '["one"]', "expected .* and the output probs of 1 classes, found"),
        ("labels", '["one", 2]', "labels: expected a list of class names"),
        ("labels", "[", "damaged metadata"),
        ("words", "a\nb", "damaged metadata: a vocabulary starts with <pad> and"),
        ("text", '{"tokenizer": "none"}', "damaged metadata"),
        ("data", "3", "damaged metadata"),
        ("test_vectors", '[{"text": ""}]', "damaged metadata"),
        ("format", "3", "written in format 3, this version of rnncls reads 1 and 2"),
        ("task", "several_labels", "damaged metadata: .thresholds."),
    ],
)
def test_damaged_metadata_are_refused(entry: str, value: str, message: str) -> None:
    write_changed("", {entry: value})
    with pytest.raises(RunError, match=rf"^model\.onnx: .*{message}"):
        load_onnx_predictor(PATH)


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize("position", [0.001, 0.3, 0.6, 0.9, 0.9999])
def test_a_changed_byte_is_found(position: float) -> None:
    content = bytearray(PATH.read_bytes())
    content[int(position * len(content))] ^= 4
    PATH.write_bytes(content)
    with pytest.raises(RunError, match=r"^model\.onnx: "):
        load_onnx(PATH)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08", b"\xff" * 40])
def test_another_file_is_refused(content: bytes) -> None:
    PATH.write_bytes(content)
    with pytest.raises(RunError, match=r"^model\.onnx: damaged, or not an ONNX file: "):
        load_onnx(PATH)


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(RunError, match=r"^model\.onnx: missing$"):
        load_onnx(PATH)


def test_a_model_of_another_program_is_refused() -> None:
    graph = helper.make_graph([], "other", [], [])
    onnx.save_model(helper.make_model(graph), PATH)
    with pytest.raises(RunError, match="not written by rnncls export: it has no"):
        load_onnx(PATH)


def test_every_allowed_operator_is_used() -> None:
    used = set()
    cells = ["rnn", "lstm", "gru", "grid_lstm", "none"]
    cases = [(cell, "float32", is_single) for cell in cells for is_single in (0, 1)]
    for cell, embedding, is_single in [*cases, ("lstm", "int8", 0)]:
        networks = build_networks(cell=cell, pooling=["max", "mean", "attention"])
        export_onnx(
            networks.numpy,
            PATH,
            embedding="int8" if embedding == "int8" else "float32",
            is_single=bool(is_single),
        )
        used |= list_operators()
    networks = add_ngrams(build_networks(cell="lstm", pooling=["max"]))
    export_onnx(networks.numpy, PATH, embedding="float32", is_single=False)
    used |= list_operators()
    assert used == OPERATORS


def list_operators() -> set[str]:
    model = onnx.load_model_from_string(PATH.read_bytes())
    return {node.op_type for node in model.graph.node}
