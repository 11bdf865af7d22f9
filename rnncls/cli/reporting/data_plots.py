"""Plots of the inspection of a data set."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnncls.cli.reporting.plotting import COLORS, new_figure
from rnncls.data.inspection import Lengths
from rnncls.text.display import shorten

_NAME_LENGTH = 30


def plot_class_sizes(names: Sequence[str], num_rows: Sequence[int]) -> Figure:
    """Plot a horizontal bar for the number of training rows of each class."""
    figure = new_figure(7.0, 1.0 + 0.28 * len(names))
    axes = figure.add_subplot()
    axes.barh(range(len(names)), num_rows, color=COLORS[0])
    labels = [shorten(name, _NAME_LENGTH) for name in names]
    axes.set_yticks(range(len(names)), labels, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("training rows")
    return figure


def plot_lengths(lengths: Lengths, max_tokens: int) -> Figure:
    """Plot the histogram of the text lengths, with a line at `max_tokens`."""
    figure = new_figure(7.0, 3.0)
    axes = figure.add_subplot()
    width = lengths.edges[1] - lengths.edges[0]
    left_edges = [edge - 0.5 for edge in lengths.edges]
    last_edge = lengths.edges[-1]
    axes.bar(
        left_edges,
        lengths.counts,
        width=width * 0.9,
        align="edge",
        color=COLORS[0],
    )
    if max_tokens <= last_edge + width:
        _mark_limit(axes, max_tokens)
    axes.set_xlabel(f"tokens per text (last bar: {last_edge} or more)")
    axes.set_ylabel("training rows")
    return figure


def _mark_limit(axes: Axes, max_tokens: int) -> None:
    """Plot a vertical line after the last token that is read."""
    label = f"max_tokens: {max_tokens}"
    axes.axvline(max_tokens + 0.5, color=COLORS[1], label=label)
    axes.legend()
