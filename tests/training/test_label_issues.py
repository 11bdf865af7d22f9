"""Mislabelled training rows are found by networks that have not seen them."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls import ConfigError
from rnncls.config.sections import Config
from rnncls.training.label_issues import (
    LabelIssue,
    Twin,
    find_label_issues,
    save_issue_table,
)

MakeConfig = Callable[..., Config]
FLIPPED = [7, 52, 101, 160]


@pytest.fixture
def noisy(toy_csv: Path) -> Path:
    """The toy file, with some labels turned round."""
    lines = toy_csv.read_text(encoding="utf-8").splitlines()
    for row in FLIPPED:
        label, text = lines[row].split(",", 1)
        lines[row] = f"{'world' if label == 'sport' else 'sport'},{text}"
    toy_csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return toy_csv


@pytest.mark.usefixtures("noisy")
def test_rows_whose_labels_were_turned_round_are_found(make_config: MakeConfig) -> None:
    pytest.importorskip("cleanlab", reason="extra clean")
    config = make_config("train.max_epochs=5", "data.valid_fraction=0.1")
    found = find_label_issues(config, num_folds=3)
    issues = found.issues
    assert (found.num_rows, found.num_folds) == (200, 3)
    assert {issue.row for issue in issues} == set(FLIPPED)
    lines = Path("toy.csv").read_text(encoding="utf-8").splitlines()
    for issue in issues:
        assert lines[issue.row].startswith(f"{issue.label},")
        assert issue.suggested != issue.label
        assert issue.prob < 0.5
        # The same text with the right label is in the file.
        twin = issue.twin
        assert twin is not None
        assert lines[twin.row].startswith(f"{issue.suggested},")
        assert twin.label == issue.suggested
        assert twin.similarity > 0.9
        assert twin.text.split()[:3] == issue.text.split()[:3]
    assert [issue.prob for issue in issues] == sorted(issue.prob for issue in issues)


def test_without_cleanlab_the_error_says_what_to_install(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ConfigError, match=r"pip install 'rnncls\[clean\]'"):
        find_label_issues(make_config())


@pytest.mark.usefixtures("noisy")
def test_a_class_of_one_row_does_not_hinder_the_search(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    pytest.importorskip("cleanlab", reason="extra clean")
    with toy_csv.open("a", encoding="utf-8") as file:
        file.write("rare,odd,row\n")
    config = make_config("train.max_epochs=5", "data.valid_fraction=0.1")
    issues = find_label_issues(config, num_folds=3).issues
    assert {issue.row for issue in issues} >= set(FLIPPED)
    assert "rare" not in {issue.label for issue in issues}


def test_the_table_has_all_rows_with_their_texts(tmp_path: Path) -> None:
    issues = [
        LabelIssue(number, "a", 0.125, "b", 'said "no", twice') for number in range(150)
    ]
    save_issue_table(tmp_path / "issues.csv", issues)
    with (tmp_path / "issues.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    columns = ["row", "label", "suggested", "probability", "text"]
    assert rows[0][:5] == columns
    twin_columns = ["twin_row", "twin_label", "twin_similarity", "twin_text"]
    assert rows[0][5:] == twin_columns
    assert len(rows) == 151
    named = LabelIssue(3, "a", 0.125, "b", "text", "row-3")
    save_issue_table(tmp_path / "issues.csv", [named], "key")
    header, row = (tmp_path / "issues.csv").read_text(encoding="utf-8").splitlines()
    assert (header.split(",")[-1], row.split(",")[-1]) == ("key", "row-3")
    assert rows[3] == ["2", "a", "b", "0.125000", 'said "no", twice', *[""] * 4]


def test_the_table_has_the_twin_of_a_row(tmp_path: Path) -> None:
    twin = Twin(7, "b", "nearly", 0.98765, is_near_duplicate=True)
    issue = LabelIssue(3, "a", 0.125, "b", "text", twin=twin)
    save_issue_table(tmp_path / "issues.csv", [issue])
    _, row = (tmp_path / "issues.csv").read_text(encoding="utf-8").splitlines()
    assert row == "3,a,b,0.125000,text,7,b,0.9877,nearly"
