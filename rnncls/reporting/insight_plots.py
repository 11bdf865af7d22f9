"""What was seen inside a network, as pictures: trajectories, accuracy against tokens
read,
states and gates.

What each picture shows is also in a table or in JSON, which the commands print.
"""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from rnncls.inference.insight.gates import STATES, Trace
from rnncls.inference.insight.gradients import FLOOR, Measured
from rnncls.inference.insight.trajectory import AnytimePoint, Trajectory
from rnncls.inference.insight.word_order import BAG, WordOrderResult
from rnncls.reporting.plotting import COLORS, HEAT, SIGNED, new_figure, use_log_scale

SHOWN_CLASSES = len(COLORS)
"""A picture has no more lines than it has colours."""
_LINES = ("-", "--", "-.", ":")
_NAMED_TOKENS, _LONGEST_NAME = 80, 14


def draw_trajectory(trajectory: Trajectory) -> Figure:
    """Return the probability of each class, a line each, over the tokens read; a mark
    at the one that decided.
    """
    num_tokens = len(trajectory.tokens)
    figure = new_figure(width=_width(num_tokens), height=4.2)
    axes = figure.add_subplot()
    probs = np.array(trajectory.probs)  # [T, C]
    ranked = np.argsort(-probs.max(axis=0), kind="stable")[:SHOWN_CLASSES]
    for number, color, line in zip(sorted(ranked), COLORS, cycle(_LINES), strict=False):
        places = np.arange(1, num_tokens + 1)
        axes.plot(
            places,
            probs[:, number],
            line,
            color=color,
            marker=".",
            label=_plain(trajectory.labels[number]),
        )
    axes.axvline(
        trajectory.decided_at + 1,
        color="black",
        linewidth=1,
        linestyle=":",
        label="decided",
    )
    _name_tokens(axes, trajectory.tokens)
    axes.set(
        ylim=(0, 1),
        xlim=(0.5, num_tokens + 0.5),
        ylabel="probability",
        xlabel="token read last",
    )
    axes.set_title(f"Verdict after each token: {_plain(trajectory.verdicts[-1])}")
    figure.legend(loc="outside right upper")
    return figure


