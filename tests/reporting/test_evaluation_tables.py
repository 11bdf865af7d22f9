"""Evaluation results as lines and tables: complete, and never parsed as markup."""

import io

from rich.console import Console
from rich.table import Table

from rnncls.evaluation.metrics import ClassScores, Scores
from rnncls.reporting.evaluation_tables import (
    class_table,
    confusion_table,
    score_lines,
)

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
        "loss      0.3457 nats",
    ]


def test_the_class_table_has_a_row_of_figures_a_class() -> None:
    assert draw(class_table(SCORES)) == [
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
