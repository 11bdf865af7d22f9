"""The server says which texts fit none of the classes."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.serve.app import create_app
from rnncls.inference.serve.model import load_model
from rnncls.inference.serve.reload import ModelHolder
from tests.inference.light.networks import add_scope, build_networks

TEXTS = ["oslo meet rovers .", "again again '", "zanzibar", "a a a a", "rovers", ""]
NETWORKS = add_scope(build_networks(), TEXTS)
EXPECTED = [prediction.fits for prediction in NETWORKS.predictor().predict(TEXTS)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path = tmp_path_factory.mktemp("serve") / "teams.onnx"
    export_onnx(NETWORKS.numpy, path)
    model = load_model(path)
    with TestClient(create_app(ModelHolder(model), num_threads=1)) as client:
        yield client


def test_predictions_and_explanations_say_it(client: TestClient) -> None:
    assert set(EXPECTED) == {True, False}
    answer = client.post("/predict", json={"texts": TEXTS}).json()
    assert [row["fits"] for row in answer["predictions"]] == EXPECTED
    for text, fits in zip(TEXTS, EXPECTED, strict=True):
        assert client.post("/explain", json={"text": text}).json()["fits"] == fits


def test_it_is_an_output_of_the_open_inference_protocol(client: TestClient) -> None:
    tensor = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [len(TEXTS)],
        "data": TEXTS,
    }
    body = {"inputs": [tensor], "outputs": [{"name": "fits"}]}
    (output,) = client.post("/v2/models/teams/infer", json=body).json()["outputs"]
    assert output == {
        "name": "fits",
        "datatype": "BOOL",
        "shape": [len(TEXTS)],
        "data": EXPECTED,
    }
