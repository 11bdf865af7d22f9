"""Pictures show the figures that they are given."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnncls.cli.reporting.evaluation_plots import (
    plot_accuracies,
    plot_confusion,
    plot_coverage,
    plot_learning_curves,
    plot_reliability,
    plot_slices,
)
from rnncls.cli.reporting.plotting import to_png
from rnncls.cli.reporting.terminal_chart import LearningCurve, score_name
from rnncls.evaluation.calibration import Bin, SelectiveAccuracy
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import score

SLICES = [Slice(1, 3, 10, 0.9, (0.6, 0.98)), Slice(4, 9, 12, 0.5, (0.3, 0.7))]
ROWS: list[dict[str, Any]] = [
    {
        "epoch": n,
        "train_loss": 1 / n,
        "valid_loss": 2 / n,
        "train_accuracy": 1 - 0.5 / n,
        "valid_accuracy": 1 - 0.6 / n,
    }
    for n in (1, 2, 3)
]


def lines_of(axes: Axes) -> list[list[tuple[float, float]]]:
    return [
        list(zip(np.ravel(line.get_xdata()), np.ravel(line.get_ydata()), strict=True))
        for line in axes.lines
    ]


def is_drawn(figure: Figure) -> bool:
    return to_png(figure).startswith(b"\x89PNG")


def test_the_confusion_matrix_shows_counts_and_shares() -> None:
    figure = plot_confusion(score(np.array([[3, 1], [0, 6]]), 0.5, ["$a$", "b" * 40]))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "6"]
    np.testing.assert_allclose(
        np.asarray(axes.images[0].get_array()), [[0.75, 0.25], [0.0, 1.0]]
    )
    assert is_drawn(figure)


def test_the_counts_of_many_classes_are_left_to_the_table() -> None:
    figure = plot_confusion(
        score(np.eye(25, dtype=np.int64), 0.5, [str(number) for number in range(25)])
    )
    assert not figure.axes[0].texts


def test_reliability_is_drawn_before_and_after() -> None:
    bins, raw = (
        [Bin(0.6, 0.66, 5, 0.63, 0.6), Bin(0.93, 1.0, 9, 0.95, 1.0)],
        [Bin(0.6, 0.66, 14, 0.65, 0.85)],
    )
    figure = plot_reliability(bins, raw)
    assert lines_of(figure.axes[0])[1:] == [[(0.65, 0.85)], [(0.63, 0.6), (0.95, 1.0)]]
    assert [bar.get_height() for bar in figure.axes[1].patches] == [5, 9]  # type: ignore[attr-defined]
    assert is_drawn(figure)


def test_coverage_is_a_curve_with_intervals() -> None:
    shares, accuracies = np.array([0.5, 1.0]), np.array([1.0, 0.75])
    figure = plot_coverage(
        shares, accuracies, [SelectiveAccuracy(0.4, 1.0, 4, 0.75, (0.3, 0.95))]
    )
    assert lines_of(figure.axes[0])[0] == [(0.5, 1.0), (1.0, 0.75)]
    assert is_drawn(figure)


def test_slices_are_points_in_two_charts() -> None:
    figure = plot_slices(SLICES, SLICES[:1])
    assert lines_of(figure.axes[0])[0] == [(0, 0.9), (1, 0.5)]
    assert lines_of(figure.axes[1])[0] == [(0, 0.9)]
    assert is_drawn(figure)


def test_curves_are_loss_and_score_of_each_run() -> None:
    figure = plot_learning_curves(
        [LearningCurve("one", ROWS), LearningCurve("two", ROWS[:1])]
    )
    left, right = (lines_of(axes) for axes in figure.axes)
    assert left[:2] == [
        [(n, 1 / n) for n in (1, 2, 3)],
        [(n, 2 / n) for n in (1, 2, 3)],
    ]
    assert right[3] == [(1, 0.4)]
    assert is_drawn(figure)


def test_a_language_model_has_a_perplexity() -> None:
    curve = LearningCurve(
        "one",
        [{"epoch": 1, "train_loss": 5.0, "valid_loss": 5.5, "valid_perplexity": 244.7}],
    )
    assert score_name([curve]) == "perplexity"
    assert lines_of(plot_learning_curves([curve]).axes[1]) == [[(1, 244.7)]]


@pytest.mark.parametrize("num_runs", [1, 12])
def test_accuracies_are_points_on_their_intervals(num_runs: int) -> None:
    scores = [
        score(np.array([[8, 2], [1, 9 + number]]), 0.5, ["a", "b"])
        for number in range(num_runs)
    ]
    figure = plot_accuracies([f"run {number}" for number in range(num_runs)], scores)
    lines = lines_of(figure.axes[0])
    assert lines[0] == [
        (scores[0].accuracy_interval[0], 0),
        (scores[0].accuracy_interval[1], 0),
    ]
    assert lines[1] == [(scores[0].accuracy, 0)]
    assert is_drawn(figure)
