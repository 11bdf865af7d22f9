"""Ray Data and Ray Serve, and the class for batches without Ray."""

import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rnncls.ray
from rnncls import ConfigError
from tests.inference.engines.models import (
    PATH,
    TEXTS,
    load_networks,
    needs,
    run_json_program,
    run_program,
)


def test_the_engines_are_imported_when_they_are_needed() -> None:
    code = """
import sys, rnncls.ray, rnncls.spark, rnncls.mlflow
print({"ray", "pyspark", "mlflow", "pandas", "onnxruntime", "torch"} & set(sys.modules))
"""
    assert run_program(code) == "set()\n"


def test_a_batch_has_its_predictions() -> None:
    classifier = load_networks(tells_fits=True)
    classify = rnncls.ray.Classify(PATH, column="body")
    batch = {"body": np.array(TEXTS), "label": np.arange(len(TEXTS))}
    found = classify(batch)
    expected = [prediction.label for prediction in classifier(TEXTS)]
    assert found["label"].tolist() == expected
    assert found["input_label"].tolist() == list(range(len(TEXTS)))
    table = classify(pd.DataFrame(batch))
    assert table["label"].tolist() == expected
    assert list(table) == ["body", "input_label", "label", "prob", "probs", "fits"]
    fits = [prediction.fits for prediction in classifier(TEXTS)]
    assert table["fits"].tolist() == found["fits"].tolist() == fits


def test_a_worker_imports_the_class_by_the_users_name() -> None:
    classifier = load_networks()
    assert rnncls.ray.Classify.__module__ == "rnncls.ray"
    Path("classify.pkl").write_bytes(pickle.dumps(rnncls.ray.Classify(classifier)))
    PATH.unlink()  # the weights are in the pickled object
    code = """
import pathlib, pickle, sys
import numpy as np
classify = pickle.loads(pathlib.Path("classify.pkl").read_bytes())
print(*classify({"text": np.array(sys.argv[1:])})["label"])
"""
    labels = [prediction.label for prediction in classifier(TEXTS)]
    assert run_program(code, *TEXTS).split() == labels


def test_another_kind_of_batch_is_refused() -> None:
    load_networks()
    batch: Any = TEXTS
    with pytest.raises(TypeError, match="found list: use batch_format='numpy' or"):
        rnncls.ray.Classify(PATH)(batch)


RAY_DATA = """
import json, sys
import ray
import rnncls, rnncls.ray

path, *texts = sys.argv[1:]
ray.init(
    num_cpus=2,
    include_dashboard=False,
    object_store_memory=100_000_000,
    log_to_driver=False,
)
rows = [{"id": row, "text": text, "label": "?"} for row, text in enumerate(texts)]
answers = []
for model in (path, rnncls.load(path)):
    dataset = ray.data.from_items(rows).map_batches(
        rnncls.ray.Classify,
        fn_constructor_args=(model,),
        batch_size=4,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    answers.append(sorted(dataset.take_all(), key=lambda row: row["id"]))
print(json.dumps(answers, default=lambda values: values.tolist()))
"""


@pytest.mark.slow
@needs("ray")
@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_ray_data_predicts_what_the_file_predicts(task: str) -> None:
    classifier = load_networks(task=task, tells_fits=task == "one_label")
    path = str(PATH.absolute())
    for rows in run_json_program(RAY_DATA, path, *TEXTS):
        assert [row["text"] for row in rows] == TEXTS
        assert {row["input_label"] for row in rows} == {"?"}
        for row, prediction in zip(rows, classifier(TEXTS), strict=True):
            assert row["label"] == prediction.label
            assert row["prob"] == pytest.approx(prediction.prob)
            assert row["probs"] == pytest.approx(list(prediction.probs.values()))
            expected = None if task == "one_label" else prediction.labels
            assert row.get("labels") == expected
            assert row.get("fits") == prediction.fits


RAY_SERVE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import httpx2
import ray
from ray import serve
import rnncls.ray
from rnncls.inference.serve.limits import Limits

path, port, *texts = sys.argv[1:]
ray.init(
    num_cpus=4,
    include_dashboard=False,
    object_store_memory=100_000_000,
    log_to_driver=False,
)
serve.start(http_options={"port": int(port)})
serve.run(rnncls.ray.app(path, num_replicas=2, limits=Limits(max_texts=len(texts))))
client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

def post_all(num_requests, texts):
    post = lambda _: client.post("/predict", json={"texts": texts})
    with ThreadPoolExecutor(32) as threads:
        return list(threads.map(post, range(num_requests)))

answers = post_all(32, texts)
found = {
    "answers": [answer.json()["predictions"] for answer in answers],
    "refused": client.post("/predict", json={"texts": [*texts, "one"]}).status_code,
    "ready": client.get("/v2/health/ready").status_code,
    "page": client.get("/").text[:15],
}
# A second model takes the place of the first; this one lets one request wait.
serve.run(rnncls.ray.app(path, limits=Limits(max_waiting=1)))
flood = post_all(64, ["oslo again " * 8000] * 10)
found["flood"] = sorted({answer.status_code for answer in flood})
print(json.dumps(found))
serve.shutdown()
"""


@pytest.mark.slow
@needs("ray")
def test_ray_serve_answers_as_rnncls_serve_does() -> None:
    classifier = load_networks()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = str(PATH.absolute())
    found = run_json_program(RAY_SERVE, path, str(port), *TEXTS)
    assert len(found["answers"]) == 32
    for answer in found["answers"]:
        for row, prediction in zip(answer, classifier(TEXTS), strict=True):
            assert row["label"] == prediction.label
            assert row["probs"] == pytest.approx(prediction.probs)
    assert found["refused"] == 413
    assert (found["ready"], found["page"]) == (200, "<!doctype html>")
    assert found["flood"] == [200, 429]


def test_an_application_needs_a_path() -> None:
    none: Any = None
    with pytest.raises(
        ConfigError, match=r"model: expected the path of an \.onnx file"
    ):
        rnncls.ray.app(none)
