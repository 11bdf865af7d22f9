"""The summary of a report says in sentences what was found."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from rnncls.cli.reporting.evaluation_summary import summary_sentences
from rnncls.evaluation.metrics import score
from rnncls.evaluation.run_evaluation import CalibrationReport, EvaluationResult

DAY = date(2026, 1, 31)


def summarize(
    counts: list[list[int]], num_label_issues: int = 0, split: str | None = "test"
) -> list[str]:
    names = ["billing", "delivery"]
    result = EvaluationResult(
        scores=score(np.array(counts), 0.3, names),
        calibration=CalibrationReport(1.0, 0.0, 0.0, 0.3, [], []),
        by_length=[],
        by_unknown_share=[],
        coverage=[],
        mistakes=[],
        origin={
            "path": "tickets.csv",
            "split": split,
            "num_rows": int(np.sum(counts)),
        },
        run_path=Path("runs/tickets"),
        device="cpu",
    )
    summary: dict[str, Any] = {"data": {"num_train_rows": 4_000}}
    return list(summary_sentences(result, summary, num_label_issues, DAY))


def test_the_sentences_say_what_how_good_where_it_errs_and_what_to_do() -> None:
    assert summarize([[580, 20], [80, 320]]) == [
        "The model tickets assigns one of 2 classes ('billing', 'delivery') to a text."
        " It was trained on 4,000 texts.",
        "Report of 2026-01-31, on 1,000 labelled texts of tickets.csv, not used for"
        " training.",
        "It is right for 90.0% of these texts; for other texts of the same kind, expect"
        " 88.0% to 91.7%.",
        "For comparison: always answering 'billing', the most frequent class here,"
        " would be right for 60.0%.",
        "The most frequent error: 80 texts of 'delivery' were taken for"
        " 'billing' (20.0% of that class). The weakest class is 'delivery': 80.0% of"
        " its 400 texts were recognised.",
        "What to do next: read the most confident errors below, and look for"
        " mislabelled training rows with rnncls eval --label-issues.",
    ]


def test_few_rows_call_for_more() -> None:
    assert "evaluate on more texts: with 20" in summarize([[9, 1], [1, 9]])[-1]


def test_mislabelled_rows_are_to_be_checked_first() -> None:
    advice = summarize([[580, 20], [80, 320]], num_label_issues=12)[-1]
    assert "check the 12 training rows that are probably mislabelled" in advice


def test_a_rare_class_needs_more_texts() -> None:
    assert "collect more texts of 'delivery'" in summarize([[990, 5], [3, 2]])[-1]


def test_no_error_is_said_so() -> None:
    assert "It makes no error on these texts." in summarize([[500, 0], [0, 500]])


def test_training_rows_are_named_as_such() -> None:
    sentences = summarize([[5, 0], [0, 5]], split="train")
    assert "which it was trained on" in sentences[1]
    assert sentences[2].endswith("of these texts; for other texts, expect less.")
