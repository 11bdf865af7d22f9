"""`rnncls train --from RUN`: new rows and classes, and what is said about them."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

NEW = "label,title,description\n" + "".join(
    f"weather,rain {number} falls,the crowd waits\n" for number in range(20)
)


@pytest.mark.usefixtures("run_path")
def test_new_rows_continue_a_run(cli: Cli) -> None:
    Path("new.csv").write_text(NEW)
    done = cli(
        *("train", "toy.yaml", "--set", "data.train=new.csv", "--out", "b"),
        *("--from", "runs/toy", "--replay", "0.5"),
    )
    assert done.exit_code == 0, done.stderr
    assert "1 new class beside its 2: 'weather'" in done.stderr
    lines = done.stdout.splitlines()
    start = lines.index("validation rows by class:")
    assert lines[start + 1].startswith("  2 earlier classes: accuracy ")
    assert lines[start + 2].startswith("  1 new class: accuracy ")
    assert lines[start + 3].startswith("  runs/toy itself: accuracy ")

    evaluation = cli("eval", "b", "--split", "valid")
    assert evaluation.exit_code == 0
    assert "  1 new class: accuracy " in evaluation.stdout


@pytest.mark.usefixtures("run_path")
def test_forgetting_is_named_where_no_earlier_row_exists(cli: Cli) -> None:
    Path("new.csv").write_text(NEW)
    Path("toy.csv").unlink()
    options = ["--set", "data.train=new.csv", "--out", "b", "--from", "runs/toy"]
    done = cli("train", "toy.yaml", *options)
    assert done.exit_code == 0, done.stderr
    assert "toy.csv: is missing, or has changed" in done.stderr
    assert "no training row, so the run will forget: " in done.stderr
    assert "no validation row has an earlier class" in done.stdout

    refused = cli("train", "toy.yaml", *options, "--out", "c", "--replay", "1")
    assert refused.exit_code == 3
    assert "toy.csv: is missing, or has changed" in refused.stderr


@pytest.mark.usefixtures("run_path")
def test_resume_names_the_way_for_new_rows(cli: Cli) -> None:
    Path("new.csv").write_text(Path("toy.csv").read_text() + NEW.split("\n", 1)[1])
    options = ["--set", "data.train=new.csv", "--resume", "--out", "runs/toy"]
    advice = "rnncls train --config CONFIG --from runs/toy"
    config = ["--set", "train.max_epochs=9", "--set", "train.batch_size=8"]
    refused = cli("train", "toy.yaml", *config, *options)
    assert refused.exit_code == 2
    assert advice in refused.stderr
    forced = cli("train", "toy.yaml", *config, *options, "--with-changes")
    assert forced.exit_code == 4
    assert advice in forced.stderr
    assert "'weather' (first in row " in forced.stderr


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--replay", "0.5"], "--replay is only allowed with --from"),
        (["--from", "runs/toy", "--resume"], "--from starts a new run"),
        (
            ["--from", "runs/none"],
            "runs/none: no such run: name the folder of a finished run",
        ),
        (["--from", "runs/toy", "--replay", "2"], "--replay"),
    ],
)
def test_wrong_options_are_named(cli: Cli, options: list[str], message: str) -> None:
    done = cli("train", "toy.yaml", *options)
    assert done.exit_code in {2, 4}
    assert message in done.stderr


@pytest.mark.usefixtures("run_path")
def test_an_unfinished_run_is_an_error_without_a_note(cli: Cli) -> None:
    Path("runs/toy/summary.json").unlink()
    done = cli("train", "toy.yaml", "--from", "runs/toy", "--out", "b")
    assert done.exit_code == 4
    assert done.stderr.startswith("error: runs/toy: not finished: resume its training")
    assert done.stderr.count("\n") == 1
