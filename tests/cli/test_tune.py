"""`rnncls tune`: what it prints and leaves, and that Ctrl-C and a kill lose nothing but
the trial under way."""

import json
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import yaml

from rnncls.cli.tune import count_line, show
from rnncls.training.trials import DIVERGED
from tests.cli.conftest import Cli, start

pytestmark = pytest.mark.usefixtures("workplace")
SMALL = ("--set", "train.max_epochs=1")


def test_the_best_config_is_told_and_trains(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("tune", "toy.yaml", *SMALL, "--trials", "1")
    assert exit_code == 0
    assert "│ 0     │" in stdout
    assert re.search(
        r"best\.yaml: trial 0, accuracy 0\.\d{4} \(0\.\d{4} to 0\.\d{4}\) of 20 rows\n",
        stdout,
    )
    assert stdout.endswith("train it with: rnncls train --config tuning/best.yaml\n")
    assert re.fullmatch(r"trial 0  accuracy 0\.\d{4}  0\.0 MB  \d+ s  best\n", stderr)
    assert (
        cli("train", "--config", "tuning/best.yaml", "--out", "runs/best").exit_code
        == 0
    )


def test_json_is_what_is_kept(cli: Cli) -> None:
    command = (
        "tune",
        "toy.yaml",
        *SMALL,
        "--trials",
        "1",
        "--metric",
        "macro_f1",
        "--out",
        "a",
        "--json",
    )
    found = json.loads(cli(*command).stdout)
    kept = json.loads(Path("a/tuning.json").read_text())
    assert {key: kept[key] for key in found} == found
    assert found["goal"] == {
        "metric": "macro_f1",
        "max_size_mb": None,
        "num_folds": None,
    }
    assert (
        yaml.safe_load(Path("a/best.yaml").read_text())["train"]["monitor"]
        == "macro_f1"
    )


def test_a_search_that_is_there_is_not_begun_anew(cli: Cli) -> None:
    Path("tuning").mkdir()
    Path("tuning/mine.txt").write_text("mine")
    exit_code, _, stderr = cli("tune", "toy.yaml", *SMALL, "--trials", "1")
    assert (exit_code, stderr) == (
        2,
        (
            "error: tuning: already exists; choose another folder, or resume the run"
            " in it (--out FOLDER, --resume)\n"
        ),
    )


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)],
)
def test_a_search_that_is_ended_goes_on(cli: Cli, number: signal.Signals) -> None:
    with start(
        "tune", "toy.yaml", "--minutes", "5", "--set", "train.max_epochs=1"
    ) as process:
        deadline = time.monotonic() + 60
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and not began_a_second_trial()
        ):
            time.sleep(0.01)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert re.search(
            r"interrupted: stopped after \d+ trials( \(one more had begun and does not"
            r" count\))?; everything is saved: repeat the command with"
            r" --resume --out tuning",
            stderr,
        )
    exit_code, stdout, _ = cli(
        "tune", "toy.yaml", *SMALL, "--trials", "3", "--resume", "--json"
    )
    assert exit_code == 0
    assert len(json.loads(stdout)["trials"]) >= 3


def began_a_second_trial() -> bool:
    journal = Path("tuning/last/journal.log")
    return journal.exists() and journal.read_text().count('"ended"') >= 1


def test_what_is_printed_names_what_was_changed_and_how_each_trial_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"model.cell": "lstm", "train.lr": 0.003}
    rows = [
        {"trial": 0, "ended": "completed", "scores": {"loss": 0.5}, "values": given},
        {"trial": 1, "ended": DIVERGED, "scores": None, "values": given},
        {
            "trial": 2,
            "ended": "completed",
            "scores": {"loss": 0.4},
            "values": {"model.cell": "gru", "train.lr": 0.01234},
        },
    ]
    rows = [{**row, "size_mb": 1.26, "seconds": 3.4} for row in rows]
    importance = {"train.lr": 0.75, "model.cell": 0.25}
    result = {
        "trials": rows,
        "best": rows[2],
        "given": given,
        "goal": {"metric": "loss"},
        "seconds": 10.2,
    }
    found = {
        "importance": importance,
        "num_rows": 1200,
        "accuracy_interval": (0.5, 0.6),
    }
    show({**result, **found}, Path("tuning/best.yaml"))
    lines = capsys.readouterr().out.splitlines()
    table = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in lines
        if line.startswith("│")
    ]
    assert table == [
        ["2", "0.4000", "1.3", "3", "cell gru, lr 0.0123"],
        ["0", "0.5000", "1.3", "3", "nothing"],
    ]
    assert lines[-5:] == [
        "3 trials in 10 s: 2 completed, 1 diverged",
        "most important keys: train.lr 75%, model.cell 25%",
        "tuning/best.yaml: trial 2, loss 0.4000 of 1,200 rows",
        "this score is optimistic: the same rows selected the config; expect less on"
        " other rows",
        "train it with: rnncls train --config tuning/best.yaml",
    ]
    assert count_line({**result, "num_cut_off": 1}, 64.2) == (
        "3 trials in 10 s: 2 completed, 1 diverged; one more was stopped at the time"
        " limit and does not count; 64 s in all"
    )


@pytest.mark.usefixtures("workplace")
def test_that_no_better_setting_was_found_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"train.lr": 0.003}
    row = {"trial": 0, "ended": "completed", "scores": {"loss": 0.5}, "values": given}
    row |= {"size_mb": 1.26, "seconds": 3.4}
    result = {
        "trials": [row],
        "best": row,
        "given": given,
        "goal": {"metric": "loss"},
        "seconds": 3.4,
        "importance": None,
        "num_rows": 1200,
    }
    show(result, Path("tuning/best.yaml"))
    message = "no better setting was found: trial 0, the config as it was given, is the"
    assert message in capsys.readouterr().out


def test_a_missing_optuna_is_reported_with_what_to_do(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("study", "trials", "tuning"):
        monkeypatch.delitem(sys.modules, f"rnncls.training.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, stderr = cli("tune", "toy.yaml", "--trials", "1")
    assert code == 2
    assert (
        stderr
        == "error: rnncls tune needs Optuna: install it with pip install 'optuna>=4'\n"
    )
