"""Evaluation of several labels as lines and tables: sorted, cut and complete."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from rnncls.cli.reporting.label_tables import (
    MAX_SHOWN_LABELS,
    label_calibration_lines,
    label_mistake_table,
    label_rows,
    label_score_lines,
    label_tables,
    sort_by_support,
)
from rnncls.evaluation.label_metrics import LabelScores
from tests.cli.reporting.label_results import evaluate

RESULT = evaluate()


def draw(table: Table) -> str:
    """Return a table as it stands on a wide screen."""
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_score_has_a_line_with_its_interval() -> None:
    scores = replace(
        RESULT.scores,
        micro_f1=0.5555,
        micro_f1_interval=(0.54321, 0.56789),
        hamming_loss=0.03456,
        hamming_loss_interval=(0.03211, 0.03654),
    )
    lines = label_score_lines(scores, "emotions on test.jsonl")
    assert lines[0] == "emotions on test.jsonl: 120 rows"
    assert (
        lines[1]
        == "micro-F1          55.55%  (95% interval 54.32% to 56.79%, bootstrap)"
    )
    expected = (
        "Hamming loss      0.0346  (95% interval 0.0321 to 0.0365; share of wrong"
        " decisions)"
    )
    assert expected in lines


def test_rows_without_an_error_have_no_interval() -> None:
    scores = replace(RESULT.scores, micro_f1=1.0, micro_f1_interval=(1.0, 1.0))
    line = label_score_lines(scores, "x")[1]
    assert line.endswith("100.00%  (no interval: no error in 120 rows)")


def test_a_larger_calibration_error_than_before_is_explained() -> None:
    calibration = replace(RESULT.calibration, ece=0.02, raw_ece=0.01)
    assert (
        "with few rows the ECE is unreliable"
        in label_calibration_lines(calibration)[-1]
    )
    calibration = replace(calibration, raw_ece=0.03)
    assert len(label_calibration_lines(calibration)) == 2


def test_few_rows_have_no_interval() -> None:
    lines = label_score_lines(replace(RESULT.scores, num_rows=19), "x")
    assert lines[2].endswith(
        "(no interval: 19 rows are too few, at least 20 are needed)"
    )
    assert any(line.endswith("(share of wrong decisions)") for line in lines)


def test_texts_without_labels_are_counted_if_there_are_any() -> None:
    scores = replace(
        RESULT.scores, num_rows_without_labels=3, num_rows_without_predictions=4
    )
    expected = "texts without a label: 3 in the file, 4 predicted"
    assert expected in label_score_lines(scores, "x")
    scores = replace(
        RESULT.scores, num_rows_without_labels=0, num_rows_without_predictions=0
    )
    lines = label_score_lines(scores, "x")
    assert not any("texts without a label" in line for line in lines)


def test_absent_labels_are_named() -> None:
    scores = replace(RESULT.scores, absent_labels=["grief"])
    lines = label_score_lines(scores, "x")
    assert lines[-1] == "no row here, so counted as 0 in macro-F1: 'grief'"


def test_labels_are_sorted_by_support_and_undefined_scores_are_dashes() -> None:
    rare = LabelScores("rare", 0, 1, 0.0, 0.0, 0.0, None, None, 0.01, 0.25)
    often = LabelScores("often", 1_234, 9, 0.5, 0.25, 0.3333, 0.4, 0.6, 0.02, 0.5)
    assert label_rows(sort_by_support([rare, often])) == [
        ["often", "1,234", "33.33%", "50.00%", "25.00%", "0.4000", "0.500"],
        ["rare", "0", "0.00%", "0.00%", "0.00%", "-", "0.250"],
    ]


def test_few_labels_are_all_shown_with_the_confused_pairs() -> None:
    tables = label_tables(RESULT.scores)
    assert [str(table.title) for table in tables] == [
        "Per label",
        "Most confused labels",
    ]
    shown = draw(tables[0])
    assert all(row.label in shown for row in RESULT.scores.per_label)


def test_of_many_labels_the_most_frequent_and_the_worst_are_shown() -> None:
    result = evaluate(num_rows=60, num_labels=MAX_SHOWN_LABELS + 1)
    frequent, worst, _ = label_tables(result.scores)
    ranked = sort_by_support(result.scores.per_label)
    assert len(frequent.rows) == len(worst.rows) == 10
    assert ranked[0].label in draw(frequent)
    # The last label has no text, so its F1 of 0 says nothing.
    assert ranked[-1].support == 0
    assert ranked[-1].label not in draw(worst)


def test_calibration_shows_the_temperature_unless_it_is_one() -> None:
    lines = label_calibration_lines(RESULT.calibration)
    assert "probabilities = sigmoid(logits / 1.250)" in lines[1]
    lines = label_calibration_lines(replace(RESULT.calibration, temperature=1.0))
    assert lines[1].strip() == "not calibrated: the temperature is 1"


@pytest.mark.parametrize(
    ("is_missed", "error"), [(True, "missed"), (False, "false alarm")]
)
def test_an_error_says_what_is_wrong(is_missed: bool, error: str) -> None:
    mistake = replace(RESULT.mistakes[0], is_missed=is_missed, labels=["a", "b"])
    shown = draw(label_mistake_table([mistake]))
    assert error in shown
    assert "a, b" in shown
    assert "<i>a text</i>" in shown