def draw_anytime(points: Sequence[AnytimePoint], title: str) -> Figure:
    """Return the accuracy, with its intervals, over the tokens read of each text."""
    figure = new_figure()
    axes = figure.add_subplot()
    lengths = [point.num_tokens for point in points]
    accuracies = np.array([point.accuracy for point in points]) * 100
    lows, highs = (
        np.array([point.accuracy_interval[side] for point in points]) * 100
        for side in (0, 1)
    )
    axes.errorbar(
        lengths,
        accuracies,
        np.maximum([accuracies - lows, highs - accuracies], 0),
        color=COLORS[0],
        marker="o",
        capsize=3,
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.set(
        xlabel="tokens read of each text, at the most",
        ylabel="accuracy in %, with 95 % intervals",
    )
    axes.set_title(_plain(title))
    return figure


def draw_trace(trace: Trace) -> Figure:
    """Return heat maps of states, cells and gates, a column a direction: units over
    tokens.

    The units are in the order of what they hold once all is read, so that those that
    kept something stand at the edges.
    """
    ways = list(trace.directions)
    names = list(trace.directions[ways[0]])
    width = _width(len(trace.tokens))
    figure = new_figure(width=width * len(ways), height=2.2 * len(names) + 1.2)
    grid = figure.subplots(len(names), len(ways), squeeze=False, sharex=True)
    for column, way in enumerate(ways):
        values = {
            name: np.array(each).T for name, each in trace.directions[way].items()
        }  # [H, T]
        kept = "cell" if "cell" in values else "hidden"
        memory = values[kept]
        order = np.argsort(memory[:, -1 if way == "forward" else 0], kind="stable")
        for row, name in enumerate(names):
            axes = grid[row, column]
            _draw_heat(figure, axes, values[name][order], is_signed=name in STATES)
            axes.set_title(f"{name}{' state' if name in STATES else ' gate'}, {way}")
            if column == 0:
                axes.set_ylabel(f"units, by last {kept} state")
        _name_tokens(grid[-1, column], trace.tokens)
    return figure


def draw_gradients(measured: Sequence[Measured]) -> Figure:
    """Return a picture of the shares, a line a curve; dashed are first weights."""
    figure = new_figure()
    axes = figure.add_subplot()
    places = {
        label: place
        for place, label in enumerate(dict.fromkeys(each.label for each in measured))
    }
    for each in measured:
        color, style = (
            COLORS[places[each.label] % len(COLORS)],
            {"first": "--", "trained": "-"}[each.weights],
        )
        axes.plot(
            each.curve.shares,
            style,
            color=color,
            label=f"{each.label}, {each.weights} weights",
        )
    axes.axhline(FLOOR, color="#666666", linewidth=0.8, linestyle=":")
    lowest = min(min(each.curve.shares) for each in measured)
    use_log_scale(axes)
    axes.set(
        ylim=(max(1e-6, lowest / 2), 2),
        xlabel="distance from the last token read (tokens)",
    )
    axes.set_ylabel(
        "length of the gradient by that\nat distance 0, median of the texts"
    )
    axes.legend(fontsize="small")
    return figure


def draw_word_order(readings: Sequence[WordOrderResult]) -> Figure:
    """Return a picture of the accuracies and their intervals, a bar a reading."""
    figure = new_figure(height=0.6 + 0.5 * len(readings))
    axes = figure.add_subplot()
    values = np.array([reading.accuracy for reading in readings])
    ends = np.array([reading.interval for reading in readings]).T
    spread = np.abs(ends - values)
    colors = [COLORS[1] if reading.name == BAG else COLORS[0] for reading in readings]
    axes.barh(
        [reading.name for reading in readings],
        values,
        xerr=spread,
        color=colors,
        capsize=3,
    )
    for place, value in enumerate(values):
        axes.text(0.01, place, f"{value:.1%}", va="center", color="white")
    axes.set(xlim=(0, 1), xlabel="accuracy, with its 95 % interval")
    axes.invert_yaxis()
    return figure


def _draw_heat(
    figure: Figure, axes: Axes, values: npt.NDArray[np.float64], *, is_signed: bool
) -> None:
    """Draw [H, T] with a scale: a gate's from 0 to 1, a state's as far to both sides of
    zero as 99 % of the values.
    """
    top = float(np.quantile(np.abs(values), 0.99)) if is_signed else 1.0
    extent = (0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5)
    image = axes.imshow(
        values,
        cmap=SIGNED if is_signed else HEAT,
        vmin=-top if is_signed else 0.0,
        vmax=top,
        aspect="auto",
        interpolation="nearest",
        extent=extent,
    )
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, pad=0.01, extend="both" if is_signed else "neither")


def _width(num_tokens: int) -> float:
    """Return a picture's width in inches, from a page's to twice that, by the tokens
    that are named in it.
    """
    return min(max(7.0, 2.0 + 0.2 * num_tokens), 16.0)


def _name_tokens(axes: Axes, tokens: Sequence[str]) -> None:
    """Write the tokens below, or their numbers where they are too many."""
    if len(tokens) <= _NAMED_TOKENS:
        names = [
            _plain(
                token
                if len(token) <= _LONGEST_NAME
                else f"{token[: _LONGEST_NAME - 1]}…"
            )
            for token in tokens
        ]
        axes.set_xticks(range(1, len(tokens) + 1), names, rotation=90, fontsize=8)


def _plain(text: str) -> str:
    """Return a text in which matplotlib finds no formula, and none of the signs that
    its font lacks.
    """
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(
        sign if ord(sign) in known and sign.isprintable() else "?" for sign in text
    ).replace("$", r"\$")
