"""Learning curves as text: a chart of characters for each metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 66, 12
"""Size of a chart in characters, without its axes. With them it fits 80 columns."""
_MARKS = "123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class LearningCurve:
    """The name of a run and its metric rows, one for each epoch."""

    name: str
    rows: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Series:
    """A line of a chart: the character at its points, its name, and its points."""

    mark: str
    name: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class _Scale:
    """The ranges of x and y that a chart covers."""

    left: float
    right: float
    low: float
    high: float

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Return the row and the column of a point."""
        x_share = (x - self.left) / ((self.right - self.left) or 1)
        y_share = (y - self.low) / ((self.high - self.low) or 1)
        row = HEIGHT - 1 - round(y_share * (HEIGHT - 1))
        return row, round(x_share * (WIDTH - 1))


def chart_lines(curves: Sequence[LearningCurve]) -> list[str]:
    """Return a chart of the loss and one of the score, with legends.

    For a single run, each chart has a line for training and one for validation. For
    several runs, it has a line for the validation of each run.
    """
    lines: list[str] = []
    for metric in ("loss", score_name(curves)):
        form = "{:.2%}" if metric == "accuracy" else "{:.4g}"
        title = f"{metric} by epoch"
        series = _series_of(curves, metric)
        lines += [f"validation {title}" if len(curves) > 1 else title]
        lines += plot_series(series, form)
        lines += ["", *(f"  {line.mark}  {line.name}" for line in series), ""]
    return lines[:-1]


def score_name(curves: Sequence[LearningCurve]) -> str:
    """Return the score of the runs: accuracy, or perplexity for language models."""
    rows = [row for curve in curves for row in curve.rows]
    return "accuracy" if all("valid_accuracy" in row for row in rows) else "perplexity"


def _series_of(curves: Sequence[LearningCurve], metric: str) -> list[Series]:
    if len(curves) == 1:
        series = [
            Series("t", "training", _points(curves[0], f"train_{metric}")),
            Series("v", "validation", _points(curves[0], f"valid_{metric}")),
        ]
    else:
        series = [
            Series(
                _MARKS[index % len(_MARKS)],
                curve.name,
                _points(curve, f"valid_{metric}"),
            )
            for index, curve in enumerate(curves)
        ]
    return [line for line in series if line.points]


def _points(curve: LearningCurve, key: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[key]) for row in curve.rows if key in row]


def plot_series(series: Sequence[Series], form: str) -> list[str]:
    """Plot the series as characters: a mark at each point, dots between them.

    Args:
        series: The lines of the chart, with at least one point.
        form: How to format a label of the y axis, such as `{:.2%}`.

    Returns:
        `HEIGHT` lines, and two lines for the x axis.
    """
    scale = _scale_of(series)
    rows = _plot_grid(series, scale)
    labels = [""] * HEIGHT
    labels[0] = form.format(scale.high)
    labels[-1] = form.format(scale.low)
    lines = [f"{label:>8} │{row}" for label, row in zip(labels, rows, strict=True)]
    return [*lines, *_x_axis(scale)]


def _plot_grid(series: Sequence[Series], scale: _Scale) -> list[str]:
    """Return the rows of the chart, without axes."""
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for line in series:
        _plot_dots(grid, line, scale)
    for line in series:
        _plot_marks(grid, line, scale)
    return ["".join(characters).rstrip() for characters in grid]


def _scale_of(series: Sequence[Series]) -> _Scale:
    """Return the scale that covers all points."""
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    return _Scale(min(xs), max(xs), min(ys), max(ys))


def _plot_marks(grid: list[list[str]], line: Series, scale: _Scale) -> None:
    """Put the mark of a line at its points."""
    for x, y in line.points:
        row, column = scale.cell(x, y)
        grid[row][column] = line.mark


def _plot_dots(grid: list[list[str]], line: Series, scale: _Scale) -> None:
    """Connect the points of a line by dots, where the grid is still empty."""
    for (x, y), (next_x, next_y) in zip(line.points, line.points[1:], strict=False):
        for step in range(WIDTH):
            dot_x = x + (next_x - x) * step / WIDTH
            dot_y = y + (next_y - y) * step / WIDTH
            row, column = scale.cell(dot_x, dot_y)
            if grid[row][column] == " ":
                grid[row][column] = "·"


def _x_axis(scale: _Scale) -> list[str]:
    ends = f"{scale.left:g}"
    if scale.right > scale.left:
        ends += f"{scale.right:>{WIDTH - len(ends)}g}"
    return [" " * 9 + "└" + "─" * WIDTH, " " * 10 + ends]
