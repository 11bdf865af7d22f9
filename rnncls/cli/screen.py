"""Output of several commands: lines, tables and saved plots."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rnncls import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


HTML, PNG = (".html", ".htm"), (".png",)


def check_ending(path: Path | None, endings: Sequence[str]) -> None:
    """Check that the name of a file to write does not promise another format.

    Args:
        path: The file; None: there is none.
        endings: The endings of its format, the usual one first.

    Raises:
        ConfigError: It has another ending. A name without an ending is allowed.
    """
    if path is None or not path.suffix or path.suffix.lower() in endings:
        return
    form = endings[0].removeprefix(".").upper()
    raise ConfigError(
        f"{path}: would be written as {form}: choose a name that ends in {endings[0]}"
    )


def save_plot(path: Path, figure: "Figure") -> None:
    """Save a figure as PNG and report it on stderr; stdout may be a table or JSON.

    Raises:
        ConfigError: The name has an ending of another format.
        RunError: The file cannot be written.
    """
    from rnncls.reporting.plotting import save_picture

    check_ending(path, PNG)

    save_picture(path, figure)
    typer.echo(f"{path}: written", err=True)


def print_tables(
    lines: Iterable[str], tables: Sequence["Table"], *, fit: bool = False
) -> None:
    """Print lines, then tables.

    Args:
        lines: Printed as they are: neither wrapped nor parsed as markup.
        tables: Printed one below the other.
        fit: Whether to cut what is wider than the screen. If not, wide tables are
            printed in full: squeezed, they would lose digits.
    """
    from rich.console import Console

    console = Console()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not fit:
        unlimited = console.options.update(max_width=1_000_000)
        widths = [console.measure(table, options=unlimited).maximum for table in tables]
        console.width = max(console.width, *widths)
    console.print(*tables)
