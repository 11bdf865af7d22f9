"""Plots of evaluations, comparisons and learning curves.

Each function plots values that a table shows as well.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from rnncls.cli.reporting.display import INTERVAL
from rnncls.cli.reporting.plotting import COLORS, GREY, HEAT, new_figure
from rnncls.cli.reporting.terminal_chart import LearningCurve, score_name
from rnncls.evaluation.calibration import NUM_BINS, Bin, SelectiveAccuracy
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import Scores
from rnncls.text.display import shorten

_MAX_COUNTED_CLASSES = 20
"""With more classes, the cells of a confusion matrix have no room for their counts."""
MAX_NAMED_CLASSES = 200
"""With more classes, a plot has no room for their names, nor a page for the matrix."""
_MAX_CURVE_POINTS = 1000
_NAME_LENGTH = 24


def plot_confusion(scores: Scores) -> Figure:
    """Plot the confusion matrix: counts, coloured by their share of the true class."""
    names = [shorten(row.label, _NAME_LENGTH) for row in scores.per_class]
    counts = np.array(scores.confusion_matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 3.0 + 0.35 * min(len(names), 60)
    figure = new_figure(size + 1.0, size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=HEAT, vmin=0, vmax=1, aspect="auto")
    figure.colorbar(
        image,
        ax=axes,
        format=PercentFormatter(1.0),
        shrink=0.8,
        label="share of the true class",
    )
    if len(names) <= MAX_NAMED_CLASSES:
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    if len(names) <= _MAX_COUNTED_CLASSES:
        _write_counts(axes, counts, shares)
    return figure


def _write_counts(
    axes: Axes, counts: npt.NDArray[np.int64], shares: npt.NDArray[np.float64]
) -> None:
    """Write each count into its cell, in a colour that stands out from the cell's."""
    for (row, column), share in np.ndenumerate(shares):
        color = "black" if share > 0.5 else "white"
        count = f"{counts[row, column]:,}"
        axes.text(column, row, count, ha="center", va="center", color=color)


def plot_reliability(bins: Sequence[Bin], raw_bins: Sequence[Bin]) -> Figure:
    """Plot a reliability diagram, and the number of texts by confidence below it.

    Args:
        bins: The bins of the calibrated probabilities.
        raw_bins: The bins before calibration.
    """
    figure = new_figure(6.0, 5.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfect calibration")
    _plot_bins(above, raw_bins, COLORS[1], "s", "before calibration")
    _plot_bins(above, bins, COLORS[0], "o", "calibrated")
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    above.legend(loc="upper left")
    _plot_counts(below, bins)
    below.set(xlabel="probability of the predicted label", ylabel="texts")
    return figure


def _plot_counts(axes: Axes, bins: Sequence[Bin]) -> None:
    """Plot the number of texts in each bin."""
    axes.bar(
        [bin_.low for bin_ in bins],
        [bin_.num_rows for bin_ in bins],
        width=1 / NUM_BINS,
        align="edge",
        color=COLORS[0],
        edgecolor="white",
    )


def _plot_bins(
    axes: Axes, bins: Sequence[Bin], color: str, marker: str, label: str
) -> None:
    confidences = [bin_.confidence for bin_ in bins]
    accuracies = [bin_.accuracy for bin_ in bins]
    axes.plot(confidences, accuracies, color=color, marker=marker, label=label)


def plot_coverage(
    shares: npt.NDArray[np.float64],
    accuracies: npt.NDArray[np.float64],
    coverage: Sequence[SelectiveAccuracy],
) -> Figure:
    """Plot the accuracy of the most confident texts by their share of all texts.

    Args:
        shares: [N], the share of the k most confident texts.
        accuracies: [N], their accuracy.
        coverage: The points to plot with intervals.
    """
    figure = new_figure(6.0, 3.5)
    axes = figure.subplots()
    indices = _curve_points(len(shares))
    axes.plot(shares[indices], accuracies[indices], color=COLORS[0])
    _plot_intervals(axes, [point.share for point in coverage], coverage)
    lowest = min(point.interval[0] for point in coverage)
    axes.set(xlabel="share of predictions kept", ylabel="accuracy of these")
    axes.set(xlim=(0, 1.02), ylim=(max(0.0, lowest - 0.05), 1.005))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return figure


def _curve_points(num_points: int) -> npt.NDArray[np.int64]:
    """Return the indices of at most `_MAX_CURVE_POINTS` points, evenly spaced."""
    indices = np.linspace(0, num_points - 1, _MAX_CURVE_POINTS)
    return np.unique(indices.astype(np.int64))


def plot_slices(
    by_length: Sequence[Slice], by_unknown_share: Sequence[Slice]
) -> Figure:
    """Plot accuracy by number of tokens, and by share of unknown words."""
    figure = new_figure(7.0, 3.5)
    left, right = figure.subplots(1, 2, sharey=True)
    _plot_slices(left, by_length, "{:,.0f}")
    _plot_slices(right, by_unknown_share, "{:.1%}")
    left.set(xlabel="tokens", ylabel="accuracy")
    right.set_xlabel("unknown words")
    return figure


def _plot_slices(axes: Axes, slices: Sequence[Slice], form: str) -> None:
    positions = range(len(slices))
    names = [slice_.describe(form) for slice_ in slices]
    _plot_intervals(axes, positions, slices)
    axes.set_xticks(positions, names, rotation=30, ha="right")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))


