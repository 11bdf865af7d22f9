"""`rnncls.evaluate`: what `rnncls eval --json` prints, without a file."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import rnncls
from rnncls import ConfigError, DataError, RunError
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"split": "Test"},
            "split: expected 'train', 'valid' or 'test', found 'Test'",
        ),
        ({"split": 5}, "split: expected 'train', 'valid' or 'test', found 5"),
        ({"data": 5}, "data: expected a labelled file, or None, found 5"),
        (
            {"unknown_labels": "foo"},
            "unknown_labels: expected 'error', 'skip' or 'wrong', found 'foo'",
        ),
        ({"label": 5}, "label: expected the name of a column, found 5"),
        ({"text": 5}, "text: expected a column or a list of columns, found 5"),
        (
            {"text": "body"},
            "text and label name columns of another file: only allowed with data",
        ),
    ],
    ids=str,
)
def test_wrong_arguments_are_reported(
    toy_run: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        rnncls.evaluate(toy_run, **arguments)
    assert str(caught.value) == message


def test_another_file_may_have_other_columns(
    toy_run: Path, toy_csv: Path, tmp_path: Path
) -> None:
    header, rows = toy_csv.read_text().split("\n", 1)
    assert sorted(header.split(",")) == ["description", "label", "title"]
    renamed = header.replace("title", "subject").replace("label", "topic")
    file = tmp_path / "renamed.csv"
    file.write_text(f"{renamed}\n{rows}")
    expected = rnncls.evaluate(toy_run, data=toy_csv)
    columns = ["subject", "description"]
    scores = rnncls.evaluate(toy_run, data=file, text=columns, label="topic")
    assert scores["accuracy"] == expected["accuracy"]


def test_a_missing_run_is_reported() -> None:
    with pytest.raises(RunError, match="no such run folder"):
        rnncls.evaluate("nothing")


def test_unknown_labels_are_reported_without_an_option(
    toy_run: Path, toy_csv: Path, tmp_path: Path
) -> None:
    file = tmp_path / "other.csv"
    file.write_text(toy_csv.read_text("utf-8") + "a,b,weather\n", "utf-8")
    with pytest.raises(DataError) as caught:
        rnncls.evaluate(toy_run, data=file)
    message = str(caught.value)
    assert message.endswith("evaluate with these rows skipped or counted as wrong")
    assert "--" not in message
    assert caught.value.suggestions == {"unknown_labels": "skip or wrong"}


def test_missing_columns_are_reported_without_an_option(
    toy_run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "other.csv"
    file.write_text("body,label\nmeet,sport\n", "utf-8")
    with pytest.raises(DataError, match=r"of the file, or rename these$") as caught:
        rnncls.evaluate(toy_run, data=file)
    assert "--" not in str(caught.value)
    assert caught.value.suggestions == {"text": "COLUMN"}


def test_the_program_keeps_its_threads(toy_run: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    rnncls.evaluate(toy_run)
    num_after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert num_after == 3
