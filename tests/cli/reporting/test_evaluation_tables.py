"""Evaluation results as lines and tables: complete, and never parsed as markup."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from rnncls.cli.reporting.evaluation_tables import (
    class_table,
    class_tables,
    confusion_table,
    coverage_table,
    describe_macro_f1_interval,
    score_lines,
)
from rnncls.evaluation.calibration import SelectiveAccuracy
from rnncls.evaluation.metrics import ClassScores, Scores, score

SCORES = Scores(
    accuracy=0.875,
    accuracy_interval=(0.86123, 0.88777),
    macro_f1=0.86661,
    macro_f1_interval=(0.86011, 0.87288),
    accuracy_bootstrap_interval=(0.86125, 0.88775),
    loss=0.345678,
    num_rows=12_000,
    per_class=[
        ClassScores("[red]sport[/red]", 0.9123, 0.8456, 0.8777, 7_000),
        ClassScores("[/]", 0.7891, 0.1234, 0.8555, 5_000),
    ],
    confusion_matrix=[[6_100, 900], [600, 4_400]],
)


def draw(table: Table) -> list[list[str]]:
    """Return the cells of a table as they stand on a screen, a list a line."""
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().replace("┃", "│").splitlines()
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in lines
        if "│" in line
    ]


def test_the_scores_are_lines_with_rows_uncertainty_and_unit() -> None:
    assert score_lines(SCORES, "toy on test.csv") == [
        "toy on test.csv: 12,000 rows",
        "accuracy  87.50%  (95% interval 86.12% to 88.78%)",
        "macro-F1  86.66%  (95% interval 86.01% to 87.29%, bootstrap)",
        "loss      0.3457  (cross-entropy: the lower, the better)",
    ]


def test_the_class_table_has_a_row_of_figures_a_class() -> None:
    assert draw(class_table(SCORES.per_class)) == [
        ["class", "precision", "recall", "F1", "support"],
        ["[red]sport[/red]", "91.23%", "84.56%", "87.77%", "7,000"],
        ["[/]", "78.91%", "12.34%", "85.55%", "5,000"],
    ]


def test_the_confusion_table_has_true_rows_and_predicted_columns() -> None:
    assert draw(confusion_table(SCORES)) == [
        ["true \\ predicted", "[red]sport[/red]", "[/]"],
        ["[red]sport[/red]", "6,100", "900"],
        ["[/]", "600", "4,400"],
    ]


def test_very_many_classes_show_the_best_the_worst_and_the_most_confused() -> None:
    num_classes = 1_500
    counts = np.diag(np.arange(1, num_classes + 1))
    counts[7, 9] = 5_000
    names = [f"class {number}" for number in range(num_classes)]
    tables = class_tables(score(counts, 0.0, names))
    assert [str(table.title) for table in tables] == [
        "Best of 1,500 classes",
        "Worst of 1,500 classes",
        "Most confused classes",
    ]
    rows = [draw(table)[1:] for table in tables]
    assert [len(each) for each in rows] == [10, 10, 1]
    assert rows[1][0][0] == "class 7"
    assert rows[2] == [["class 7", "class 9", "5,000", "99.8%"]]


def test_a_class_without_a_row_is_named_below_the_scores() -> None:
    scores = score(np.array([[2, 1, 0], [0, 0, 0], [0, 0, 0]]), 0.0, ["a", "b", "c"])
    lines = score_lines(scores, "here")
    assert lines[4:] == [
        "no row here, so not counted in macro-F1: 'c'",
        "no row here but predicted, so counted as 0 in macro-F1: 'b'",
    ]
    rows = draw(class_tables(scores)[0])[2:]
    assert rows == [
        ["b", "0.00%", "0.00%", "0.00%", "0"],
        ["c", "-", "-", "-", "0"],
    ]


def test_a_threshold_has_a_row_with_two_digits() -> None:
    both = SelectiveAccuracy(0.5, 1.0, 4, 0.75, (0.3, 0.95))
    half = SelectiveAccuracy(0.9, 0.5, 2, 1.0, (0.34, 1.0))
    table = coverage_table([both, half])
    assert list(map(str, table.columns[0].cells)) == ["0.50", "0.90"]


@pytest.mark.parametrize(
    ("num_rows", "score", "interval", "expected"),
    [
        (4, 1.0, (1.0, 1.0), "no interval: 4 rows are too few, at least 20 are needed"),
        (
            19,
            0.8,
            (0.5, 1.0),
            "no interval: 19 rows are too few, at least 20 are needed",
        ),
        (
            200,
            0.0,
            (0.0, 0.0),
            "no interval: all samples of these rows have the same value",
        ),
        (1200, 1.0, (1.0, 1.0), "no interval: no error in 1,200 rows"),
        (20, 0.8, (0.5, 1.0), "95% interval 50.00% to 100.00%, bootstrap"),
    ],
)
def test_macro_f1_has_an_interval_only_where_it_says_something(
    num_rows: int, score: float, interval: tuple[float, float], expected: str
) -> None:
    scores = replace(
        SCORES, num_rows=num_rows, macro_f1=score, macro_f1_interval=interval
    )
    assert describe_macro_f1_interval(scores) == expected
    assert f"({expected})" in score_lines(scores, "a run")[2]