def plot_learning_curves(curves: Sequence[LearningCurve]) -> Figure:
    """Plot loss and score by epoch: training dashed, validation solid."""
    score = score_name(curves)
    figure = new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2)
    for index, curve in enumerate(curves):
        color = COLORS[index % len(COLORS)]
        _plot_curve(left, curve, "loss", color)
        _plot_curve(right, curve, score, color)
    left.set(xlabel="epoch", ylabel="loss (lower is better)")
    right.set(xlabel="epoch", ylabel=score)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    if score != "perplexity":
        right.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        fontsize="small",
    )
    return figure


def _plot_curve(axes: Axes, curve: LearningCurve, metric: str, color: str) -> None:
    """Plot a metric of a run, where it has been recorded."""
    for part, line, marker in (("train", "--", "."), ("valid", "-", "o")):
        key = f"{part}_{metric}"
        rows = [row for row in curve.rows if key in row]
        if rows:
            axes.plot(
                [row["epoch"] for row in rows],
                [row[key] for row in rows],
                color=color,
                linestyle=line,
                marker=marker,
                label=f"{shorten(curve.name, _NAME_LENGTH)}, {part}",
            )


def plot_accuracies(names: Sequence[str], scores: Sequence[Scores]) -> Figure:
    """Plot the accuracy of each run with its interval, the first run at the top."""
    figure = new_figure(7.0, 1.2 + 0.35 * len(names))
    axes = figure.subplots()
    for position, run_scores in enumerate(scores):
        _plot_accuracy(axes, position, run_scores)
    axes.axvline(scores[0].accuracy, color=GREY, linestyle=":")
    short_names = [shorten(name, _NAME_LENGTH) for name in names]
    axes.set_yticks(range(len(names)), short_names)
    axes.invert_yaxis()
    axes.set_xlabel(f"accuracy, with its {INTERVAL}")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    return figure


def _plot_accuracy(axes: Axes, position: int, scores: Scores) -> None:
    """Plot a point at the accuracy and a line over its interval."""
    interval = scores.accuracy_interval
    axes.plot(interval, [position, position], color=COLORS[0], linewidth=2)
    axes.plot([scores.accuracy], [position], color=COLORS[0], marker="o")


def _plot_intervals(
    axes: Axes,
    positions: Sequence[float],
    points: Sequence[Slice] | Sequence[SelectiveAccuracy],
) -> None:
    accuracies = np.array([point.accuracy for point in points])
    lows = np.array([point.interval[0] for point in points])
    highs = np.array([point.interval[1] for point in points])
    lengths = np.abs([accuracies - lows, highs - accuracies])
    axes.errorbar(
        positions, accuracies, yerr=lengths, fmt="o", color=COLORS[0], capsize=3
    )
