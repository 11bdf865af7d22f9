"""`rnncls benchmark`: one JSON object with all promised figures."""

import json

import pytest

from rnncls.cli.benchmark import format_figure
from rnncls.reporting.benchmark import prediction, startup, training_step
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
