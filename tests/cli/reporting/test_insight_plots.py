"""Pictures: what is drawn is what was found."""

import itertools

import numpy as np
import pytest

from rnncls.cli.reporting.insight_plots import plot_anytime, plot_trace, plot_trajectory
from rnncls.cli.reporting.plotting import to_png
from rnncls.inference.insight.anytime import AnytimePoint
from rnncls.inference.insight.gates import Trace
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.text.traced_text import Span


def place(tokens: list[str]) -> list[Span]:
    """Return where the tokens are in a text that has a space between them."""
    ends = list(itertools.accumulate(len(token) + 1 for token in tokens))
    starts = [0, *ends]
    return [Span(start, end - 1) for start, end in zip(starts, ends, strict=False)]


def trajectory(num_classes: int = 2, tokens: list[str] | None = None) -> Trajectory:
    tokens = tokens or ["rovers", "meet", "oslo"]
    probs = (
        np.random.default_rng(0).dirichlet(np.ones(num_classes), len(tokens)).tolist()
    )
    return Trajectory(
        " ".join(tokens),
        [f"class {number}" for number in range(num_classes)],
        tokens,
        place(tokens),
        probs,
        is_reread=False,
    )


def test_a_trajectory_has_a_line_a_class_and_one_at_the_token_that_decided() -> None:
    found = trajectory()
    figure = plot_trajectory(found)
    *classes, decided = figure.axes[0].get_lines()
    np.testing.assert_allclose(
        [np.asarray(line.get_ydata(), dtype=float) for line in classes],
        np.array(found.probs).T,
    )
    assert list(np.asarray(decided.get_xdata())) == [found.decided_at + 1] * 2
    assert [
        label.get_text() for label in figure.axes[0].get_xticklabels()
    ] == found.tokens


def test_more_classes_than_colours_leave_those_that_never_rise() -> None:
    found = trajectory(num_classes=12)
    *classes, _ = plot_trajectory(found).axes[0].get_lines()
    tops = np.sort(np.array(found.probs).max(axis=0))[-7:]
    assert sorted(
        float(np.max(np.asarray(line.get_ydata()))) for line in classes
    ) == pytest.approx(list(tops))


@pytest.mark.parametrize(
    "tokens",
    [["$x^$", "\u65e5\u672c", "\x1b", "a" * 40, "\udcff"], ["w"] * 300],
    ids=["odd", "many"],
)
def test_odd_tokens_are_drawn_without_a_warning(tokens: list[str]) -> None:
    assert to_png(plot_trajectory(trajectory(tokens=tokens))).startswith(b"\x89PNG")


def test_the_anytime_curve_has_its_intervals() -> None:
    points = [
        AnytimePoint(1, 0.5, (0.4, 0.7), 0.0),
        AnytimePoint(2, 0.75, (0.6, 0.8), 1.0),
    ]
    axes = plot_anytime(points, "t").axes[0]
    (container,) = axes.containers
    line, *_, bars = container.get_children()
    np.testing.assert_allclose(line.get_xydata(), [[1, 50], [2, 75]])  # type: ignore[attr-defined]
    segments = bars.get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose([each[:, 1] for each in segments], [[40, 70], [60, 80]])


def test_heat_maps_have_a_column_a_token_and_the_units_by_what_they_keep() -> None:
    cell = [[0.0, 1.0, 0.0], [0.5, 3.0, -2.0]]
    gate = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    values = {"hidden": cell, "cell": cell, "forget": gate}
    directions = {"forward": values, "backward": values}
    tokens = ["a", "b"]
    trace = Trace("a b", tokens, place(tokens), "lstm", 1, 1, directions)
    figure = plot_trace(trace)
    images = {
        axes.get_title(): axes.get_images()[0]
        for axes in figure.axes
        if axes.get_images() and axes.get_title()
    }
    assert list(images) == [
        f"{name}, {way}"
        for name in ("hidden state", "cell state", "forget gate")
        for way in ("forward", "backward")
    ]
    order = [2, 0, 1]  # by the last token: -2.0, 0.5, 3.0
    np.testing.assert_allclose(
        np.asarray(images["forget gate, forward"].get_array()), np.array(gate).T[order]
    )
    assert images["forget gate, forward"].get_clim() == (0.0, 1.0)
    low, high = images["cell state, forward"].get_clim()
    assert low == -high
    order = [0, 2, 1]  # a backward reader ends at the first token: 0.0, 0.0, 1.0
    np.testing.assert_allclose(
        np.asarray(images["cell state, backward"].get_array()), np.array(cell).T[order]
    )


def test_a_picture_is_the_same_each_time() -> None:
    assert to_png(plot_trajectory(trajectory())) == to_png(
        plot_trajectory(trajectory())
    )
