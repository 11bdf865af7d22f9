"""`rnncls plot`: learning curves as characters and as a picture."""

import shutil
from pathlib import Path

import pytest

from rnncls.reporting.terminal_chart import Curve, Series, chart_lines, draw
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
    [("", "has no row in metrics.jsonl yet"), ("{", "a row is not JSON")],
)
def test_a_run_without_rows_is_named(
    cli: Cli, run_path: Path, text: str, message: str
) -> None:
    (run_path / "metrics.jsonl").write_text(text)
    outcome = cli("plot", str(run_path))
    assert outcome.exit_code == 4
    assert message in outcome.stderr


def test_points_stand_where_they_belong() -> None:
    lines = draw([Series("v", "validation", [(1, 1.0), (3, 0.0)])], "{:.1f}")
    assert lines[0] == "     1.0 │v··"
    assert lines[11].startswith("     0.0 │")
    assert lines[11].index("v") == 10 + 65
    assert lines[13] == " " * 10 + "1" + " " * 64 + "3"


def test_one_epoch_is_one_point() -> None:
    (line,) = [
        line
        for line in draw([Series("v", "validation", [(1, 0.5)])], "{:.2f}")
        if "v" in line
    ]
    assert line.strip() == "0.50 │v"


def test_a_language_model_has_a_chart_of_its_perplexity() -> None:
    rows = [
        {
            "epoch": n,
            "train_loss": 6.0 / n,
            "valid_loss": 6.5 / n,
            "valid_perplexity": 300.0 / n,
        }
        for n in (1, 2)
    ]
    lines = chart_lines([Curve("one", rows)])
    assert "perplexity by epoch" in lines
    assert any(line.startswith("     300 │v") for line in lines)
