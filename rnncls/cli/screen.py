"""Lines and tables on the screen of a person, or in a pipe."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def print_tables(lines: Iterable[str], tables: Sequence["Table"], *, fit: bool = False) -> None:
    """Print lines as they are, then tables.

    Args:
        lines: Never wrapped, never taken for markup.
        tables: Below one another.
        fit: Whether to cut what is too wide for the screen: squeezed, a table of many columns would lose its figures.
    """
    from rich.console import Console

    console = Console()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not fit:
        unlimited = console.options.update(max_width=1_000_000)
        console.width = max(console.width, *(console.measure(table, options=unlimited).maximum for table in tables))
    console.print(*tables)
