"""Pictures: PNGs of the size asked for, the same each time, whatever a label holds."""

import struct
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from rnncls import RunError
from rnncls.cli.reporting.plotting import (
    COLORS,
    new_figure,
    save_picture,
    to_png,
    use_log_scale,
)


def draw(title: str = "loss") -> Figure:
    """Return a small figure."""
    figure = new_figure(2.0, 1.5)
    axes = figure.subplots()
    axes.plot([1, 2], [0.5, 0.25], color=COLORS[0])
    axes.set_title(title)
    axes.set_xticks([1, 2], [title, "two"])
    return figure


def test_a_png_has_144_dots_an_inch() -> None:
    png = to_png(draw())
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (288, 216)


def test_the_same_figure_is_the_same_bytes() -> None:
    assert to_png(draw()) == to_png(draw())


@pytest.mark.parametrize(
    "label",
    ["$5 or $10", "$\\frac$ of $", "世界 \U0001f600", "a\x00b\x07", "", "two\nlines"],
    ids=["dollars", "broken formula", "no glyph", "control", "empty", "lines"],
)
def test_a_label_of_anything_is_drawn(label: str) -> None:
    assert to_png(draw(label)).startswith(b"\x89PNG")


def test_dollars_are_not_taken_for_a_formula() -> None:
    assert to_png(draw("$x$")) != to_png(draw("x"))
    assert to_png(draw("$x$")) != to_png(draw("$ x $"))  # a formula has no spaces


def test_the_labels_of_a_log_scale_are_plain_numbers() -> None:
    figure = new_figure()
    axes = figure.add_subplot()
    axes.plot([1.0, 0.03, 1e-5])
    use_log_scale(axes)
    to_png(figure)
    labels = [
        label.get_text()
        for label in axes.get_yticklabels(which="both")
        if label.get_text()
    ]
    assert {"1", "0.01", "0.0001"} < set(labels)
    assert not any("$" in label for label in labels)


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    save_picture(tmp_path / "loss.png", draw())
    assert (tmp_path / "loss.png").read_bytes() == to_png(draw())


def test_a_picture_that_cannot_be_written_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"loss\.png: cannot be written"):
        save_picture(tmp_path / "none" / "loss.png", draw())
