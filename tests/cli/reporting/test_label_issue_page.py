"""The page of label issues has each row, its labels and its twin."""

import io
from pathlib import Path

from rich.console import Console

from rnncls.cli.reporting.label_issue_page import (
    MAX_SHOWN,
    issue_table,
    save_issue_page,
)
from rnncls.training.label_issues import LabelIssue, LabelIssues, Twin

TWIN = Twin(1234, "b", "nearly <b>this</b>", 0.98, is_near_duplicate=True, id="key-9")
ISSUE = LabelIssue(7, "a", 0.0321, "b", "this & that", "key-7", TWIN)


def write(found: LabelIssues, path: Path) -> str:
    save_issue_page(path, found, "toy.yaml")
    return path.read_text(encoding="utf-8")


def test_a_row_is_beside_its_twin(tmp_path: Path) -> None:
    page = write(LabelIssues([ISSUE], 200, 5), tmp_path / "page.html")
    assert "200 rows were checked by cross-validation with 5 folds" in page
    assert "Rows that are probably mislabelled: 1 (0.50%)." in page
    assert "Row 7 (key-7): <bdi>a</bdi> → <bdi>b</bdi>?" in page
    assert "this &amp; that" in page
    assert "Probability of the given label: 3.21%" in page
    assert (
        "Row 1,234 (key-9) is labelled <strong><bdi>b</bdi></strong>: nearly the same"
        in page
    )
    assert "nearly &lt;b&gt;this&lt;/b&gt;" in page


def test_rows_without_a_twin_or_a_label_are_shown(tmp_path: Path) -> None:
    issue = LabelIssue(1, "", 0.5, "b|c", "text")
    page = write(LabelIssues([issue], 10, 2), tmp_path / "page.html")
    assert "<bdi>no label</bdi> → <bdi>b|c</bdi>?" in page
    assert 'class="aside"' not in page


def test_the_page_has_the_first_rows_only(tmp_path: Path) -> None:
    issues = [LabelIssue(row, "a", 0.1, "b", "text") for row in range(MAX_SHOWN + 5)]
    page = write(LabelIssues(issues, 10_000, 5), tmp_path / "page.html")
    assert page.count('<section class="card">') == MAX_SHOWN
    assert f"The {MAX_SHOWN} rows whose label is least probable" in page


def test_a_page_without_rows_says_so(tmp_path: Path) -> None:
    page = write(LabelIssues([], 10, 2), tmp_path / "page.html")
    assert "Rows that are probably mislabelled: 0 (0.00%)." in page


def test_the_table_has_the_twin_below_its_row() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(issue_table([ISSUE]))
    assert isinstance(console.file, io.StringIO)
    _, row, twin = console.file.getvalue().splitlines()
    assert row.split() == ["7", "key-7", "a", "0.0321", "b", "this", "&", "that"]
    assert twin.split()[:3] == ["1,234", "key-9", "b"]
    assert "(near copy, 0.98)" in twin
