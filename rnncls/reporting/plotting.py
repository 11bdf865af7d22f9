"""Pictures drawn by matplotlib, in colours that the colour-blind tell apart, as PNG.

Each command draws on a figure of its own: nothing here keeps a state, and no screen is
needed. matplotlib takes half a second to import, so a command imports this module only
when it draws.
"""

import io
import warnings
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter

from rnncls.machine.files import write_atomic

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette (2008), for lines and bars, in the order of use."""
HEAT, SIGNED = "cividis", "PuOr"
"""matplotlib's colour maps for amounts, and for values on both sides of zero."""


def new_figure(width: float = 7.0, height: float = 4.0) -> Figure:
    """Return an empty figure of that size in inches, laid out so that no label is cut."""
    return Figure(figsize=(width, height), layout="constrained")


def use_log_scale(axes: Axes) -> None:
    """Scale the y axis by powers of ten, labelled as plain numbers: matplotlib's own
    labels are formulas.
    """
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG of 144 dots an inch, the same bytes each time.

    A label stays text, `$x$` too; a letter that the font lacks becomes a box, without a
    word on stderr.
    """
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(stream, format="png", dpi=144, metadata={"Software": None})
    return stream.getvalue()


def save_picture(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises:
        RunError: The file cannot be written.
    """
    write_atomic(path, to_png(figure))
