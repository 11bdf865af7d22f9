"""Lines and tables on the screen of a person, or in a pipe."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


def save_plot(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG and say so on stderr, for stdout may be a table or JSON.

    Raises:
        RunError: The file cannot be written.
    """
    from rnncls.reporting.plotting import save_picture

    save_picture(path, figure)
    typer.echo(f"{path}: written", err=True)


def print_tables(
    lines: Iterable[str], tables: Sequence["Table"], *, fit: bool = False
) -> None:
    """Print lines as they are, then tables.

    Args:
        lines: Never wrapped, never taken for markup.
        tables: Below one another.
        fit: Whether to cut what is too wide for the screen: squeezed, a table of many
            columns would lose its figures.
    """
    from rich.console import Console

    console = Console()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not fit:
        unlimited = console.options.update(max_width=1_000_000)
        console.width = max(
            console.width,
            *(console.measure(table, options=unlimited).maximum for table in tables),
        )
    console.print(*tables)
