"""`rnncls.evaluate`: what `rnncls eval --json` prints, without a file."""

import json
import sys
from pathlib import Path

import pytest
import torch

import rnncls
from rnncls import ConfigError, RunError
from rnncls.cli.main import run


def test_the_result_is_that_of_the_command(
    toy_run: Path,
    toy_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = sorted(toy_run.iterdir())
    by_split = rnncls.evaluate(toy_run, split="valid")
    by_file = rnncls.evaluate(str(toy_run), data=toy_csv)
    assert sorted(toy_run.iterdir()) == files
    command = ["rnncls", "eval", str(toy_run), "--split", "valid", "--json"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        run()
    printed = json.loads(capsys.readouterr().out)
    assert json.loads(json.dumps(by_split)) == printed
    assert by_file["data"]["num_rows"] == 200
    assert rnncls.evaluate()["data"]["split"] == "test"


def test_a_split_and_a_file_exclude_each_other(toy_run: Path, toy_csv: Path) -> None:
    with pytest.raises(ConfigError, match="give one of them"):
        rnncls.evaluate(toy_run, split="test", data=toy_csv)


def test_a_missing_run_is_reported() -> None:
    with pytest.raises(RunError, match="no such run folder"):
        rnncls.evaluate("nothing")


def test_the_program_keeps_its_threads(toy_run: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    rnncls.evaluate(toy_run)
    num_after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert num_after == 3
