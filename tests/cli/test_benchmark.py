"""`rnncls benchmark`: one JSON object with all promised figures."""

import json
import shutil
from pathlib import Path

import pytest

from rnncls.cli.benchmark import format_figure
from rnncls.cli.reporting.benchmark import (
    formats,
    latency,
    prediction,
    startup,
    training_step,
)
from rnncls.runs.portable import load_portable
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")


@pytest.mark.parametrize("name", ["train", "predict"])
def test_json_has_the_promised_figures(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(prediction, "TEXTS_PER_PAIR", 200)
    monkeypatch.setattr(training_step, "NUM_PAIRS", 2)
    monkeypatch.setattr(training_step, "STEPS_PER_PAIR", 2)
    monkeypatch.setattr(training_step, "VOCAB_SIZE", 50)
    outcome = cli("benchmark", name, "--config", "toy.yaml", "--json")
    assert outcome.exit_code == 0
    keys = json.loads(outcome.stdout).keys()
    assert {"ratio", "tokens_per_s", "bare_tokens_per_s", "padding_share"} <= keys
    assert (name == "predict") == ({"latency_ms", "latency_p99_ms"} <= keys)
    assert (name == "train") == (
        {"save_s", "save_best_s", "save_mib", "save_share"} <= keys
    )


def test_startup_times_short_commands(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "_run", lambda command: len(command) / 10)
    outcome = cli("benchmark", "startup", "--config", "toy.yaml")
    assert outcome.exit_code == 0
    assert "config_error_ratio" in outcome.stdout
    assert "predict_light_ratio" in outcome.stdout


def test_formats_are_measured_on_the_same_texts(
    cli: Cli, run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "NUM_PASSES", 1)
    monkeypatch.setattr(latency, "NUM_TIMED", 5)
    monkeypatch.setattr(formats, "_time_start", lambda command: len(command) / 10)
    arguments = ("benchmark", "formats", str(run_path), "--texts", "20")
    exit_code, stdout, stderr = cli(*arguments, "--json")
    assert (exit_code, stderr) == (0, "")
    result = json.loads(stdout)
    rows = {row["format"]: row for row in result["formats"]}
    assert result["num_texts"] == 20
    assert list(rows) == [
        *("torch", "numpy", "onnx float32", "onnx float16", "onnx int8", "page int8")
    ]
    assert rows["torch"]["num_changed"] == rows["onnx float32"]["num_changed"] == 0
    assert rows["onnx int8"]["size_bytes"] < rows["onnx float32"]["size_bytes"]
    has_times = shutil.which("node") is not None
    assert (rows["page int8"]["latency_ms"] is not None) == has_times
    for row in rows.values():
        low, high = row["accuracy_interval"]
        assert 0 <= low <= row["accuracy"] <= high <= 1
    table = formats.tabulate_formats(result)
    assert table.row_count == 6


def test_the_processes_that_are_timed_predict_a_text(
    run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "NUM_STARTS", 1)
    classifier = load_portable(run_path)
    for format_ in formats._iter_formats(run_path, classifier, tmp_path):
        if format_.name in {"numpy", "onnx int8"}:
            assert format_.command is not None
            assert formats._time_start(format_.command) > 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.87654, "0.877"),
        (1.0, "1"),
        (42.0486, "42"),
        (486_512.7, "486,513"),
        ((2.0832875615787856, 46.487510132745705), "2.08 to 46.5"),
        ([0.5, 123.4], "0.5 to 123"),
        (2, "2"),
        ("x86_64", "x86_64"),
    ],
)
def test_figures_are_rounded_for_people(value: object, shown: str) -> None:
    assert format_figure(value) == shown
