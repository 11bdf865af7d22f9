"""`rnncls inspect`: tables, JSON and a page, of a config or of a bare file."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_config_is_inspected_in_80_columns(cli: Cli) -> None:
    exit_code, stdout, _ = cli("inspect", "toy.yaml")
    assert exit_code == 0
    assert "96 of 96 (100.00%): test rows also occur in the training rows" not in stdout
    assert "rows also occur in the training rows" in stdout
    assert max(map(len, stdout.splitlines())) <= 80


def test_json_is_one_object_with_the_counts_of_the_file(cli: Cli) -> None:
    found = json.loads(cli("inspect", "toy.yaml", "--json").stdout)
    assert found["classes"]["test"] == {"sport": 48, "world": 48}
    assert (
        sum(sum(found["classes"][split].values()) for split in ("train", "valid")) == 96
    )
    lines = Path("toy.csv").read_text().splitlines()[1:]
    longest = max(len(line.replace(",", " ").split()) - 1 for line in lines)
    assert found["lengths"]["test"]["longest"] == longest


def test_a_key_can_be_changed(cli: Cli) -> None:
    found = json.loads(
        cli("inspect", "toy.yaml", "--json", "--set", "text.max_tokens=3").stdout
    )
    assert (found["max_tokens"], found["lengths"]["test"]["num_cut"]) == (3, 96)


def test_a_bare_file_is_inspected_and_leaves_nothing(cli: Cli) -> None:
    before = sorted(map(str, Path().iterdir()))
    exit_code, stdout, stderr = cli("inspect", "toy.csv", "--json", "--no-cache")
    assert exit_code == 0
    assert sum(json.loads(stdout)["classes"]["train"].values()) > 50
    assert "to choose others" in stderr
    assert sorted(map(str, Path().iterdir())) == before


def test_a_page_is_written_beside_what_is_printed(cli: Cli) -> None:
    _, stdout, stderr = cli("inspect", "toy.yaml", "--html", "toy.html")
    assert stdout
    assert stderr.endswith("toy.html: written\n")
    assert Path("toy.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_help_says_that_test_rows_are_read_and_select_nothing(cli: Cli) -> None:
    words = " ".join(cli("inspect", "--help").stdout.replace("│", " ").split())
    assert "The test rows are read too" in words
    assert "They select neither a model nor a setting" in words


def test_a_wrong_file_leaves_with_3(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("inspect", "none.csv")
    assert (exit_code, stdout, stderr) == (
        3,
        "",
        "error: none.csv: no such file or folder; looked in"
        f" {Path.cwd()}, the folder in which the command runs\n",
    )
