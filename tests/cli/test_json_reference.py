"""docs/reference/json.md and run-folder.md describe what the commands write."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
COMMANDS = [
    ["eval", "--json"],
    ["predict", "a b", "--json"],
    ["explain", "a b", "--json"],
    ["explain", "a b", "--trajectory", "--json"],
    ["anytime", "--json"],
    ["gates", "a b", "--json"],
    ["flags", "--json"],
    ["gradient", "--json"],
    ["check", "--json"],
    ["doctor", "--json"],
]


def read_documented_keys(command: str) -> set[str]:
    """Return what stands in code format in the first column of a command's tables."""
    page = (REFERENCE / "json.md").read_text(encoding="utf-8")
    section = page.split(f"## rnncls {command}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", " ".join(cells)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_key_is_documented(words: list[str], run_path: Path, cli: Cli) -> None:
    is_about_texts = words[0] in ("predict", "explain", "gates")
    place = ["--run", str(run_path)] if is_about_texts else [str(run_path)]
    outcome = cli(*words, *([] if words[0] == "doctor" else place))
    keys = set(
        json.loads(outcome.stdout.splitlines()[0] if is_about_texts else outcome.stdout)
    )
    assert keys <= read_documented_keys(words[0]), outcome.stderr


def test_every_file_of_a_run_is_documented(run_path: Path, cli: Cli) -> None:
    cli("eval", str(run_path))
    page = (REFERENCE / "run-folder.md").read_text(encoding="utf-8")
    for path in run_path.iterdir():
        name = path.name.replace("-test.", "-SPLIT.") + "/" * path.is_dir()
        assert f"| `{name}` |" in page
