"""Plots of evaluations of several labels a text; tables show the same values."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from rnncls.cli.reporting.evaluation_plots import plot_reliability
from rnncls.cli.reporting.plotting import COLORS, new_figure
from rnncls.evaluation.calibration import Bin
from rnncls.evaluation.label_coverage import SelectiveLabelScores
from rnncls.evaluation.label_metrics import LabelScores
from rnncls.text.display import shorten

MAX_PLOTTED_LABELS = 60
"""With more labels, only the first ones are plotted."""
_NAME_LENGTH = 24


def plot_label_f1s(per_label: Sequence[LabelScores]) -> Figure:
    """Plot F1 of each label as a bar, precision and recall as points.

    Args:
        per_label: The labels, from top to bottom.
    """
    shown = per_label[:MAX_PLOTTED_LABELS]
    names = [f"{shorten(row.label, _NAME_LENGTH)} ({row.support:,})" for row in shown]
    positions = range(len(shown))
    figure = new_figure(7.0, 1.5 + 0.25 * len(shown))
    axes = figure.subplots()
    f1s = [row.f1 for row in shown]
    axes.barh(positions, f1s, color=COLORS[0], alpha=0.5, label="F1")
    precisions = [row.precision for row in shown]
    axes.plot(precisions, positions, "s", color=COLORS[1], label="precision")
    recalls = [row.recall for row in shown]
    axes.plot(recalls, positions, "o", color=COLORS[2], label="recall")
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel="share")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def plot_label_reliability(bins: Sequence[Bin], raw_bins: Sequence[Bin]) -> Figure:
    """Plot how often texts have a label, by its probability.

    Args:
        bins: The bins of the calibrated probabilities of all labels.
        raw_bins: The bins before calibration.
    """
    figure = plot_reliability(bins, raw_bins)
    above, below = figure.axes
    above.set_ylabel("share that have the label")
    below.set(xlabel="probability of a label", ylabel="decisions", yscale="log")
    below.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


def plot_label_coverage(coverage: Sequence[SelectiveLabelScores]) -> Figure:
    """Plot the scores of the texts that are kept, by their share of all texts.

    Args:
        coverage: The points to plot, the subset accuracy with its interval.
    """
    figure = new_figure(6.0, 3.5)
    axes = figure.subplots()
    shares = [point.share for point in coverage]
    accuracies = [point.subset_accuracy for point in coverage]
    below = [point.subset_accuracy - point.interval[0] for point in coverage]
    above = [point.interval[1] - point.subset_accuracy for point in coverage]
    axes.errorbar(
        shares,
        accuracies,
        # Rounding may put a share of 0 or 1 outside its interval.
        yerr=[[max(length, 0.0) for length in side] for side in (below, above)],
        fmt="o-",
        color=COLORS[0],
        capsize=3,
        label="subset accuracy",
    )
    micro_f1s = [point.micro_f1 for point in coverage]
    axes.plot(shares, micro_f1s, "s-", color=COLORS[1], label="micro-F1")
    axes.set(xlabel="share of texts kept", ylabel="score of these")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower center", ncols=2)
    return figure
