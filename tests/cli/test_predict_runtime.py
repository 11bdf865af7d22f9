"""`rnncls predict` imports torch only if it has to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnncls.inference.runtime import MAX_LIGHT_TEXTS
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")

PROGRAM = """
import atexit, sys
from rnncls.cli.main import run
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
run()
"""


def imports_torch(*arguments: str, stdin: str = "") -> tuple[bool, str]:
    """Return whether `rnncls predict` imported torch, and what it printed."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, "predict", *arguments]
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    *_, answer = done.stderr.splitlines()
    return answer == "True", done.stdout


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["rovers meet oslo"], ""),
        (["rovers meet oslo", "--json", "--device", "cpu"], ""),
        (["-"], "rovers meet oslo\noslo meet rovers\n"),
        (["--input", "few.csv", "--output", "out.csv"], ""),
    ],
    ids=["text", "JSON", "stdin", "file"],
)
def test_few_texts_are_predicted_without_torch(
    arguments: list[str], stdin: str
) -> None:
    Path("few.csv").write_text("title,description\nrovers,meet oslo\n")
    is_imported, stdout = imports_torch(*arguments, stdin=stdin)
    assert not is_imported
    assert stdout


@pytest.mark.slow
def test_many_texts_are_predicted_by_torch() -> None:
    text = "oslo meet rovers\n"
    Path("many.txt").write_text(text * (MAX_LIGHT_TEXTS + 1))
    is_imported, stdout = imports_torch("--input", "many.txt")
    assert is_imported
    assert len(stdout.splitlines()) == MAX_LIGHT_TEXTS + 1


def test_both_runtimes_print_the_same(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["predict", "rovers meet oslo", "", "oslo meet zanzibar", "--json"]
    light = cli(*arguments, "--device", "cpu").stdout.splitlines()
    monkeypatch.setattr("rnncls.inference.runtime.load_light", lambda *_: None)
    full = cli(*arguments, "--device", "cpu").stdout.splitlines()
    for found, expected in zip(
        map(json.loads, light), map(json.loads, full), strict=True
    ):
        assert found.pop("probs") == pytest.approx(expected.pop("probs"), abs=1e-5)
        assert found.pop("prob") == pytest.approx(expected.pop("prob"), abs=1e-5)
        assert found == expected
