"""docs/reference/json.md and run-folder.md describe what the commands write."""

import json
import re
from pathlib import Path

import pytest

from rnncls.training.label_issues import LabelIssue, LabelIssues, Twin
from tests.builders import train_label_sets
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
    cells = re.findall(r"^\| (`[^|]*) \|", read_section(command), re.MULTILINE)
    return set(re.findall(r"`(\w+)`", " ".join(cells)))


def read_section(command: str) -> str:
    """Return what the page says of a command."""
    page = (REFERENCE / "json.md").read_text(encoding="utf-8")
    return page.split(f"## rnncls {command}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_key_is_documented(words: list[str], run_path: Path, cli: Cli) -> None:
    is_about_texts = words[0] in ("predict", "explain", "gates")
    place = ["--run", str(run_path)] if is_about_texts else [str(run_path)]
    outcome = cli(*words, *([] if words[0] == "doctor" else place))
    keys = set(
        json.loads(outcome.stdout.splitlines()[0] if is_about_texts else outcome.stdout)
    )
    assert keys <= read_documented_keys(words[0]), outcome.stderr


def test_every_key_of_suggestions_is_documented(run_path: Path, cli: Cli) -> None:
    Path("pool.txt").write_text("rovers meet lima\n")
    values = json.loads(cli("suggest", str(run_path), "pool.txt", "--json").stdout)
    section = read_section("suggest")
    for key in {*values, *values["rows"][0]}:
        assert f"`{key}`" in section


def test_every_key_of_label_issues_is_documented() -> None:
    twin = Twin(1, "a", "text", 0.5, is_near_duplicate=False)
    issue = LabelIssue(1, "a", 0.1, "b", "text", "key", twin)
    values = LabelIssues([issue], 1, 2).to_dict()
    section = read_section("label-issues")
    row = values["label_issues"][0]
    for key in {*values, *row, *row["twin"]}:
        assert f"`{key}`" in section


def test_every_file_of_a_run_is_documented(run_path: Path, cli: Cli) -> None:
    cli("eval", str(run_path))
    page = (REFERENCE / "run-folder.md").read_text(encoding="utf-8")
    for path in run_path.iterdir():
        name = path.name.replace("-test.", "-SPLIT.") + "/" * path.is_dir()
        assert f"| `{name}` |" in page


def test_every_key_of_several_labels_is_documented(tmp_path: Path, cli: Cli) -> None:
    run = str(train_label_sets(tmp_path, "train.max_epochs=1"))
    keys = set(json.loads(cli("eval", run, "--json").stdout))
    assert keys <= read_documented_keys("eval")
    text = cli("predict", "--run", run, "--json", "a b").stdout
    assert set(json.loads(text)) <= read_documented_keys("predict")


def test_one_row_has_intervals(run_path: Path, tmp_path: Path, cli: Cli) -> None:
    several = train_label_sets(tmp_path, "train.max_epochs=1")
    Path("one.jsonl").write_text('{"text": "happy", "labels": ["joy"]}\n')
    Path("one.csv").write_text("label,title,description\nsport,rovers,meet\n")
    for path, data in ((several, "one.jsonl"), (run_path, "one.csv")):
        outcome = cli("eval", str(path), "--data", data, "--json")
        values = json.loads(outcome.stdout)
        intervals = [key for key in values if key.endswith("_interval")]
        assert len(intervals) > 2
        for key in intervals:
            low, high = values[key]
            assert 0 <= low <= high <= 1
