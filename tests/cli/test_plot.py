"""`rnncls plot`: learning curves as characters and as a picture."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_a_run_has_a_chart_of_loss_and_one_of_accuracy(
    cli: Cli, run_path: Path
) -> None:
    exit_code, stdout, stderr = cli("plot", str(run_path))
    assert (exit_code, stderr) == (0, "")
    assert "loss by epoch" in stdout
    assert "accuracy by epoch" in stdout
    assert max(map(len, stdout.splitlines())) < 80


def test_several_runs_share_a_chart(cli: Cli, run_path: Path) -> None:
    shutil.copytree(run_path, "runs/other")
    _, stdout, stderr = cli(
        "plot", str(run_path), "runs/other", "--output", "curves.png"
    )
    assert stderr == "curves.png: written\n"
    assert "1  toy" in stdout
    assert "2  other" in stdout
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_newest_run_is_the_default(cli: Cli, run_path: Path) -> None:
    assert cli("plot").stdout == cli("plot", str(run_path)).stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "metrics.jsonl has no rows yet"), ("{", "a row is not JSON")],
)
def test_a_run_without_rows_is_named(
    cli: Cli, run_path: Path, text: str, message: str
) -> None:
    (run_path / "metrics.jsonl").write_text(text)
    outcome = cli("plot", str(run_path))
    assert outcome.exit_code == 4
    assert message in outcome.stderr


@pytest.mark.usefixtures("run_path")
def test_a_folder_that_is_no_run_is_named(cli: Cli) -> None:
    done = cli("plot", "runs")
    assert (done.exit_code, done.stdout) == (4, "")
    assert "runs: has no metrics.jsonl: not a run folder" in done.stderr
