"""Predictions, explanations, metrics and the page over HTTP."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.insight.explanation import occlude
from rnncls.inference.serve.model import ServedModel
from tests.inference.light.networks import LABELS
from tests.inference.serve.conftest import NETWORKS, SEVERAL

TEXTS = ["rovers meet oslo", "", "Again zanzibar again &amp; 'oslo'.", "meet " * 500]


def test_predictions_are_those_of_the_run(
    client: TestClient, model: ServedModel
) -> None:
    response = client.post("/predict", json={"texts": TEXTS})
    assert response.status_code == 200
    body = response.json()
    assert body["model"] == {"name": "teams", "version": model.version}
    expected = NETWORKS.predictor().predict(TEXTS)
    for found, prediction in zip(body["predictions"], expected, strict=True):
        assert found["label"] == prediction.label
        assert found["prob"] == found["probs"][found["label"]]
        assert found["probs"] == pytest.approx(prediction.probs, abs=1e-5)
        counts = [found[name] for name in ("num_tokens", "num_unknown", "num_cut")]
        assert counts == [
            prediction.num_tokens,
            prediction.num_unknown,
            prediction.num_cut,
        ]
        assert "labels" not in found


def test_no_text_gives_no_prediction(client: TestClient) -> None:
    assert client.post("/predict", json={"texts": []}).json()["predictions"] == []


def test_top_k_leaves_the_most_probable_labels(client: TestClient) -> None:
    texts = ["rovers meet oslo"]
    body = client.post("/predict", json={"texts": texts, "top_k": 2}).json()
    (found,) = body["predictions"]
    (expected,) = NETWORKS.predictor().predict(texts)
    assert list(found["probs"]) == [label for label, _ in expected.top(2)]


@pytest.mark.parametrize("inputs", ["rovers meet oslo", ["rovers meet oslo", "oslo"]])
def test_the_request_of_hugging_face_gets_its_answer(
    client: TestClient, inputs: str | list[str]
) -> None:
    body = {"inputs": inputs, "parameters": {"top_k": 2}, "options": {"a": 1}}
    answer = client.post("/predict", json=body).json()
    expected = NETWORKS.predictor().predict(inputs)
    for found, prediction in zip(answer, expected, strict=True):
        names = [entry["label"] for entry in found]
        assert names == [label for label, _ in prediction.top(2)]
        assert found[0]["score"] == pytest.approx(prediction.prob, abs=1e-5)


def test_several_labels_are_those_of_the_run(several_client: TestClient) -> None:
    answer = several_client.post("/predict", json={"texts": TEXTS}).json()
    expected = SEVERAL.predictor().predict(TEXTS)
    for found, prediction in zip(answer["predictions"], expected, strict=True):
        assert found["labels"] == prediction.labels
        assert found["label"] == prediction.label


@pytest.mark.parametrize("label", [None, "weather"])
def test_an_explanation_is_the_occlusion_of_torch(
    client: TestClient, label: str | None
) -> None:
    text = "Rovers meet zanzibar again"
    found = client.post("/explain", json={"text": text, "label": label}).json()
    (prediction,) = NETWORKS.predictor().predict(text)
    assert found["label"] == (label or prediction.label)
    effects = [token["occlusion"] for token in found["tokens"]]
    expected = find_effects(text, LABELS.index(found["label"]))
    assert effects == pytest.approx(expected, abs=1e-5)
    shown = [text[token["start"] : token["end"]] for token in found["tokens"]]
    assert shown == text.split()
    assert [token["is_known"] for token in found["tokens"]] == [True, True, False, True]
    assert (found["num_tokens"], found["num_unknown"], found["num_cut"]) == (4, 1, 0)
    assert "trajectory" not in found
    assert "logits" not in found


def find_effects(text: str, column: int) -> list[float]:
    """Return how much lower a logit is without each token."""
    encoded = NETWORKS.encode([text])
    torch_model = NETWORKS.torch.model
    logit = compute_logits(torch_model, encoded)[0, column]
    effects: list[float] = (logit - occlude(torch_model, encoded)[:, column]).tolist()
    return effects


@pytest.mark.parametrize("kind", ["one label", "several labels"])
def test_a_page_gets_the_logits_of_all_labels(
    kind: str, client: TestClient, several_client: TestClient
) -> None:
    is_several = kind == "several labels"
    asked, networks = (several_client, SEVERAL) if is_several else (client, NETWORKS)
    text = "rovers meet oslo"
    body = {"text": text, "all_labels": True, "trajectory": True}
    found = asked.post("/explain", json=body).json()
    prefixes = ["rovers", "rovers meet", text]
    expected = networks.predictor().predict(prefixes)
    for row, prediction in zip(found["trajectory"], expected, strict=True):
        assert row == pytest.approx(list(prediction.probs.values()), abs=1e-5)
    column = LABELS.index(found["label"])
    without = np.array(found["logits_without"])[:, column]
    effects = [token["occlusion"] for token in found["tokens"]]
    assert found["logits"][column] - without == pytest.approx(effects, abs=1e-5)
    assert found.get("labels") == (expected[-1].labels if is_several else None)


def test_an_empty_text_is_explained(client: TestClient) -> None:
    found = client.post("/explain", json={"text": ""}).json()
    assert found["num_tokens"] == 0
    assert [token["token"] for token in found["tokens"]] == ["<unk>"]


def test_metrics_count_requests_texts_and_tokens(client: TestClient) -> None:
    before = read_metrics(client)
    client.post("/predict", json={"texts": ["rovers zanzibar oslo", "oslo"]})
    client.post("/predict", json={"texts": 3})
    after = read_metrics(client)
    differences = {
        name: value - before.get(name, 0.0)
        for name, value in after.items()
        if value != before.get(name)
    }
    assert differences['rnncls_requests_total{code="200",route="/predict"}'] == 1
    assert differences['rnncls_requests_total{code="422",route="/predict"}'] == 1
    assert differences["rnncls_texts_total"] == 2
    assert differences["rnncls_tokens_total"] == 4
    assert differences["rnncls_unknown_tokens_total"] == 1
    assert differences["rnncls_confidence_count"] == 2
    assert differences['rnncls_request_seconds_count{route="/predict"}'] == 2
    labels = [name for name in differences if name.startswith("rnncls_labels_total")]
    assert sum(differences[name] for name in labels) == 2


def read_metrics(client: TestClient) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs if "_created" not in name}


def test_no_log_message_has_a_text(
    client: TestClient, log: pytest.LogCaptureFixture
) -> None:
    client.post("/predict", json={"texts": ["secret rovers"]})
    client.post("/predict", json={"texts": ["secret", 3]})
    client.post("/explain", json={"text": "secret rovers"})
    records: list[Any] = [item for item in log.records if item.message == "request"]
    assert [item.fields["status"] for item in records] == [200, 422, 200]
    assert records[0].fields["route"] == "/predict"
    assert (records[0].fields["texts"], records[0].fields["tokens"]) == (1, 2)
    assert "secret" not in str([vars(item) for item in log.records])


def test_the_page_asks_only_its_server(client: TestClient) -> None:
    page = client.get("/").text
    assert "connect-src 'self'" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert '"labels":["sport","world","weather"]' in page
    assert 'id="weights"' not in page


def test_the_openapi_page_describes_every_answer(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    statuses = {
        path: set(next(iter(operations.values()))["responses"])
        for path, operations in schema["paths"].items()
    }
    for path in ("/predict", "/explain"):
        assert statuses[path] == {"200", "413", "422", "429"}
    assert statuses["/v2/models/{name}/infer"] >= {"200", "404", "413", "422", "429"}
    assert statuses["/v2/health/ready"] == {"200", "503"}
    assert "TextsRequest" in schema["components"]["schemas"]
    assert client.get("/docs").status_code == 200
