"""`rnncls label-issues` lists rows that are probably mislabelled, with their twins."""

import csv
import json
from pathlib import Path

import pytest

from rnncls.cli.label_issues import note_earlier_rows
from tests.cli.conftest import Cli
from tests.conftest import CITIES, TEAMS

FOLDS = ["--folds", "2"]
QUICK = ["--set", "train.max_epochs=10", "--set", "train.batch_size=8"]
WRONG = [10, 60]


@pytest.fixture
def noisy(workplace: Path) -> Path:
    """The toy file with two wrong labels, and a config without test rows."""
    pytest.importorskip("cleanlab", reason="extra clean")
    path = workplace / "toy.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    for row in WRONG:
        label, text = lines[row].split(",", 1)
        lines[row] = f"{'world' if label == 'sport' else 'sport'},{text}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.usefixtures("noisy")
def test_wrong_labels_are_listed_with_their_twins_and_written(cli: Cli) -> None:
    outputs = ["--output", "issues.csv", "--html", "issues.html"]
    outcome = cli("label-issues", "toy.yaml", *FOLDS, *QUICK, *outputs, "--json")
    assert outcome.exit_code == 0
    values = json.loads(outcome.stdout)
    assert (values["num_rows"], values["num_folds"]) == (96, 2)
    issues = values["label_issues"]
    assert len(issues) == values["num_issues"] >= len(WRONG)
    found = {issue["row"]: issue for issue in issues}
    assert set(found) >= set(WRONG)
    lines = Path("toy.csv").read_text(encoding="utf-8").splitlines()
    for row in WRONG:
        twin = found[row]["twin"]
        assert twin["label"] == found[row]["suggested"] != found[row]["label"]
        assert lines[twin["row"]].startswith(f"{twin['label']},")
    with Path("issues.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["row"]) for row in rows] == [issue["row"] for issue in issues]
    page = Path("issues.html").read_text(encoding="utf-8")
    assert "<title>Label issues of toy.yaml</title>" in page
    assert all(f"Row {row}:" in page for row in WRONG)
    assert "issues.csv: written" in outcome.stderr


@pytest.mark.usefixtures("noisy")
def test_a_data_file_needs_no_config_and_all_its_rows_are_checked(cli: Cli) -> None:
    small = ["--set", "model.hidden_size=4", "--set", "model.ngrams=null"]
    short = ["--set", "train.max_epochs=1"]
    outcome = cli("label-issues", "toy.csv", *FOLDS, *small, *short)
    assert outcome.exit_code == 0
    assert "toy.csv: 96 rows checked" in outcome.stdout


def test_a_run_keeps_what_was_found(run_path: Path, cli: Cli) -> None:
    pytest.importorskip("cleanlab", reason="extra clean")
    outcome = cli("label-issues", str(run_path), *FOLDS, "--id", "title")
    assert outcome.exit_code == 0
    assert "96 rows checked" in outcome.stdout
    saved = json.loads((run_path / "label-issues.json").read_text(encoding="utf-8"))
    assert saved["num_rows"] == 96
    for issue in saved["label_issues"]:
        assert issue["text"].startswith(issue["id"])
        assert issue["twin"]["text"].startswith(issue["twin"]["id"])
    assert (run_path / "label-issues.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no config: expected a YAML file"),
        (["toy.yaml", "--output", "toy.csv"], "--output: toy.csv is also the input"),
        (["toy.csv", "--html", "toy.csv"], "expected .html, .htm, found .csv"),
        (["toy.yaml", "--output", "other.csv"], "does not hold label issues"),
        (["toy.yaml", "--html", "other.html"], "is not a page by rnncls label-issues"),
        (["nope.csv"], "nope.csv: no such file"),
    ],
)
@pytest.mark.usefixtures("workplace")
def test_a_mistake_is_reported_before_the_training(
    cli: Cli, arguments: list[str], message: str
) -> None:
    Path("other.csv").write_text(f"{CITIES[0]},{TEAMS[0]}\n1,2\n")
    Path("other.html").write_text("<p>a page of my own")
    outcome = cli("label-issues", *arguments)
    assert outcome.exit_code in (2, 3)
    assert message in " ".join(outcome.stderr.split())
    assert "fold 1" not in outcome.stderr


def test_rows_of_an_earlier_run_are_said_not_to_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note_earlier_rows(tmp_path)
    assert capsys.readouterr().err == ""
    (tmp_path / "from.json").write_text("{}")
    note_earlier_rows(tmp_path)
    assert (
        "continues another run, whose rows are not checked" in capsys.readouterr().err
    )
