"""`rnncls crossval`: what it prints and leaves."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("workplace")
COMMAND = (
    "crossval",
    "--config",
    "toy.yaml",
    "--folds",
    "2",
    "--set",
    "train.max_epochs=1",
)


def test_the_scores_of_all_rows_and_of_each_fold_are_printed(cli: Cli) -> None:
    exit_code, stdout, stderr = cli(*COMMAND, "--out", "cv")
    assert exit_code == 0
    assert stdout.startswith("cv: 2 folds of toy.csv: 96 rows\naccuracy ")
    assert [
        line.split()[1] for line in stdout.splitlines()[-6:-1] if line.startswith("│")
    ] == ["1", "2", "mean", "sd"]
    assert [line.split("  ")[0] for line in stderr.splitlines()] == [
        "fold 1/2",
        "fold 2/2",
    ]


def test_the_scores_and_the_prediction_of_each_row_are_kept(cli: Cli) -> None:
    found = json.loads(cli(*COMMAND, "--out", "cv", "--json").stdout)
    kept = json.loads(Path("cv/crossval.json").read_text())
    assert {key: kept[key] for key in found} == found
    with Path("cv/predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["row"]) for row in rows] == list(range(1, 97))
    assert sum(row["label"] == row["predicted"] for row in rows) == round(
        found["accuracy"] * 96
    )
    assert all(
        (float(row["prob sport"]) > 0.5) == (row["predicted"] == "sport")
        for row in rows
    )
    assert [sum(row["fold"] == number for row in rows) for number in "12"] == [48, 48]


def test_what_is_already_there_is_not_overwritten(cli: Cli) -> None:
    Path("cv").mkdir()
    Path("cv/mine.txt").write_text("mine")
    assert cli(*COMMAND, "--out", "cv").exit_code == 2
    assert [path.name for path in Path("cv").iterdir()] == ["mine.txt"]


def test_it_gets_a_name_of_its_own(cli: Cli) -> None:
    assert cli(*COMMAND).exit_code == 0
    assert [path.name[:4] for path in Path("crossval").iterdir()] == ["toy-"]
