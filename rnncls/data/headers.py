"""Recognise a table where lines of text are expected, by its first line."""

import csv
import json

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data.formats import DELIMITERS, parse_csv
from rnncls.data.rows import Columns


def find_table_form(line: str, columns: Columns) -> str | None:
    """Return `csv` or `jsonl` if a line has the columns of the text; None otherwise.

    A header names them. A JSON object has them as keys.
    """
    if find_header_delimiter(line, columns) is not None:
        return "csv"
    if not line.lstrip().startswith("{"):
        return None
    try:
        keys = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return "jsonl" if set(columns.text) <= set(keys) else None


def find_header_delimiter(header: str, columns: Columns) -> str | None:
    """Return the delimiter by which a line names all columns of the text, or None."""
    for delimiter in DELIMITERS:
        try:
            names: list[str] = next(parse_csv([header], delimiter), [])
        except csv.Error:
            continue
        if set(columns.text) <= set(names):
            return delimiter
    return None


def check_first_text(
    line: str, source: str, columns: Columns, *, has_format: bool = False
) -> None:
    """Check that the first of several lines is a text.

    Args:
        line: The first line.
        source: Where it is from, for the message.
        columns: The columns of the text.
        has_format: Whether the command has the option `--format`.

    Raises:
        DataError: It names the columns of the text, or is a JSON object that has them.
    """
    form = find_table_form(line, columns)
    if form is None:
        return
    if has_format:
        advice = f"add --format {form}, or --format lines if it is a text"
    else:
        advice = (
            "expected one text per line, without other columns; if it is a text, put an"
            " empty line before it"
        )
    raise DataError(
        f"{source}: row 1 looks like {form.upper()} with the run's columns, not like a"
        f" text: {advice}: {shorten(line)}"
    )
