"""What the pictures of reports and comparisons show.

Each function draws one figure from figures that stand in a table as well.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from rnncls.evaluation.calibration import Bin, Coverage
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import Scores
from rnncls.reporting.plotting import COLORS, HEAT, new_figure
from rnncls.reporting.terminal_chart import Curve, score_of

_MOST_COUNTED = 20
"""Classes above which the cells of a confusion matrix have no room for their counts."""
_GREY = "#808080"


def draw_confusion(scores: Scores) -> Figure:
    """Draw the confusion matrix: a cell's colour is its share of the true class, its
    number the count.
    """
    names = [row.label for row in scores.per_class]
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
    places = range(len(names))
    axes.set_xticks(places, [_shorten(name) for name in names], rotation=45, ha="right")
    axes.set_yticks(places, [_shorten(name) for name in names])
    axes.set(xlabel="predicted", ylabel="true")
    for (row, column), share in np.ndenumerate(
        shares if len(names) <= _MOST_COUNTED else np.empty((0, 0))
    ):
        color = "black" if share > 0.5 else "white"
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            color=color,
        )
    return figure


def draw_reliability(bins: Sequence[Bin], raw: Sequence[Bin]) -> Figure:
    """Draw accuracy over confidence, before and after calibration, and how many texts
    have which confidence.
    """
    figure = new_figure(6.0, 5.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="as sure as right")
    for each, color, marker, name in (
        (raw, COLORS[1], "s", "before calibration"),
        (bins, COLORS[0], "o", "calibrated"),
    ):
        x, y = [own.confidence for own in each], [own.accuracy for own in each]
        above.plot(x, y, color=color, marker=marker, label=name)
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    above.legend(loc="upper left")
    starts, shares = [each.low for each in bins], [each.num_rows for each in bins]
    below.bar(
        starts, shares, width=1 / 15, align="edge", color=COLORS[0], edgecolor="white"
    )
    below.set(xlabel="probability of the predicted label", ylabel="texts")
    return figure


def draw_coverage(
    shares: npt.NDArray[np.float64],
    accuracies: npt.NDArray[np.float64],
    coverages: Sequence[Coverage],
) -> Figure:
    """Draw the accuracy of the most confident texts over their share, with intervals at
    some shares.
    """
    figure = new_figure(6.0, 3.5)
    axes = figure.subplots()
    places = np.unique(np.linspace(0, len(shares) - 1, 1000).astype(np.int64))
    axes.plot(shares[places], accuracies[places], color=COLORS[0])
    _draw_intervals(axes, [each.share for each in coverages], coverages, COLORS[0])
    lowest = min(each.interval[0] for each in coverages)
    axes.set(
        xlabel="share of the texts that are answered", ylabel="accuracy of the answers"
    )
    axes.set(xlim=(0, 1.02), ylim=(max(0.0, lowest - 0.05), 1.005))
    _as_percentages(axes)
    return figure


def draw_slices(
    by_length: Sequence[Slice], by_unknown_share: Sequence[Slice]
) -> Figure:
    """Draw accuracy with its interval over the number of tokens, and over the share of
    unknown words.
    """
    figure = new_figure(7.0, 3.5)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, slices, form, name in (
        (left, by_length, "{:,.0f}", "tokens"),
        (right, by_unknown_share, "{:.1%}", "unknown words"),
    ):
        _draw_intervals(axes, range(len(slices)), slices, COLORS[0])
        axes.set_xticks(
            range(len(slices)),
            [each.describe(form) for each in slices],
            rotation=30,
            ha="right",
        )
        axes.set_xlabel(name)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    left.set_ylabel("accuracy")
    return figure


def draw_curves(curves: Sequence[Curve]) -> Figure:
    """Draw loss and score over the epochs: training dashed, validation solid, a colour
    for each run.
    """
    score = score_of(curves)
    figure = new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2)
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        for axes, name in ((left, "loss"), (right, score)):
            for part, style, marker in (("train", "--", "."), ("valid", "-", "o")):
                rows = [row for row in curve.rows if f"{part}_{name}" in row]
                if rows:
                    x, y = (
                        [row["epoch"] for row in rows],
                        [row[f"{part}_{name}"] for row in rows],
                    )
                    label = f"{_shorten(curve.name)}, {part}"
                    axes.plot(
                        x, y, color=color, linestyle=style, marker=marker, label=label
                    )
    left.set(xlabel="epoch", ylabel="loss (nats)")
    right.set(xlabel="epoch", ylabel=score)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if score != "perplexity":
        right.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        fontsize="small",
    )
    return figure


def draw_accuracies(names: Sequence[str], scores: Sequence[Scores]) -> Figure:
    """Draw the accuracy of each run with its interval, the first run on top."""
    figure = new_figure(7.0, 1.2 + 0.35 * len(names))
    axes = figure.subplots()
    for place, each in enumerate(scores):
        low, high = each.accuracy_interval
        axes.plot([low, high], [place, place], color=COLORS[0], linewidth=2)
        axes.plot([each.accuracy], [place], color=COLORS[0], marker="o")
    axes.axvline(scores[0].accuracy, color=_GREY, linestyle=":")
    axes.set_yticks(range(len(names)), [_shorten(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("accuracy, with its 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    return figure


def _draw_intervals(
    axes: Axes,
    x: Sequence[float],
    found: Sequence[Slice] | Sequence[Coverage],
    color: str,
) -> None:
    y = [each.accuracy for each in found]
    lengths = [
        [each.accuracy - each.interval[0], each.interval[1] - each.accuracy]
        for each in found
    ]
    axes.errorbar(
        x, y, yerr=np.abs(np.transpose(lengths)), fmt="o", color=color, capsize=3
    )


def _as_percentages(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _shorten(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
