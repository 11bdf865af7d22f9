"""Output of several commands: lines, tables and saved plots."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rnncls.text.display import printable_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


def save_plot(path: Path, figure: "Figure", kind: str) -> None:
    """Save a figure as PNG and report it on stderr; stdout may be a table or JSON.

    Args:
        path: The picture.
        figure: The figure.
        kind: What it shows, as `check_picture` expects it.

    Raises:
        RunError: The file cannot be written.
    """
    from rnncls.cli.reporting.plotting import save_picture

    save_picture(path, figure, kind)
    typer.echo(f"{path}: written", err=True)


def print_tables(
    lines: Iterable[str], tables: Sequence["Table"], *, fit: bool = False
) -> None:
    """Print lines, then tables.

    Args:
        lines: Neither wrapped nor parsed as markup.
        tables: Printed one below the other.
        fit: Whether to cut what is wider than the screen. If not, wide tables are
            printed in full: squeezed, they would lose digits.
    """
    from rich.console import Console

    console = Console()
    for line in lines:
        shown = printable_lines(line)
        console.print(shown, highlight=False, markup=False, soft_wrap=True)
    if not fit:
        unlimited = console.options.update(max_width=1_000_000)
        widths = [console.measure(table, options=unlimited).maximum for table in tables]
        console.width = max(console.width, *widths)
    console.print(*tables)
