"""The script that measures data sets of several languages."""

import csv
import subprocess
import sys
from pathlib import Path

import languages
import pytest

from tests.integration.test_scripts import ROOT

WORDS = {"gut": ("prima", "schön", "toll"), "schlecht": ("übel", "mies", "öde")}


def write_rows(file: Path, num_rows: int) -> None:
    """Write rows of two classes in turn, whose words differ."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", "text"])
        for number in range(num_rows):
            label = "gut" if number % 2 else "schlecht"
            word = WORDS[label][number % 3]
            writer.writerow([label, f"der Film {number % 7}\nwar {word}"])


def test_of_a_single_file_every_fifth_row_is_a_test_row(tmp_path: Path) -> None:
    write_rows(tmp_path / "set" / "all.csv", 11)
    (tmp_path / "work").mkdir()
    languages.copy_files(tmp_path / "set", tmp_path / "work", None)
    _, rows = languages.read_csv(tmp_path / "set" / "all.csv", None)
    _, train = languages.read_csv(tmp_path / "work" / "train.csv", None)
    _, test = languages.read_csv(tmp_path / "work" / "test.csv", None)
    assert test == [rows[0], rows[5], rows[10]]
    assert train == rows[1:5] + rows[6:10]


def test_a_limit_takes_rows_from_all_parts_of_a_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", 11)
    _, rows = languages.read_csv(tmp_path / "train.csv", None)
    assert languages.read_csv(tmp_path / "train.csv", 4)[1] == rows[::3]


def test_rows_without_scope_do_not_count_in_scope() -> None:
    per_class = [
        {"label": "oos", "recall": 0.1, "support": 50},
        {"label": "a", "recall": 0.5, "support": 10},
        {"label": "b", "recall": 1.0, "support": 30},
    ]
    assert languages.find_in_scope(per_class) == pytest.approx(35 / 40)
    assert languages.find_in_scope(per_class[1:]) is None


def test_the_table_has_mean_and_deviation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_set = languages.DataSet("th-wisesight", tmp_path, 1200, 300, 4, "words")
    results = [
        languages.Result("th-wisesight", "rnncls", 0.70, 0.5, None, 10.0),
        languages.Result("th-wisesight", "rnncls", 0.72, 0.5, None, 20.0),
        languages.Result("th-wisesight", "baseline", 0.714, 0.579, None, 1.0),
    ]
    languages.print_table([data_set], results)
    assert capsys.readouterr().out.splitlines()[2] == (
        "| th-wisesight | Thai | 1,200 / 300, 4 | words | 71.0 ± 1.4 | 50.0 ± 0.0"
        " | 71.4 | 57.9 | 15 |"
    )


@pytest.mark.slow
def test_both_systems_are_trained_and_scored(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "filme" / "train.csv", 200)
    write_rows(tmp_path / "data" / "filme" / "test.csv", 40)
    command = [str(ROOT / "scripts" / "languages.py"), "data", "--only", "filme"]
    done = subprocess.run(
        [sys.executable, *command, "--seeds", "2", "--jobs", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[2].startswith(
        "| filme |  | 200 / 40, 2 | words | 100.0 ± 0.0 | 100.0 ± 0.0 | 100.0 | 100.0 |"
    )
    assert "filme, rnncls, seed 2: accuracy 100.00%" in done.stderr
