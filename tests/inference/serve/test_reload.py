"""Another classifier takes over while the server runs."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.serve.app import create_app
from rnncls.inference.serve.reload import ModelHolder, ModelSource
from tests.inference.light.networks import build_networks

PATH = Path("model.onnx")
NEW = build_networks(seed=1)


@pytest.fixture
def models(onnx_path: Path) -> ModelHolder:
    shutil.copy(onnx_path, PATH)
    return ModelHolder.load(ModelSource(PATH))


def test_a_new_model_answers(models: ModelHolder) -> None:
    old = models.model
    export_onnx(NEW.numpy, PATH)
    models.reload()
    assert models.model.version != old.version
    assert models.model.name == old.name
    (found,) = models.model.predict(["oslo"])
    (expected,) = NEW.predictor().predict("oslo")
    assert found.probs == pytest.approx(expected.probs, abs=1e-5)
    assert (models.num_reloads, models.num_failed_reloads) == (1, 0)


def test_a_bad_model_does_not_replace_a_good_one(
    models: ModelHolder, log: pytest.LogCaptureFixture
) -> None:
    old = models.model
    PATH.write_bytes(b"no model")
    models.reload()
    assert models.model is old
    (record,) = (item for item in log.records if item.message == "reload failed")
    assert "damaged, or not an ONNX file" in vars(record)["fields"]["error"]
    assert (models.num_reloads, models.num_failed_reloads) == (0, 1)


def test_a_changed_file_is_noticed_when_it_is_complete(models: ModelHolder) -> None:
    async def watch() -> None:
        task = asyncio.create_task(models.watch(poll_s=0.01))
        await asyncio.sleep(0.05)
        assert models.num_reloads == 0
        PATH.write_bytes(b"no model")
        await wait_for(lambda: models.num_failed_reloads == 1)
        PATH.unlink()
        await asyncio.sleep(0.05)
        export_onnx(NEW.numpy, PATH)
        await wait_for(lambda: models.num_reloads == 1)
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(watch())
    assert (models.num_reloads, models.num_failed_reloads) == (1, 1)


def test_a_file_that_changed_while_it_was_loaded_is_noticed(onnx_path: Path) -> None:
    shutil.copy(onnx_path, PATH)
    source = ModelSource(PATH)
    models = ModelHolder(source.load(), source, source.find_fingerprint())
    export_onnx(NEW.numpy, PATH)

    async def watch() -> None:
        task = asyncio.create_task(models.watch(poll_s=0.01))
        await wait_for(lambda: models.num_reloads == 1)
        task.cancel()

    asyncio.run(watch())


async def wait_for(is_done: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


@pytest.mark.usefixtures("toy_run")
def test_the_newest_run_is_watched(toy_run: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(toy_run, newer)
    Path("runs").mkdir(exist_ok=True)
    latest = Path("runs/latest")
    latest.unlink(missing_ok=True)
    latest.symlink_to(toy_run)
    source = ModelSource(None)
    before = source.find_fingerprint()
    latest.unlink()
    assert source.find_fingerprint() is None
    latest.symlink_to(newer)
    after = source.find_fingerprint()
    assert before != after
    assert after is not None
    os.utime(newer / "model.safetensors", ns=(1, 1))
    assert source.find_fingerprint() not in {before, after}
    assert source.load().name == "newer"


def test_a_server_that_stops_is_not_ready(models: ModelHolder) -> None:
    with TestClient(create_app(models)) as client:
        assert client.get("/v2/health/ready").status_code == 200
        models.stop()
        response = client.get("/v2/health/ready")
        assert (response.status_code, response.json()) == (503, {"ready": False})
        assert client.get("/v2/health/live").status_code == 200
        answer = client.post("/predict", json={"texts": ["oslo"]})
        assert answer.status_code == 200
