"""The basis of all plots: figures, colours and PNG files, with matplotlib.

The colours are distinguishable for the colour-blind. Each command draws on its own
figure, without global state and without a display. Importing matplotlib takes half a
second, so a command imports this module only when it plots.
"""

import io
import warnings
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter

from rnncls.cli.reporting.fonts import choose_families
from rnncls.machine.files import write_atomic

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette (2008), for lines and bars, in the order of use."""
GREY = "#808080"
"""The colour of lines for reference."""
HEAT, SIGNED = "cividis", "PuOr"
"""matplotlib colour maps for amounts, and for values on both sides of zero."""


def new_figure(width: float = 7.0, height: float = 4.0) -> Figure:
    """Create an empty figure of this size in inches; its layout never cuts a label."""
    return Figure(figsize=(width, height), layout="constrained")


def use_log_scale(axes: Axes) -> None:
    """Make the y axis logarithmic, labelled with plain numbers instead of formulas."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def to_png(figure: Figure, kind: str | None = None) -> bytes:
    """Render a figure as PNG with 144 dots per inch, always to the same bytes.

    Labels are never parsed as formulas. Characters that matplotlib's font lacks are
    drawn with a font of the system; without one they become boxes, without a warning.

    Args:
        figure: The figure.
        kind: What it shows, which is written into the PNG as its title, so that a
            command recognises an earlier picture of its own; None: nothing is written.
    """
    metadata = {"Software": None, "Title": kind}
    if kind is not None:
        metadata["Software"] = "rnncls"
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        text.set_fontfamily(choose_families(text.get_text()))
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(stream, format="png", dpi=144, metadata=metadata)
    return stream.getvalue()


def save_picture(path: Path, figure: Figure, kind: str | None = None) -> None:
    """Write a figure as PNG, atomically.

    Args:
        path: The file.
        figure: The figure.
        kind: What it shows; see `to_png`.

    Raises:
        RunError: The file cannot be written.
    """
    write_atomic(path, to_png(figure, kind))
