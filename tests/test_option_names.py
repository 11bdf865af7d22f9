"""Messages that can reach a Python program name no option of the command line.

An error suggests arguments instead (`RnnclsError.suggestions`); `rnncls.cli.app` shows
those that the command has as its options. Complete commands may be named.
"""

import ast
import re
from pathlib import Path

import pytest

import rnncls

PACKAGE = Path(rnncls.__file__).parent
ENTRIES = [
    PACKAGE / "__init__.py",
    PACKAGE / "sklearn.py",
    *(PACKAGE / "inference/engines").glob("*.py"),
]
OPTION = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"(rnncls [a-z]+|torchrun with)( [^\s',;]+)*")

ONLY_FOR_COMMANDS = {
    "config/document.py": "overrides given as --set; Python passes a mapping",
    "config/messages.py": "overrides given as --set; Python passes a mapping",
    "data/column_guess.py": "rnncls init guesses the columns",
    "data/conversion.py": "rnncls init converts files",
    "data/headers.py": "only where the command says that it has --format",
    "data/init_config.py": "rnncls init writes a config",
    "data/readers.py": "columns that rnncls predict --keep or --text names",
    "data/small_data.py": "ends a message with a complete command",
    "evaluation/run_evaluation.py": "--id names the rows of reports",
    "inference/export/folder.py": "the commands in the files of an exported folder",
    "inference/export/page/page_export.py": "--examples names a file; Python has texts",
    "inference/export/predict_script.py": "a program with options of its own",
    "inference/insight/explanation.py": "Python checks the label beforehand",
}
"""Modules whose messages with options reach no Python program, and why."""


class _Texts(ast.NodeVisitor):
    """Collects the texts of a module but docstrings; `{}` is a value put into one."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pieces = [
            str(piece.value) if isinstance(piece, ast.Constant) else "{}"
            for piece in node.values
        ]
        self.texts.append("".join(pieces))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.append(node.value)


def list_texts_with_options(code: str) -> list[str]:
    visitor = _Texts()
    visitor.visit(ast.parse(code))
    return [text for text in visitor.texts if OPTION.search(COMMAND.sub("", text))]


def list_imported_files(file: Path) -> list[Path]:
    files = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package, _, path = (node.module or "").partition(".")
            if package == "rnncls":
                files.append(PACKAGE / f"{path.replace('.', '/')}.py")
    return [file for file in files if file.is_file()]


def find_files_for_python() -> list[Path]:
    """Return the files that a Python program can import, also inside functions."""
    found: set[Path] = set()
    waiting = [*ENTRIES]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += list_imported_files(file)
    return sorted(found)


@pytest.mark.parametrize(
    ("code", "num_found"),
    [
        ('raise E("use --device cpu")', 1),
        ('raise E(f"{path}: use --device cpu")', 1),
        ('raise E(f"{path}: continue with rnncls train --resume --out {path}")', 0),
        ('raise E("see rnncls eval, or name another one with --data")', 1),
        ('def f():\n    """Do what `--device cpu` does."""', 0),
        ('raise E("a -- b, ---, and state-of-the-art")', 0),
    ],
)
def test_options_are_found_outside_docstrings_and_commands(
    code: str, num_found: int
) -> None:
    assert len(list_texts_with_options(code)) == num_found


def test_no_message_for_python_names_an_option() -> None:
    files = find_files_for_python()
    assert not any("cli" in file.relative_to(PACKAGE).parts for file in files)
    found = {
        file.relative_to(PACKAGE).as_posix(): texts
        for file in files
        if (texts := list_texts_with_options(file.read_text("utf-8")))
    }
    assert {name: found[name] for name in found.keys() - ONLY_FOR_COMMANDS} == {}
    assert ONLY_FOR_COMMANDS.keys() - found.keys() == set()
