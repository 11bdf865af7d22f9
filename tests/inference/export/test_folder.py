"""The exported folder: everything that classifies texts on its own."""

import json
from pathlib import Path

import pytest
import torch

from rnncls import RunError
from rnncls.inference.export.folder import export_folder
from rnncls.inference.export.predict_script import Classifier
from rnncls.inference.predictor import Predictor
from rnncls.runs.run import load_run
from tests.builders import write_run

RUN, FOLDER = Path("reviews"), Path("out/reviews-onnx")
TEXTS = ["oslo again", "zürich", ""]


@pytest.fixture(autouse=True)
def _run() -> None:
    torch.manual_seed(0)
    write_run(RUN, labels=["good", "schlecht: 坏"], words=["oslo", "zürich"])


def test_the_folder_has_model_program_and_description() -> None:
    exported = export_folder(RUN, FOLDER)
    names = {path.name for path in FOLDER.iterdir()}
    optional = {"tokenizer.json"} & names
    assert names - optional == {
        *("model.onnx", "predict.py", "requirements.txt", "Dockerfile", "README.md"),
    }
    assert exported.path == FOLDER / "model.onnx"
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(
        "# reviews\n\nA text classifier: cell `lstm`, embedding 3,"
    )
    assert "Classes: good, schlecht: 坏." in readme
    assert f"| `model.onnx` | {exported.size:,} |" in readme
    assert "and 0 labels changed" in readme
    assert "The training has not finished" in readme


def test_its_predictions_are_those_of_the_run() -> None:
    export_folder(RUN, FOLDER)
    probs = Classifier(FOLDER / "model.onnx").predict_proba(TEXTS)
    run = Predictor(load_run(RUN).classifier, torch.device("cpu"))
    for row, expected in zip(probs.tolist(), run.predict(TEXTS), strict=True):
        assert row == pytest.approx(list(expected.probs.values()), abs=1e-5)


def test_the_requirements_are_those_of_the_program() -> None:
    export_folder(RUN, FOLDER)
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(">=")[0] for line in lines] == ["numpy", "onnxruntime"]


def test_an_earlier_export_is_replaced() -> None:
    export_folder(RUN, FOLDER)
    export_folder(RUN, FOLDER, embedding="int8", is_single=True)
    metadata = Classifier(FOLDER / "model.onnx").metadata
    assert (metadata["embedding"], json.loads(metadata["is_single"])) == ("int8", True)


def test_a_folder_of_other_files_is_refused() -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "thesis.txt").touch()
    with pytest.raises(RunError, match="reviews-onnx: has other files: choose a new"):
        export_folder(RUN, FOLDER)
    with pytest.raises(RunError, match=r"thesis\.txt: is a file: choose the name of"):
        export_folder(RUN, FOLDER / "thesis.txt")
    (FOLDER / "predict.py").write_text("print('my own program')\n")
    with pytest.raises(RunError, match="has other files"):
        export_folder(RUN, FOLDER)
