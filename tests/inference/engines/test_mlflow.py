"""Models of MLflow, used where neither rnncls nor torch can be imported."""

import ast
import sys
from pathlib import Path

import pytest
import yaml

import rnncls
import rnncls.mlflow
from rnncls import ConfigError
from tests.builders import write_run
from tests.inference.engines.models import (
    PATH,
    TEXTS,
    load_networks,
    needs,
    run_json_program,
    run_program,
)

SAVE = "import sys, rnncls.mlflow; rnncls.mlflow.save_model(*sys.argv[1:])"
LOAD = """
import json, sys
for name in ("rnncls", "torch", "onnx"):
    sys.modules[name] = None
import mlflow.pyfunc
import pandas as pd
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

path, *texts = sys.argv[1:]
model = mlflow.pyfunc.load_model(path)
table = pd.DataFrame({"text": texts}, index=range(5, 5 + len(texts)))
predicted = model.predict(table)
assert predicted.index.equals(table.index)
request = {"dataframe_records": [{"text": text} for text in texts]}
client = TestClient(scoring_server.init(model))
response = client.post("/invocations", json=request)
print(json.dumps({
    "labels": model.metadata.metadata["labels"],
    "loaded": predicted.to_dict("records"),
    "served": response.json()["predictions"],
}))
"""


@pytest.mark.slow
@needs("mlflow")
@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_a_model_is_loaded_and_served_without_rnncls_and_torch(task: str) -> None:
    classifier = load_networks(task=task, tells_fits=task == "one_label")
    run_program(SAVE, str(PATH), "model")
    PATH.unlink()
    found = run_json_program(LOAD, "model", *TEXTS)
    assert found["labels"] == classifier.classes_.tolist()
    for way in ("loaded", "served"):
        for row, prediction in zip(found[way], classifier(TEXTS), strict=True):
            assert row["label"] == prediction.label
            assert row["prob"] == pytest.approx(prediction.prob)
            assert row["probs"] == pytest.approx(list(prediction.probs.values()))
            expected = None if task == "one_label" else prediction.labels
            assert row.get("labels") == expected
            assert row.get("fits") == prediction.fits


@pytest.mark.slow
@needs("mlflow")
def test_a_run_folder_becomes_a_model_with_three_requirements() -> None:
    run = Path("reviews")
    write_run(run, labels=["good", "bad"], words=["oslo", "zürich"])
    run_program(SAVE, str(run), "model")
    lines = Path("model/requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line.partition("=")[0].strip(">") for line in lines]
    assert packages == ["mlflow", "numpy", "onnxruntime"]
    found = run_json_program(LOAD, "model", *TEXTS)
    labels = [prediction.label for prediction in rnncls.load(run)(TEXTS)]
    assert [row["label"] for row in found["served"]] == labels
    # The package has the name of its contents, so that two versions can be loaded.
    description = yaml.safe_load(Path("model/MLmodel").read_text(encoding="utf-8"))
    loader = description["flavors"]["python_function"]["loader_module"]
    (package,) = Path("model/code").glob("rnncls_model_*")
    assert loader == f"{package.name}.pyfunc_script"


def test_the_copied_code_imports_neither_rnncls_nor_torch(tmp_path: Path) -> None:
    package = rnncls.mlflow.copy_scripts(tmp_path)
    names = set()
    for script in package.glob("*.py"):
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).partition(".")[0])
    assert names - sys.stdlib_module_names == {"numpy", "onnxruntime", "pandas"}


def test_an_existing_folder_is_not_replaced() -> None:
    Path("model").mkdir()
    with pytest.raises(ConfigError, match="path: model already exists: choose a new"):
        rnncls.mlflow.save_model("run", "model")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match=r"run: expected a run folder or an \.onnx"):
        rnncls.mlflow.save_model(5, "model")
    with pytest.raises(ConfigError, match="path: expected the path of a folder"):
        rnncls.mlflow.save_model("run", None)
