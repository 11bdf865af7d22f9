"""Outputs replace files of their own kind only."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from tests.cli.conftest import Cli

ENDINGS = [".csv", ".tsv", ".jsonl", ".parquet", ".txt", ""]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.usefixtures("run_path")
def test_predictions_are_replaced(cli: Cli, ending: str) -> None:
    path = Path(f"out{ending}")
    path.touch()
    assert cli("predict", "oslo", "--output", str(path)).exit_code == 0
    before = path.read_bytes()
    assert cli("predict", "oslo", "snow", "--output", str(path)).exit_code == 0
    assert len(path.read_bytes()) > len(before) > 0


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.usefixtures("run_path")
def test_another_file_is_kept(cli: Cli, ending: str) -> None:
    path = Path(f"mine{ending}")
    if ending == ".parquet":
        pa_parquet.write_table(pa.table({"label": ["a"], "text": ["b"]}), path)
    else:
        path.write_text("id,label,text\n1,a,b\n")
    before = path.read_bytes()
    done = cli("predict", "oslo", "--output", str(path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"--output: {path} already exists, and " in done.stderr
    assert "choose another name, or delete the file first" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.usefixtures("run_path")
def test_a_file_of_one_word_is_replaced(cli: Cli, ending: str) -> None:
    path = Path(f"out{ending}")
    path.write_text("old\n")
    assert cli("predict", "oslo", "--output", str(path)).exit_code == 0


@pytest.mark.usefixtures("run_path")
def test_the_missing_column_is_named(cli: Cli) -> None:
    Path("mine.csv").write_text("id,label,text\n1,a,b\n")
    done = cli("predict", "oslo", "--output", "mine.csv")
    assert done.stderr.endswith(
        "error: --output: mine.csv already exists, and does not hold predictions (it"
        " has no column prob): choose another name, or delete the file first\n"
    )


@pytest.mark.usefixtures("run_path")
def test_the_data_of_the_run_is_named_as_such(cli: Cli) -> None:
    before = Path("toy.csv").read_bytes()
    done = cli("predict", "oslo", "--output", "toy.csv")
    assert done.exit_code == 2
    assert done.stderr.endswith(
        "error: --output: toy.csv is a data file of the run, which other commands read"
        " again: choose another name\n"
    )
    assert Path("toy.csv").read_bytes() == before


@pytest.mark.usefixtures("workplace")
def test_findings_replace_findings_only(cli: Cli) -> None:
    inspect = ["inspect", "toy.yaml", "--csv"]
    for _ in range(2):
        assert cli(*inspect, "all.csv").exit_code == 0
    Path("mine.csv").write_text("row,label,text\n1,a,b\n")
    done = cli(*inspect, "mine.csv")
    assert done.exit_code == 2
    assert "--csv: mine.csv already exists, and does not hold findings" in done.stderr
    assert Path("mine.csv").read_text() == "row,label,text\n1,a,b\n"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
@pytest.mark.usefixtures("run_path")
def test_stdout_can_be_named_as_the_output() -> None:
    command = [sys.executable, "-m", "rnncls", "predict", "-"]
    command += ["--output", "/dev/stdout"]
    done = subprocess.run(
        command, input=b"oslo\n", capture_output=True, env=os.environ, check=True
    )
    lines = done.stdout.decode().splitlines()
    assert [line.split("\t")[2] for line in lines] == ["oslo"]
    assert b"/dev/stdout: 1 prediction" in done.stderr
