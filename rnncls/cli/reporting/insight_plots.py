"""Plots of trajectories, accuracy by tokens read, gates, gradients and word order.

A table or the JSON output of the command has the same values.

Shapes: T tokens, C classes, H units.
"""

from collections.abc import Container, Mapping, Sequence
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnncls.cli.reporting.display import INTERVAL, percent
from rnncls.cli.reporting.fonts import replace_missing
from rnncls.cli.reporting.plotting import (
    COLORS,
    GREY,
    HEAT,
    SIGNED,
    new_figure,
    use_log_scale,
)
from rnncls.cli.reporting.written_text import name_tokens
from rnncls.inference.insight.anytime import AnytimePoint
from rnncls.inference.insight.gates import STATES, Trace
from rnncls.inference.insight.gradients import FLOOR, Measured
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.inference.insight.word_order import BAG, WordOrderResult

MAX_CLASSES = len(COLORS)
"""A plot has at most one line for each colour."""
_LINES = ("-", "--", "-.", ":")
_MAX_NAMED_TOKENS, _NAME_LENGTH = 80, 14


def plot_trajectory(trajectory: Trajectory) -> Figure:
    """Plot the probability of each class by tokens read, and where it was decided."""
    num_tokens = len(trajectory.tokens)
    figure = new_figure(width=_width(num_tokens), height=4.2)
    axes = figure.add_subplot()
    _plot_probs(axes, trajectory)
    axes.axvline(
        trajectory.decided_at + 1,
        color="black",
        linewidth=1,
        linestyle=":",
        label="decided",
    )
    names = name_tokens(trajectory.text, trajectory.tokens, trajectory.spans)
    _label_tokens(axes, names)
    axes.set(ylim=(0, 1), xlim=(0.5, num_tokens + 0.5))
    axes.set(xlabel="last token read", ylabel="probability")
    axes.set_title(
        f"Prediction after each token: {replace_missing(trajectory.predictions[-1])}"
    )
    figure.legend(loc="outside right upper")
    return figure


def _plot_probs(axes: Axes, trajectory: Trajectory) -> None:
    """Plot a line for each of the classes with the highest probabilities."""
    probs = np.array(trajectory.probs)  # [T, C]
    positions = np.arange(1, len(probs) + 1)
    ranked = np.argsort(-probs.max(axis=0), kind="stable")
    classes = sorted(ranked[:MAX_CLASSES])
    for class_id, color, line in zip(classes, COLORS, cycle(_LINES), strict=False):
        label = replace_missing(trajectory.labels[class_id])
        axes.plot(
            positions, probs[:, class_id], line, color=color, marker=".", label=label
        )


def plot_anytime(points: Sequence[AnytimePoint], title: str) -> Figure:
    """Plot accuracy, with its intervals, by number of tokens read."""
    figure = new_figure()
    axes = figure.add_subplot()
    lengths = [point.num_tokens for point in points]
    accuracies, errors = _accuracies_in_percent(points)
    axes.errorbar(lengths, accuracies, errors, color=COLORS[0], marker="o", capsize=3)
    micro_f1s = [point.micro_f1 for point in points if point.micro_f1 is not None]
    if micro_f1s:
        shares = 100 * np.array(micro_f1s)
        axes.plot(lengths, shares, color=COLORS[1], marker="s", label="micro-F1 in %")
        axes.legend()
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.set_xlabel("maximum number of tokens read")
    axes.set_ylabel(f"accuracy in %, with {INTERVAL}s")
    axes.set_title(replace_missing(title))
    return figure


