"""Errors that reach a Python program name its arguments, not options of a command."""

import ast
from pathlib import Path

import pytest

import rnncls
from rnncls import DataError, DeviceError, RunError
from rnncls.config.python_messages import PYTHON_WORDING, name_python_arguments

PACKAGE = Path(rnncls.__file__).parent


def list_texts(file: Path) -> list[str]:
    """Return the texts of a module; each value that is put into one is `train`."""
    texts = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        if isinstance(node, ast.JoinedStr):
            pieces = [
                str(piece.value) if isinstance(piece, ast.Constant) else "train"
                for piece in node.values
            ]
            texts.append("".join(pieces))
    return texts


def test_every_phrase_is_that_of_a_message() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if file.stem != "python_messages"]
    texts = "\n".join(text for file in files for text in list_texts(file))
    assert [phrase for phrase in PYTHON_WORDING if phrase not in texts] == []


def test_the_error_stays_the_same_but_for_its_wording() -> None:
    error = DeviceError("mps: not here; use --device cpu or --device auto")
    with pytest.raises(DeviceError) as caught, name_python_arguments():
        raise error
    assert caught.value is error
    assert str(error) == "mps: not here; use device='cpu' or device='auto'"


def test_unknown_labels_are_skipped_by_an_argument(
    toy_run: Path, toy_csv: Path, tmp_path: Path
) -> None:
    file = tmp_path / "other.csv"
    file.write_text(toy_csv.read_text("utf-8") + "a,b,weather\n", "utf-8")
    with pytest.raises(DataError) as caught:
        rnncls.evaluate(toy_run, data=file)
    message = str(caught.value)
    assert message.endswith(": unknown_labels='skip' or 'wrong'")
    assert "--" not in message


def test_missing_columns_are_named_by_an_argument(
    toy_run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "other.csv"
    file.write_text("body,label\nmeet,sport\n", "utf-8")
    with pytest.raises(DataError, match=r"\(rnncls\.evaluate: text=\)") as caught:
        rnncls.evaluate(toy_run, data=file)
    assert "--" not in str(caught.value)


def test_a_missing_run_is_trained_by_a_function() -> None:
    with pytest.raises(RunError, match=r"train one with rnncls\.train, or name its"):
        rnncls.load()
