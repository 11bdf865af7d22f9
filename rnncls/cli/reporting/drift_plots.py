"""Plots of drift: the distributions of the reference and of the file."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from rnncls.cli.reporting.plotting import COLORS, new_figure
from rnncls.evaluation.drift_labels import LabelShift
from rnncls.evaluation.drift_result import Quantiles
from rnncls.text.display import shorten

_NAME_LENGTH = 30
_BAR_HEIGHT = 0.4


def plot_distributions(distributions: Sequence[Quantiles]) -> Figure:
    """Plot the cumulative distributions of the lengths and of the confidences."""
    figure = new_figure(7.0, 3.2)
    panels = figure.subplots(1, len(distributions), sharey=True, squeeze=False)[0]
    for axes, quantiles in zip(panels, distributions, strict=True):
        _plot_quantiles(axes, quantiles)
    panels[0].set_ylabel("share of the texts")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[0].legend()
    return figure


def _plot_quantiles(axes: Axes, quantiles: Quantiles) -> None:
    samples = {"reference": quantiles.reference, "file": quantiles.file}
    is_length = quantiles.aspect == "length"
    for color, (name, values) in zip(COLORS, samples.items(), strict=False):
        shares = np.linspace(0, 1, len(values))
        lowest = 1.0 if is_length else 0.0
        axes.plot(np.maximum(values, lowest), shares, color=color, label=name)
    if is_length:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("tokens per text" if is_length else "confidence")


def plot_label_shares(shifts: Sequence[LabelShift]) -> Figure:
    """Plot two bars for each label: its share of the reference and of the file."""
    figure = new_figure(7.0, 1.2 + 0.4 * len(shifts))
    axes = figure.add_subplot()
    places = np.arange(len(shifts))
    reference = [shift.reference for shift in shifts]
    file = [shift.file for shift in shifts]
    axes.barh(places, reference, _BAR_HEIGHT, color=COLORS[0], label="reference")
    axes.barh(places + _BAR_HEIGHT, file, _BAR_HEIGHT, color=COLORS[1], label="file")
    labels = [shorten(shift.label, _NAME_LENGTH) for shift in shifts]
    axes.set_yticks(places + _BAR_HEIGHT / 2, labels, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("share of the texts")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend()
    return figure
