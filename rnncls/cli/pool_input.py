"""The pool of `rnncls suggest`: texts of a file or stdin, as `predict` reads them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from rnncls import DataError
from rnncls.cli.outputs import is_special
from rnncls.cli.text_arguments import STDIN
from rnncls.cli.text_columns import find_text_columns
from rnncls.text.display import printable_lines

if TYPE_CHECKING:
    from rnncls.config.sections import DataSection
    from rnncls.data.rows import Columns
    from rnncls.inference.active_learning.pool import Pool

PoolForm = Literal["csv", "lines", "jsonl"]


def read_pool(
    source: str,
    section: "DataSection",
    form: PoolForm | None,
    keep: list[str],
    text: list[str],
) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the texts of a pool, and the values of kept columns of each.

    The values of the columns of the text follow those of the kept ones, where the pool
    has as many columns of the text as the run's data and more than one.

    Args:
        source: The file, or `-` for stdin.
        section: The data section of the run's config.
        form: The format that the user names.
        keep: Further columns.
        text: The columns of the text in the pool; empty: those of the run.

    Raises:
        DataError: The pool cannot be read, lacks a column, or a row is wrong.
    """
    from rnncls.cli.predict_input import read_input

    columns = find_pool_columns(section, text)
    names = list(keep)
    are_same = len(columns.text) == len(section.text)
    if are_same and len(columns.text) > 1 and is_table(source, columns, form):
        names += columns.text
    for rows in read_input(source, columns, form, names):
        yield rows.texts, rows.kept


def find_pool_columns(section: "DataSection", text: list[str]) -> "Columns":
    """Return the columns of the text in the pool.

    Args:
        section: The data section of the run's config.
        text: The columns that the user names; empty: those of the run.
    """
    from dataclasses import replace

    from rnncls.data.rows import quote_names

    columns = find_text_columns(section, text)
    if text:
        return columns
    hint = (
        f"the run was trained on {quote_names(section.text)}: name the columns of the"
        " text in the pool with --text"
    )
    return replace(columns, hint=hint)


def is_table(source: str, columns: "Columns", form: PoolForm | None) -> bool:
    """Return whether the pool has named columns, not one text per line."""
    from rnncls.data.readers import has_columns

    if form is not None:
        return form != "lines"
    if source == STDIN or is_special(Path(source)):
        return False
    return has_columns(Path(source), columns)


def load_pool(
    source: str,
    chunks: Iterable[tuple[list[str], list[list[str]]]],
    section: "DataSection",
    exclude: Sequence[Path],
) -> "Pool":
    """Return the texts of a pool that are not labelled yet, and note the others.

    Args:
        source: The name of the pool, for messages.
        chunks: Its texts, and the values of kept columns of each.
        section: The data section of the run's config.
        exclude: Further files of texts to leave out.

    Raises:
        DataError: A file is wrong; or every text is left out, or there is none.
    """
    from rnncls.cli.reporting.suggestions import describe_pool
    from rnncls.inference.active_learning.pool import build_pool, iter_labelled_texts

    pool = build_pool(chunks, iter_labelled_texts(section, exclude))
    if not pool.items:
        raise DataError(
            f"{source}: expected unlabelled texts, found {pool.num_rows:,} rows, of"
            f" which {pool.num_labelled:,} are labelled already or in --exclude, and"
            f" {pool.num_empty:,} are empty"
        )
    typer.echo(printable_lines(describe_pool(source, pool)), err=True)
    return pool