def _accuracies_in_percent(
    points: Sequence[AnytimePoint],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the accuracies [N], and how far their intervals reach from them [2, N]."""
    accuracies = np.array([point.accuracy for point in points])
    intervals = np.array([point.accuracy_interval for point in points])
    low, high = intervals.T
    errors = np.maximum([accuracies - low, high - accuracies], 0)
    return 100 * accuracies, 100 * errors


def plot_trace(trace: Trace) -> Figure:
    """Plot heat maps of states and gates, units by tokens, a column per direction.

    The units are sorted by their memory after the last token, so that the units that
    remember something are at the edges.
    """
    names = list(next(iter(trace.directions.values())))
    num_rows, num_columns = len(names), len(trace.directions)
    width = _width(len(trace.tokens)) * num_columns
    figure = new_figure(width=width, height=2.2 * num_rows + 1.2)
    grid = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True)
    for direction, column in zip(trace.directions, grid.T, strict=True):
        _plot_direction(figure, column, trace, direction)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"units, by last {_memory_state(names)} state")
    return figure


def _plot_direction(
    figure: Figure, column: Sequence[Axes], trace: Trace, direction: str
) -> None:
    """Plot a heat map for each state and gate of a direction."""
    states_and_gates = trace.directions[direction]
    order = _order_by_memory(states_and_gates, direction)
    for axes, (name, rows) in zip(column, states_and_gates.items(), strict=True):
        is_state = name in STATES
        values = np.array(rows).T  # [H, T]
        _plot_heat(figure, axes, values[order], is_signed=is_state)
        axes.set_title(f"{name} {'state' if is_state else 'gate'}, {direction}")
    _label_tokens(column[-1], name_tokens(trace.text, trace.tokens, trace.spans))


def _order_by_memory(
    states_and_gates: Mapping[str, list[list[float]]], direction: str
) -> npt.NDArray[np.int64]:
    """Return the units in the order of their memory after the last token read. [H]."""
    memory = np.array(states_and_gates[_memory_state(states_and_gates)])  # [T, H]
    last_token = -1 if direction == "forward" else 0
    return np.argsort(memory[last_token], kind="stable")


def _memory_state(names: Container[str]) -> str:
    """Return the name of the state that is a network's memory."""
    return "cell" if "cell" in names else "hidden"


def plot_gradients(measured: Sequence[Measured]) -> Figure:
    """Plot gradient norms by distance; dashed lines are untrained networks."""
    figure = new_figure()
    axes = figure.add_subplot()
    labels = list(dict.fromkeys(network.label for network in measured))
    for network in measured:
        color = COLORS[labels.index(network.label) % len(COLORS)]
        _plot_norms(axes, network, color)
    axes.axhline(FLOOR, color=GREY, linewidth=0.8, linestyle=":")
    lowest = min(min(network.curve.shares) for network in measured)
    use_log_scale(axes)
    axes.set_ylim(max(1e-6, lowest / 2), 2)
    axes.set_xlabel("distance from the last token read (tokens)")
    axes.set_ylabel("gradient norm relative to\ndistance 0, median of the texts")
    axes.legend(fontsize="small")
    return figure


def _plot_norms(axes: Axes, network: Measured, color: str) -> None:
    axes.plot(
        network.curve.shares,
        {"first": "--", "trained": "-"}[network.weights],
        color=color,
        label=f"{network.label}, {network.weights_shown} weights",
    )


def plot_word_order(readings: Sequence[WordOrderResult]) -> Figure:
    """Plot a bar with an interval for the accuracy of each word order."""
    figure = new_figure(height=0.6 + 0.5 * len(readings))
    axes = figure.add_subplot()
    for position, reading in enumerate(readings):
        _plot_bar(axes, position, reading)
    names = [reading.name for reading in readings]
    axes.set_yticks(range(len(readings)), names)
    axes.set(xlim=(0, 1), xlabel=f"accuracy, with its {INTERVAL}")
    axes.invert_yaxis()
    return figure


def _plot_bar(axes: Axes, position: int, reading: WordOrderResult) -> None:
    """Plot the accuracy of a word order as a bar with its interval."""
    accuracy = reading.accuracy
    low, high = reading.interval
    errors = [[abs(low - accuracy)], [abs(high - accuracy)]]
    axes.barh(
        position,
        accuracy,
        xerr=errors,
        color=COLORS[reading.name == BAG],
        capsize=3,
    )
    axes.text(0.01, position, percent(accuracy, 1), va="center", color="white")


def _plot_heat(
    figure: Figure, axes: Axes, values: npt.NDArray[np.float64], *, is_signed: bool
) -> None:
    """Plot a heat map with a colour bar.

    The scale of a gate is 0 to 1. The scale of a state is symmetric and contains 99% of
    the values.

    Args:
        figure: The figure.
        axes: Where to plot.
        values: [H, T].
        is_signed: Whether they are the values of a state.
    """
    top = 1.0
    if is_signed:
        top = float(np.quantile(np.abs(values), 0.99))
    num_units, num_tokens = values.shape
    image = axes.imshow(
        values,
        cmap=SIGNED if is_signed else HEAT,
        vmin=-top if is_signed else 0.0,
        vmax=top,
        aspect="auto",
        interpolation="nearest",
        extent=(0.5, num_tokens + 0.5, num_units - 0.5, -0.5),
    )
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, pad=0.01, extend="both" if is_signed else "neither")


def _width(num_tokens: int) -> float:
    """Return the width of a plot that names its tokens, in inches."""
    return min(max(7.0, 2.0 + 0.2 * num_tokens), 16.0)


def _label_tokens(axes: Axes, tokens: Sequence[str]) -> None:
    """Label the x axis with the tokens, unless there are too many."""
    if len(tokens) > _MAX_NAMED_TOKENS:
        return
    names = []
    for token in tokens:
        is_long = len(token) > _NAME_LENGTH
        name = f"{token[: _NAME_LENGTH - 1]}…" if is_long else token
        names.append(replace_missing(name))
    axes.set_xticks(range(1, len(tokens) + 1), names, rotation=90, fontsize=8)
