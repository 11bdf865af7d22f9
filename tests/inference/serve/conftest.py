"""A classifier behind the web application, built once."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from rnncls.config.sections import TextSection
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.serve.app import create_app
from rnncls.inference.serve.limits import Limits
from rnncls.inference.serve.model import ServedModel, load_model
from rnncls.inference.serve.reload import ModelHolder
from tests.inference.light.networks import build_networks

NETWORKS = build_networks(
    text=TextSection(max_tokens=450), pooling=["attention", "last"], temperature=0.7
)
SEVERAL = build_networks(task="several_labels", bidirectional=True)
LIMITS = Limits(max_texts=8, max_characters=3000, max_body=20_000, max_waiting=4)


@pytest.fixture(scope="session")
def onnx_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported file of `NETWORKS`."""
    path = tmp_path_factory.mktemp("serve") / "teams.onnx"
    export_onnx(NETWORKS.numpy, path)
    return path


@pytest.fixture(scope="session")
def model(onnx_path: Path) -> ServedModel:
    return load_model(onnx_path)


@pytest.fixture(scope="module")
def client(model: ServedModel) -> Iterator[TestClient]:
    """A client of the application; an error of the application is raised."""
    with TestClient(create_app(ModelHolder(model), LIMITS, num_threads=1)) as client:
        yield client


@pytest.fixture(scope="module")
def several_client(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    """A client of a classifier with several labels a text."""
    path = tmp_path_factory.mktemp("serve") / "several.onnx"
    export_onnx(SEVERAL.numpy, path)
    with TestClient(create_app(ModelHolder(load_model(path)))) as client:
        yield client


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The messages of all levels."""
    caplog.set_level(logging.INFO, "rnncls")
    return caplog
