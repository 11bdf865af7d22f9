"""The program: its commands, and what `rnncls --help` says of them."""

import importlib
from pathlib import Path

import pytest

from rnncls import cli as package
from rnncls.cli.app import PANELS, TOOLS
from tests.cli.conftest import Cli

COMMANDS = {
    name: command for panel in PANELS.values() for name, command in panel.items()
}


def test_every_module_with_a_command_is_in_the_program() -> None:
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    with_a_command = {
        name
        for name in modules
        if hasattr(importlib.import_module(f"rnncls.cli.{name}"), f"{name}_command")
    }
    assert with_a_command == {*COMMANDS, "doctor"}


@pytest.mark.parametrize("name", [*COMMANDS, *TOOLS, "doctor"])
def test_every_command_has_a_help_page(cli: Cli, name: str) -> None:
    exit_code, stdout, _ = cli(name, "--help")
    assert (exit_code, f"Usage: rnncls {name}" in stdout) == (0, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_text_of_a_command_is_its_docstring(cli: Cli, name: str) -> None:
    first_line, *_ = (COMMANDS[name].__doc__ or "").splitlines()
    first_words = first_line.split()[:5]
    for arguments in (["--help"], [name, "--help"]):
        stdout = " ".join(cli(*arguments).stdout.replace("│", " ").split())
        assert " ".join(first_words) in stdout
