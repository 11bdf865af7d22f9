"""`rnncls benchmark`: one JSON object with the figures that are promised."""

import json

import pytest

from rnncls.reporting import benchmark
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")


@pytest.mark.parametrize("name", ["train", "predict"])
def test_json_has_the_promised_figures(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(benchmark, "NUM_PAIRS", 2)
    monkeypatch.setattr(benchmark, "STEPS_A_PAIR", 2)
    monkeypatch.setattr(benchmark, "VOCAB_SIZE", 50)
    outcome = cli("benchmark", name, "--config", "toy.yaml", "--json")
    assert outcome.exit_code == 0
    found = json.loads(outcome.stdout).keys()
    assert {"ratio", "tokens_per_s", "bare_tokens_per_s", "padding_share"} <= found
    assert (name == "train") == (
        {"save_s", "save_best_s", "save_mib", "save_share"} <= found
    )


def test_startup_times_three_commands(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "_run", lambda command: len(command) / 10)
    outcome = cli("benchmark", "startup", "--config", "toy.yaml")
    assert outcome.exit_code == 0
    assert "config_error_ratio" in outcome.stdout
