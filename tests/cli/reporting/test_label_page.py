"""The sections of a report on several labels: complete, sorted and escaped."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from rnncls.cli.reporting.evaluation_page import TrainingHistory
from rnncls.cli.reporting.label_page import (
    label_report_parts,
    plot_label_pictures,
    save_label_report,
)
from rnncls.cli.reporting.label_plots import (
    MAX_PLOTTED_LABELS,
    plot_label_coverage,
    plot_label_f1s,
)
from tests.cli.reporting.label_results import evaluate

RESULT = evaluate()
PICTURES = plot_label_pictures(RESULT, TrainingHistory([], {}, []))


@pytest.fixture(scope="module")
def page() -> str:
    return "\n".join(label_report_parts(RESULT, PICTURES))


def test_the_sections_come_in_order(page: str) -> None:
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == [
        "Scores",
        "Labels",
        "Calibration of the probabilities",
        "Scores if texts with less certain labels are rejected",
        "Errors",
    ]


def test_scores_and_calibration_are_on_the_page(page: str) -> None:
    assert f"{RESULT.scores.micro_f1:.2%}" in page
    assert f"{RESULT.scores.lrap:.4f}" in page
    assert f"{RESULT.calibration.ece:.4f}" in page
    assert "sigmoid(logits / 1.2500)" in page


def test_the_scores_of_the_kept_texts_are_on_the_page(page: str) -> None:
    table = page[page.index("Scores of the kept texts") :]
    for row in RESULT.coverage:
        assert f"{row.subset_accuracy:.2%}" in table
        assert f"{row.micro_f1:.2%}" in table


def test_the_plot_of_the_kept_texts_has_their_scores() -> None:
    axes = plot_label_coverage(RESULT.coverage).axes[0]
    accuracies, *_, micro_f1s = axes.get_lines()
    coverage = RESULT.coverage
    assert accuracies.get_xydata() == pytest.approx(
        np.array([(row.share, row.subset_accuracy) for row in coverage])
    )
    assert micro_f1s.get_xydata() == pytest.approx(
        np.array([(row.share, row.micro_f1) for row in coverage])
    )


def test_labels_are_sorted_by_support(page: str) -> None:
    table = page[page.index("Per label") : page.index("Most confused labels")]
    names = re.findall(r"&lt;b&gt;label (\d)&lt;/b&gt;</td>", table)
    supports = [RESULT.scores.per_label[int(name)].support for name in names]
    assert len(names) == 5
    assert supports == sorted(supports, reverse=True)


def test_texts_and_labels_are_escaped(page: str) -> None:
    assert "<b>label" not in page
    assert "&lt;i&gt;a text&lt;/i&gt;" in page


def test_a_run_without_errors_says_so() -> None:
    result = replace(RESULT, mistakes=[])
    page = "\n".join(label_report_parts(result, PICTURES))
    assert "All labels of all texts are right." in page


def test_only_the_first_of_many_labels_are_plotted() -> None:
    rows = RESULT.scores.per_label * MAX_PLOTTED_LABELS
    axes = plot_label_f1s(rows).axes[0]
    assert len(axes.patches) == MAX_PLOTTED_LABELS


def test_the_plot_names_labels_from_top_to_bottom() -> None:
    axes = plot_label_f1s(RESULT.scores.per_label).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    first = RESULT.scores.per_label[0]
    assert names[0] == f"{first.label} ({first.support:,})"
    assert axes.yaxis_inverted()
    bar = axes.patches[0]
    assert isinstance(bar, Rectangle)
    assert bar.get_width() == first.f1


def test_the_report_is_one_page_with_the_training(tmp_path: Path) -> None:
    result = replace(RESULT, origin={**RESULT.origin, "sha256": "abc123"})
    row = {
        "epoch": 1,
        "train_loss": 0.5,
        "valid_loss": 0.4,
        "train_accuracy": 0.2,
        "valid_accuracy": 0.1,
        "valid_macro_f1": 0.3,
        "elapsed_s": 2.0,
        "tokens_per_s": 1_000,
    }
    history = TrainingHistory([row], {}, [])
    path = tmp_path / "report.html"
    pictures = plot_label_pictures(result, history)
    save_label_report(path, result, history, {"train": {"epochs": 1}}, pictures)
    text = path.read_text(encoding="utf-8")
    assert "Report on emotions" in text
    assert "test.jsonl: 120 rows, the test split of the run" in text
    assert "Loss and score by epoch." in text
    assert text.index("Per label") < text.index('<h2 dir="auto">Training</h2>')
