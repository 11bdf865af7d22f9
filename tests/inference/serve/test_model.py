"""Loading a classifier, and the test that it has to pass."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from rnncls import RunError
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.export.onnx_file import seal_model
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.serve.model import check_predictor, load_model
from tests.builders import write_run
from tests.inference.light.networks import build_networks

LABELS = ["no", "yes"]
WORDS = ["oslo", "rovers", "meet"]


@pytest.fixture
def run() -> Path:
    path = Path("reviews")
    write_run(path, labels=LABELS, words=WORDS)
    return path


def test_a_run_is_computed_by_onnx_runtime(run: Path) -> None:
    model = load_model(run)
    assert (model.name, model.runtime) == ("reviews", "onnxruntime")
    assert model.label_names == LABELS
    (prediction,) = model.predict(["rovers meet oslo"])
    assert set(prediction.probs) == set(LABELS)
    assert dict(model.facts)["Classes"] == "2: no, yes"
    assert load_model(run, "other").name == "other"


def test_a_run_and_its_file_agree(run: Path) -> None:
    from rnncls.runs.portable import load_portable

    export_onnx(load_portable(run), Path("reviews.onnx"))
    file = load_model(Path("reviews.onnx"))
    (found,), (expected,) = file.predict(["oslo"]), load_model(run).predict(["oslo"])
    assert found.probs == pytest.approx(expected.probs, abs=1e-6)
    assert (file.name, len(file.version)) == ("reviews", 12)
    assert dict(file.facts)["Vocabulary"] == "5 words"


def test_numpy_computes_without_the_packages(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnncls.inference.serve.model.find_spec", lambda _: None)
    model = load_model(run)
    assert model.runtime == "numpy"
    (prediction,) = model.predict(["rovers meet oslo"])
    assert set(prediction.probs) == set(LABELS)


def test_a_file_that_does_not_reproduce_its_vectors_is_refused() -> None:
    path = Path("model.onnx")
    export_onnx(build_networks().numpy, path)
    model = onnx.load_model_from_string(path.read_bytes())
    entries = {entry.key: entry.value for entry in model.metadata_props}
    del entries["sha256"], model.metadata_props[:]
    (weights,) = (
        tensor
        for tensor in model.graph.initializer
        if onnx.numpy_helper.to_array(tensor).shape == (10, 6)
    )
    changed = onnx.numpy_helper.to_array(weights) + np.float32(1)
    weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
    path.write_bytes(seal_model(model.SerializeToString(), entries))
    with pytest.raises(RunError, match=r"^model\.onnx: does not pass its test"):
        load_model(path)


def test_no_number_does_not_pass() -> None:
    predictor = LightPredictor(build_networks().numpy)
    expected = np.full((1, 3), np.nan, np.float32)
    with pytest.raises(RunError, match="differs by nan"):
        check_predictor(Path("run"), predictor, ["oslo"], expected)


def test_a_damaged_run_is_refused(run: Path) -> None:
    (run / "labels.json").unlink()
    with pytest.raises(RunError, match=r"labels\.json: missing"):
        load_model(run)
    shutil.rmtree(run)
    with pytest.raises(RunError, match=r"^reviews: "):
        load_model(run)
