"""The Open Inference Protocol."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.inference.light.networks import LABELS, THRESHOLDS
from tests.inference.serve.conftest import NETWORKS, SEVERAL

TEXTS = ["rovers meet oslo", "again again"]


def build_request(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}
    return {"id": "7", "inputs": [{**tensor, **changes}]}


def test_a_server_and_its_model_are_described(client: TestClient) -> None:
    assert client.get("/v2").json()["name"] == "rnncls"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/teams/ready").json() == {"ready": True}
    metadata = client.get("/v2/models/teams").json()
    assert metadata["platform"] == "rnncls_onnxruntime"
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [(item["name"], item["shape"]) for item in metadata["outputs"]] == [
        ("label", [-1]),
        ("probs", [-1, 3]),
    ]
    assert metadata["parameters"] == {"labels": LABELS}


@pytest.mark.parametrize(
    "changes", [{}, {"shape": [2, 1]}, {"shape": [2, 1], "data": [[t] for t in TEXTS]}]
)
def test_texts_are_classified(changes: dict[str, Any], client: TestClient) -> None:
    answer = client.post("/v2/models/teams/infer", json=build_request(**changes)).json()
    assert (answer["id"], answer["model_name"]) == ("7", "teams")
    label, probs = answer["outputs"]
    expected = NETWORKS.predictor().predict(TEXTS)
    assert label == {
        "name": "label",
        "datatype": "BYTES",
        "shape": [2],
        "data": [prediction.label for prediction in expected],
    }
    rows = [prob for prediction in expected for prob in prediction.probs.values()]
    assert (probs["datatype"], probs["shape"]) == ("FP32", [2, 3])
    assert probs["data"] == pytest.approx(rows, abs=1e-5)


def test_several_labels_have_a_tensor_of_their_own(several_client: TestClient) -> None:
    request = {**build_request(), "outputs": [{"name": "has_label"}]}
    answer = several_client.post("/v2/models/several/infer", json=request).json()
    (has_label,) = answer["outputs"]
    expected = [
        prob >= threshold
        for prediction in SEVERAL.predictor().predict(TEXTS)
        for prob, threshold in zip(prediction.probs.values(), THRESHOLDS, strict=True)
    ]
    assert has_label["shape"] == [2, 3]
    assert has_label["data"] == expected


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        (build_request(shape=[3]), "inputs.0.shape"),
        (build_request(datatype="FP32"), "inputs.0.datatype"),
        (build_request(name="texts"), "inputs.0.name"),
        ({"inputs": []}, "inputs"),
        ({**build_request(), "outputs": [{"name": "logits"}]}, "outputs.0.name"),
    ],
)
def test_a_wrong_tensor_is_named(
    request_body: dict[str, Any], field: str, client: TestClient
) -> None:
    response = client.post("/v2/models/teams/infer", json=request_body)
    assert response.status_code == 422
    assert response.json()["fields"][0]["field"] == field


@pytest.mark.parametrize("path", ["", "/ready"])
def test_another_model_is_not_found(path: str, client: TestClient) -> None:
    response = client.get(f"/v2/models/other{path}")
    assert response.status_code == 404
    assert "'teams'" in response.json()["error"]
    assert (
        client.post("/v2/models/other/infer", json=build_request()).status_code == 404
    )
