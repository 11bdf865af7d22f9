"""File and run names that are given where a text is expected."""

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import NEWEST, Cli

pytestmark = pytest.mark.usefixtures("run_path")

COMMANDS = ["predict", "explain", "gates"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["toy.csv", "./toy.csv", "runs/toy/README.md"])
def test_a_file_given_as_a_text_is_an_error_that_names_the_option(
    cli: Cli, command: str, name: str
) -> None:
    option = "--input" if command == "predict" else "--data"
    done = cli(command, name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name} is a file, not a text" in done.stderr
    assert f"use {option} {name}" in done.stderr
    assert f"all options before: rnncls {command} [OPTIONS] -- {name}" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_given_before_the_text_is_the_run(cli: Cli, command: str) -> None:
    named = cli(command, "--run", "runs/toy", "rovers meet oslo")
    Path("runs/latest").unlink()
    assert cli(command, "runs/toy", "rovers meet oslo") == named
    assert named.exit_code == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "arguments", [["runs/toy"], ["--run", "runs/toy", "runs/toy"]], ids=" ".join
)
def test_a_run_given_as_the_text_is_an_error_that_names_run(
    cli: Cli, command: str, arguments: list[str]
) -> None:
    done = cli(command, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "runs/toy is a run folder, not a text" in done.stderr
    assert "--run runs/toy" in done.stderr


def test_a_run_after_the_first_text_or_after_dashes_is_not_the_run(cli: Cli) -> None:
    assert "is a run folder, not a text" in cli("predict", "oslo", "runs/toy").stderr
    assert cli("predict", "--", "runs/toy", "oslo").stdout.count("\n") == 2
    done = cli("predict", "--", "oslo", "--run", "runs/toy")
    assert done.stdout.count("\n") == 3
    assert "--run comes after --, so it is read as a text" in done.stderr


def test_two_different_runs_or_texts_are_refused(cli: Cli) -> None:
    done = cli("gates", "runs/toy", "oslo", "--run", "runs/other")
    assert done.exit_code == 2
    assert "--run: found runs/other, and runs/toy as an argument" in done.stderr
    done = cli("gates", "oslo", "rovers")
    assert done.exit_code == 2
    assert "expected one text, found 2 arguments" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_after_dashes_is_a_text(cli: Cli, command: str) -> None:
    done = cli(command, "--", "toy.csv")
    assert (done.exit_code, done.stderr) == (0, NEWEST)


@pytest.mark.parametrize(
    "text",
    ["rovers", "rovers meet oslo", "x " * 5_000, "", "a\0b", ".", "/"],
)
def test_words_are_texts_even_if_a_folder_is_called_so(cli: Cli, text: str) -> None:
    Path("rovers").mkdir()
    done = cli("predict", text)
    assert (done.exit_code, done.stderr) == (0, NEWEST)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", ["Makefile", "rovers meet oslo"])
def test_words_are_texts_with_a_note_if_a_file_is_called_so(
    cli: Cli, command: str, text: str
) -> None:
    Path(text).write_text("")
    done = cli(command, text)
    option = "--input" if command == "predict" else "--data"
    note, newest = done.stderr.splitlines()
    assert (done.exit_code, newest + "\n") == (0, NEWEST)
    start = f"note: {text} is read as a text, but there is a file of this name: to "
    assert note.startswith(start)
    assert f"use {option} {shlex.quote(text)}" in note
    assert cli(command, "--", text).stderr == NEWEST


def test_a_folder_with_a_separator_is_no_text(cli: Cli) -> None:
    done = cli("predict", "./runs/")
    assert done.exit_code == 2
    assert "runs is a folder, not a text" in done.stderr


def test_the_name_of_a_missing_data_file_is_a_text_with_a_note(cli: Cli) -> None:
    done = cli("predict", "reviews.csv")
    assert (done.exit_code, done.stdout.count("reviews.csv")) == (0, 1)
    note = "note: no file reviews.csv here: it is read as a text\n"
    assert done.stderr == note + NEWEST


def test_a_sentence_about_a_file_is_a_text(cli: Cli) -> None:
    done = cli("predict", "please read toy.csv", "see toy.csv.")
    assert (done.exit_code, done.stderr) == (0, NEWEST)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_does_not_exist_is_named_if_the_texts_are_in_a_file(
    cli: Cli, command: str
) -> None:
    options = ["--input", "toy.csv"]
    if command != "predict":
        options = ["--data", "toy.csv", "--row", "1"]
    done = cli(command, "runs/none", *options)
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("error: runs/none: no such run folder")
