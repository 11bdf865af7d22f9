"""`rnncls benchmark`: one JSON object with all promised figures."""

import json

import pytest

from rnncls.reporting.benchmark import startup, training_step
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")


@pytest.mark.parametrize("name", ["train", "predict"])
def test_json_has_the_promised_figures(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(training_step, "NUM_PAIRS", 2)
    monkeypatch.setattr(training_step, "STEPS_PER_PAIR", 2)
    monkeypatch.setattr(training_step, "VOCAB_SIZE", 50)
    outcome = cli("benchmark", name, "--config", "toy.yaml", "--json")
    assert outcome.exit_code == 0
    keys = json.loads(outcome.stdout).keys()
    assert {"ratio", "tokens_per_s", "bare_tokens_per_s", "padding_share"} <= keys
    assert (name == "train") == (
        {"save_s", "save_best_s", "save_mib", "save_share"} <= keys
    )


def test_startup_times_three_commands(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "_run", lambda command: len(command) / 10)
    outcome = cli("benchmark", "startup", "--config", "toy.yaml")
    assert outcome.exit_code == 0
    assert "config_error_ratio" in outcome.stdout
