"""Learning curves as plain text: one chart of characters for each figure of the metric
rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 66, 12
"""Characters of a chart without its axis: with it, less than 80."""


@dataclass(frozen=True)
class Curve:
    """The metric rows of a run, an epoch each, and its name."""

    name: str
    rows: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Series:
    """A line of a chart: the character at its points, its name, and its points."""

    mark: str
    name: str
    points: list[tuple[float, float]]


def chart_lines(curves: Sequence[Curve]) -> list[str]:
    """Return a chart of the loss and one of the score, with a legend, as lines of less
    than 80 columns.

    A single run has a line for training and one for validation; several runs have that
    for validation alone.
    """
    lines: list[str] = []
    for name in ("loss", score_of(curves)):
        series, form = (
            _series_of(curves, name),
            ("{:.2%}" if name == "accuracy" else "{:.4g}"),
        )
        lines += [
            f"{'validation ' if len(curves) > 1 else ''}{name} by epoch",
            *draw(series, form),
            "",
        ]
        lines += [f"  {each.mark}  {each.name}" for each in series] + [""]
    return lines[:-1]


def score_of(curves: Sequence[Curve]) -> str:
    """Return which score the runs have: accuracy, or a language model's perplexity."""
    return (
        "accuracy"
        if all("valid_accuracy" in row for curve in curves for row in curve.rows)
        else "perplexity"
    )


def _series_of(curves: Sequence[Curve], name: str) -> list[Series]:
    if len(curves) > 1:
        marks = "123456789abcdefghijklmnopqrstuvwxyz"
        parts = [
            (marks[place % len(marks)], curve.name, curve, "valid")
            for place, curve in enumerate(curves)
        ]
    else:
        parts = [
            ("t", "training", curves[0], "train"),
            ("v", "validation", curves[0], "valid"),
        ]
    found = [
        Series(
            mark,
            label,
            [
                (row["epoch"], row[key])
                for row in curve.rows
                if (key := f"{part}_{name}") in row
            ],
        )
        for mark, label, curve, part in parts
    ]
    return [series for series in found if series.points]


def draw(series: Sequence[Series], form: str) -> list[str]:
    """Return a chart of `HEIGHT` lines and an axis below: a mark at each point, dots on
    the way to the next.
    """
    points = [point for each in series for point in each.points]
    (left, right), (low, high) = (
        (min(own), max(own)) for own in zip(*points, strict=True)
    )
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]

    def place(x: float, y: float) -> tuple[int, int]:
        column = round((x - left) / ((right - left) or 1) * (WIDTH - 1))
        return (
            HEIGHT - 1 - round((y - low) / ((high - low) or 1) * (HEIGHT - 1)),
            column,
        )

    for each in series:
        for (x, y), (next_x, next_y) in zip(each.points, each.points[1:], strict=False):
            for part in range(WIDTH):
                row, column = place(
                    x + (next_x - x) * part / WIDTH, y + (next_y - y) * part / WIDTH
                )
                grid[row][column] = (
                    "·" if grid[row][column] == " " else grid[row][column]
                )
    for each in series:
        for x, y in each.points:
            row, column = place(x, y)
            grid[row][column] = each.mark
    labels = {0: form.format(high), HEIGHT - 1: form.format(low)}
    lines = [
        f"{labels.get(number, ''):>8} │{''.join(row).rstrip()}"
        for number, row in enumerate(grid)
    ]
    ends = (
        f"{left:g}{right:>{WIDTH - len(f'{left:g}')}g}" if right > left else f"{left:g}"
    )
    return [*lines, " " * 9 + "└" + "─" * WIDTH, " " * 10 + ends]
