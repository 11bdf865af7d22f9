"""Few texts are predicted in NumPy, many in torch, with the same predictions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rnncls import ConfigError, RunError
from rnncls.inference import runtime
from rnncls.inference.light.loading import load_light
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.prediction import Prediction
from rnncls.inference.predictor import Predictor
from rnncls.inference.runtime import PredictOptions, RunPredictor, load_full
from tests.builders import write_run

CPU = PredictOptions(device="cpu")
CHUNKS = [["oslo", "rovers oslo"], ["", "meet oslo rovers"], ["oslo " * 9]]
Used = list[tuple[str, int]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with new weights."""
    torch.manual_seed(0)
    labels = ["sport", "world"]
    write_run(tmp_path / "run", labels=labels, words=["oslo", "rovers", "meet"])
    return tmp_path / "run"


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Used:
    """Which runtime has predicted how many texts, in their order."""
    uses: Used = []
    for predictor, name in ((LightPredictor, "numpy"), (Predictor, "torch")):
        original = getattr(predictor, "_predict")  # noqa: B009 - not known to mypy

        def note(
            self: object,
            texts: list[str],
            tokenized: object,
            original: object = original,
            name: str = name,
        ) -> list[Prediction]:
            uses.append((name, len(texts)))
            assert callable(original)
            predictions: list[Prediction] = original(self, texts, tokenized)
            return predictions

        monkeypatch.setattr(predictor, "_predict", note)
    return uses


def flatten(windows: Iterator[list[Prediction]]) -> list[Prediction]:
    return [prediction for window in windows for prediction in window]


def assert_same(found: list[Prediction], expected: list[Prediction]) -> None:
    assert [each.text for each in found] == [each.text for each in expected]
    for prediction, other in zip(found, expected, strict=True):
        assert prediction.probs == pytest.approx(other.probs, abs=1e-6)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(5, [("numpy", 5)]), (4, [("torch", 5)]), (1, [("torch", 5)])],
)
def test_one_runtime_predicts_all_texts_of_a_file(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    used: Used,
    limit: int,
    expected: Used,
) -> None:
    monkeypatch.setattr(runtime, "MAX_LIGHT_TEXTS", limit)
    found = flatten(RunPredictor(run, CPU).stream(CHUNKS))
    assert used == expected
    full, _ = load_full(run, CPU)
    assert_same(found, flatten(full.stream(CHUNKS)))


def test_a_live_stream_changes_the_runtime_after_its_first_texts(
    run: Path, monkeypatch: pytest.MonkeyPatch, used: Used
) -> None:
    monkeypatch.setattr(runtime, "MAX_LIGHT_TEXTS", 3)
    found = flatten(RunPredictor(run, CPU).stream_live(CHUNKS))
    assert used == [("numpy", 2), ("torch", 2), ("torch", 1)]
    full, _ = load_full(run, CPU)
    assert_same(found, flatten(full.stream(CHUNKS)))


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_a_live_stream_is_answered_before_more_of_it_is_read(
    run: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(runtime, "MAX_LIGHT_TEXTS", limit)
    remaining = iter(CHUNKS)
    windows = RunPredictor(run, CPU).stream_live(remaining)
    assert len(next(windows)) == 2
    assert next(remaining) == CHUNKS[1]


def test_a_run_that_changes_on_disk_does_not_change_a_stream(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "MAX_LIGHT_TEXTS", 2)
    full, _ = load_full(run, CPU)
    predictor = RunPredictor(run, CPU)
    (run / "model.safetensors").unlink()
    found = flatten(predictor.stream_live(CHUNKS))
    assert_same(found, flatten(full.stream(CHUNKS)))


def test_options_reach_both_runtimes(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "MAX_LIGHT_TEXTS", 2)
    options = PredictOptions("cpu", min_confidence=1.0)
    found = flatten(RunPredictor(run, options).stream_live(CHUNKS))
    assert [prediction.answer for prediction in found] == [None] * 5


def test_attention_of_a_model_without_it_is_an_error(run: Path) -> None:
    with pytest.raises(ConfigError, match="the model has no attention weights"):
        RunPredictor(run, PredictOptions("cpu", attention=True))


def test_the_data_section_is_that_of_the_run(run: Path) -> None:
    assert RunPredictor(run, CPU).data == load_full(run, CPU)[1]


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_another_device_needs_torch(run: Path, device: str) -> None:
    assert load_light(run, device) is None


@pytest.mark.parametrize("has_accelerator", [True, False])
def test_a_run_needs_torch_where_there_may_be_an_accelerator(
    run: Path, monkeypatch: pytest.MonkeyPatch, *, has_accelerator: bool
) -> None:
    monkeypatch.setattr(
        "rnncls.machine.accelerators.may_have_accelerator", lambda: has_accelerator
    )
    assert (load_light(run, None) is None) is has_accelerator


def test_a_run_with_an_unknown_setting_needs_torch(
    run: Path, monkeypatch: pytest.MonkeyPatch, used: Used
) -> None:
    monkeypatch.setattr(
        "rnncls.inference.light.loading.find_unsupported", lambda *_: "text.new=1"
    )
    assert load_light(run, "cpu") is None
    flatten(RunPredictor(run, CPU).stream(CHUNKS))
    assert used == [("torch", 5)]


@pytest.mark.parametrize(
    "name", ["config.yaml", "vocab.txt", "labels.json", "model.safetensors"]
)
def test_a_damaged_file_is_an_error_that_names_it(run: Path, name: str) -> None:
    content = bytearray((run / name).read_bytes())
    content[-3] ^= 1
    (run / name).write_bytes(content)
    with pytest.raises(RunError, match=rf"{name}: damaged"):
        RunPredictor(run, CPU)
