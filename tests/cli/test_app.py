"""The program: its commands, and what `rnncls --help` says of them."""

import importlib
from itertools import pairwise
from pathlib import Path

import pytest

from rnncls import cli as package
from rnncls.cli.app import PANELS
from tests.cli.conftest import Cli

NAMES = [name for names in PANELS.values() for name in names]
MODULES = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
COMMANDS = {
    name: getattr(
        importlib.import_module(f"rnncls.cli.{name}"), f"{name}_command", None
    )
    for name in sorted(MODULES - {"__init__"})
}


def test_every_module_with_a_command_is_in_the_program() -> None:
    with_a_command = {
        name.replace("_", "-") for name, command in COMMANDS.items() if command
    }
    assert with_a_command | {"config", "benchmark"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_help_page(cli: Cli, name: str) -> None:
    exit_code, stdout, _ = cli(name, "--help")
    assert (exit_code, f"Usage: rnncls {name}" in stdout) == (0, True)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"config", "benchmark"}))
def test_the_help_text_of_a_command_is_its_docstring(cli: Cli, name: str) -> None:
    command = COMMANDS[name.replace("-", "_")]
    first_line, *_ = (command.__doc__ or "").splitlines()
    first_words = first_line.split()[:5]
    for arguments in (["--help"], [name, "--help"]):
        stdout = " ".join(cli(*arguments).stdout.replace("│", " ").split())
        assert " ".join(first_words) in stdout


@pytest.mark.parametrize("name", ["init", "inspect"])
def test_a_help_text_has_no_line_end_inside_a_sentence(cli: Cli, name: str) -> None:
    lines = cli(name, "--help").stdout.split("╭")[0].splitlines()
    text = [line.strip() for line in lines if line.strip()]
    for line, following in pairwise(text[1:]):
        word = following.split()[0]
        fits = len(f" {line} {word} ") <= 80
        assert line.endswith(".") or not fits


@pytest.mark.usefixtures("workplace")
def test_what_an_error_suggests_is_named_if_the_command_has_it(cli: Cli) -> None:
    Path("my.csv").write_text("")
    message = "my.csv: is a data file, not a run folder: "
    endings = {"eval": "(--data FILE)\n", "check": "(--input FILE)\n"}
    for command, ending in {**endings, "anytime": "separately\n"}.items():
        exit_code, _, stderr = cli(command, "my.csv")
        assert exit_code == 4
        assert message in stderr
        assert stderr.endswith(ending)


def test_a_mistyped_command_is_named_with_the_nearest_one(cli: Cli) -> None:
    assert "Did you mean 'train'" in cli("trian").stderr
