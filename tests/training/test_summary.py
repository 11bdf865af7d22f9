"""The end of a training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnncls.config.sections import Config
from rnncls.runs.folder import RunFolder
from rnncls.training.run import train
from rnncls.training.summary import finish_run
from tests.builders import RESUME

MakeConfig = Callable[..., Config]


def test_results_of_the_weights_before_the_end_are_deleted(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rnncls eval` of a run in training writes figures of an earlier epoch."""
    path = tmp_path / "run"

    def evaluate_and_finish(*arguments: Any, **options: Any) -> dict[str, Any]:
        for name in ("eval-test.json", "report.html", "confusion-test.csv"):
            (path / name).write_text(json.dumps({"accuracy": 0.5}))
        return finish_run(*arguments, **options)

    monkeypatch.setattr("rnncls.training.run.finish_run", evaluate_and_finish)
    train(make_config(), path)
    folder = RunFolder(path)
    assert set(folder.results()) == {folder.summary, folder.card}


def test_results_of_a_finished_run_stay_if_nothing_is_left_to_do(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    train(make_config(), path)
    (path / "eval-test.json").write_text("{}")
    train(make_config(), path, RESUME)
    assert (path / "eval-test.json").exists()
