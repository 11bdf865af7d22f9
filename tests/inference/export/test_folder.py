"""The exported folder: everything that classifies texts on its own."""

import json
from pathlib import Path

import pytest
import torch

from rnncls import RunError
from rnncls.inference.export.folder import (
    _choose_tag,
    _describe_parts,
    _describe_weights,
    export_folder,
)
from rnncls.inference.export.predict_script import Classifier
from rnncls.inference.predictor import Predictor
from rnncls.runs.run import load_run
from tests.builders import write_run
from tests.inference.light.networks import add_ngrams, build_networks

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
        *("requirements-serve.txt", "Dockerfile.serve"),
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
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert (
        "stored as int8. `model.onnx` reads `token_ids`, int64\n[1, tokens], and"
        in (readme)
    )


def test_the_readme_names_ngrams() -> None:
    both = add_ngrams(build_networks()).numpy
    assert both.ngrams is not None
    size = f"{len(both.ngrams.keys)} n-grams of up to 3 tokens"
    assert _describe_parts(both).startswith("cell `lstm`, embedding 6,")
    assert _describe_parts(both).endswith(f", and a linear model of {size}")
    assert _describe_weights(both, "int8") == "The word vectors are stored as int8."
    alone = add_ngrams(build_networks(), is_alone=True).numpy
    assert _describe_parts(alone) == f"a linear model of {size}"
    assert _describe_weights(alone, "int8").startswith("The weights of the n-grams")


@pytest.mark.parametrize(
    ("name", "tag"),
    [("AG News_2.0", "ag-news-2-0"), ("映画", "classifier"), ("-a-", "a")],
)
def test_the_image_has_a_name_that_docker_allows(name: str, tag: str) -> None:
    assert _choose_tag(name) == tag


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
