"""The columns of the text in a file or a stream that a run reads, and its texts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnncls.cli.text_arguments import STDIN

if TYPE_CHECKING:
    from rnncls.config.sections import DataSection
    from rnncls.data.rows import Columns


def find_text_columns(section: "DataSection", text: Sequence[str]) -> "Columns":
    """Return the columns of the text in the input.

    Args:
        section: The data section of the run's config.
        text: The columns that the user names; empty: those of the run.
    """
    from dataclasses import replace

    from rnncls.data.datasets import columns_of
    from rnncls.data.rows import quote_names

    columns = replace(columns_of(section), label=None)
    if text:
        hint = "name a column of the file with --text"
        return replace(columns, text=tuple(text), must_be_table=True, hint=hint)
    word = "column" if len(section.text) == 1 else "columns"
    hint = (
        f"the run was trained on the {word} {quote_names(section.text)}: rename the"
        f" {word} of the file, or name {'it' if word == 'column' else 'them'} with"
        " rnncls predict --text"
    )
    return replace(columns, hint=hint)


def can_read(path: Path, columns: "Columns") -> bool:
    """Return whether the first rows of a file can be read with these columns."""
    from rnncls import DataError
    from rnncls.data.readers import read_rows

    try:
        next(read_rows(path, columns), None)
    except DataError:
        return False  # a reader of fewer columns raises any other error again
    return True


def read_texts(
    source: str, section: "DataSection", text: Sequence[str] = ()
) -> Iterator[list[str]]:
    """Yield chunks of texts from a file, or the lines of stdin.

    Args:
        source: The file, or `-` for stdin.
        section: The data section of the run's config.
        text: The columns of the text in the file; empty: those of the run.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong; or stdin
            is a table.
    """
    from rnncls.cli.predict_input import read_stdin_lines
    from rnncls.data.readers import read_rows

    columns = find_text_columns(section, text)
    if source == STDIN:
        yield from read_stdin_lines(columns)
        return
    for chunk in read_rows(Path(source), columns):
        yield chunk.texts
