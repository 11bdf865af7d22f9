"""Tables for the terminal. Cells are plain text, never markup."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rnncls.text.display import printable

_MAX_LABEL_WIDTH = 20
"""The widest that a label may be in a table whose last column is a text."""


def plain_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1
) -> Table:
    """Build a table without lines.

    Args:
        title: The title.
        header: The names of the columns.
        rows: The cells of each row.
        num_texts: How many columns, from the left, hold text. The others hold numbers
            and are aligned to the right.
    """
    table = Table(title=_text(title), title_justify="left", box=None, pad_edge=False)
    _fill(table, header, rows, num_texts)
    return table


def grid_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1
) -> Table:
    """Build a table with lines; for the arguments see `plain_table`."""
    table = Table(title=_text(title), title_justify="left")
    _fill(table, header, rows, num_texts)
    return table


def with_ids(
    header: Sequence[str], rows: Sequence[Sequence[str]], ids: Sequence[str | None]
) -> tuple[list[str], list[list[str]]]:
    """Return a table with a column of ids after the first column, if there are ids."""
    if not any(row_id is not None for row_id in ids):
        return list(header), [list(row) for row in rows]
    with_id = [
        [row[0], row_id or "", *row[1:]] for row, row_id in zip(rows, ids, strict=True)
    ]
    return [header[0], "id", *header[1:]], with_id


def cut_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Table:
    """Build a table without lines; the last column is cut at the edge of the screen."""
    table = Table(title=_text(title), title_justify="left", box=None, pad_edge=False)
    for name in header[:-1]:
        table.add_column(
            _text(name), no_wrap=True, max_width=_MAX_LABEL_WIDTH, overflow="ellipsis"
        )
    table.add_column(_text(header[-1]))
    for row in rows:
        table.add_row(*map(_one_line, row))
    return table


def _fill(
    table: Table, header: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int
) -> None:
    for index, name in enumerate(header):
        is_text = index < num_texts
        table.add_column(
            _text(name), justify="left" if is_text else "right", overflow="fold"
        )
    for row in rows:
        table.add_row(*map(_text, row))


def _text(cell: str) -> Text:
    return Text(printable(cell))


def _one_line(cell: str) -> Text:
    line = printable(" ".join(cell.split()))
    return Text(line, no_wrap=True, overflow="ellipsis")
