"""The pool of `rnncls suggest`: rows of a file or stdin, as `predict` reads them.

Rows of a file that has the label's column, filled in, are labelled already.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from rnncls.cli.input_options import InputForm
from rnncls.cli.input_rows import InputRows, show_progress
from rnncls.cli.outputs import is_special
from rnncls.cli.predict_input import read_input
from rnncls.cli.text_arguments import STDIN
from rnncls.cli.text_columns import can_read, find_text_columns
from rnncls.config.sections import DataSection
from rnncls.data.datasets import columns_of, locate
from rnncls.data.file_sets import list_files
from rnncls.data.readers import has_columns, read_rows
from rnncls.data.rows import Columns, quote_names
from rnncls.data.splits import Split
from rnncls.inference.active_learning.pool import Pool, PoolRow
from rnncls.runs.continuation import load_continuation
from rnncls.runs.run import Run

logger = logging.getLogger(__name__)

NO_LABELS = ("", "[]")
"""Fields of rows without a label, the second one in JSON."""


def open_pool(
    source: str,
    run: Run,
    form: InputForm | None,
    keep: Sequence[str],
    text: Sequence[str],
    exclude: Sequence[Path],
) -> Pool:
    """Return a pool, whose rows are read later, with a progress bar.

    Args:
        source: The file, or `-` for stdin.
        run: The run, whose own texts are labelled already.
        form: The format that the user names.
        keep: Further columns.
        text: The columns of the text in the pool; empty: those of the run.
        exclude: Files of further texts that are not suggested.
    """
    chunks = read_pool(source, run.config.data, form, keep, text)
    rows = chain.from_iterable(show_progress(chunks, source, "reading"))
    return Pool(rows, iter_labelled_texts(run, exclude))


def read_pool(
    source: str,
    section: DataSection,
    form: InputForm | None,
    keep: Sequence[str],
    text: Sequence[str],
) -> Iterator[list[PoolRow]]:
    """Yield the rows of a pool, with the values of kept columns.

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
    columns = find_pool_columns(section, text)
    names = list(keep)
    are_same = len(columns.text) == len(section.text)
    if are_same and len(columns.text) > 1 and _is_table(source, columns, form):
        names += columns.text
    num_values = len(names)
    columns = replace(columns, may_lack=section.label_columns)
    names += _find_label_columns(source, section, columns, form)
    for rows in read_input(source, columns, form, names):
        yield _list_pool_rows(rows, num_values)


def _list_pool_rows(rows: InputRows, num_values: int) -> list[PoolRow]:
    """Return rows of a pool, whose columns after the first values are labels."""
    if not rows.kept:
        return [PoolRow(text, []) for text in rows.texts]
    pool_rows = []
    for text, values in zip(rows.texts, rows.kept, strict=True):
        labels = [label.strip() for label in values[num_values:]]
        is_labelled = any(label not in NO_LABELS for label in labels)
        pool_rows.append(PoolRow(text, values[:num_values], is_labelled))
    return pool_rows


def find_pool_columns(section: DataSection, text: Sequence[str]) -> Columns:
    """Return the columns of the text in the pool.

    Args:
        section: The data section of the run's config.
        text: The columns that the user names; empty: those of the run.
    """
    columns = find_text_columns(section, text)
    if text:
        return columns
    hint = (
        f"the run was trained on {quote_names(section.text)}: name the columns of the"
        " text in the pool with --text"
    )
    return replace(columns, hint=hint)


def _is_stream(source: str, form: InputForm | None) -> bool:
    """Return whether the pool is read only once, from its start to its end."""
    return form is not None or source == STDIN or is_special(Path(source))


def _is_table(source: str, columns: Columns, form: InputForm | None) -> bool:
    """Return whether the pool has named columns, not one text per line."""
    if _is_stream(source, form):
        return form in ("csv", "jsonl")
    return has_columns(Path(source), columns)


def _find_label_columns(
    source: str, section: DataSection, columns: Columns, form: InputForm | None
) -> list[str]:
    """Return the columns of the label, if the pool is a file that has all of them."""
    names = section.label_columns
    if _is_stream(source, form) or set(names) & set(columns.text):
        return []
    with_labels = replace(columns, kept=tuple(names))
    return list(names) if can_read(Path(source), with_labels) else []


def iter_labelled_texts(run: Run, further: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of the data files of a run, and of further files.

    They are the training, validation and test file, and the files of the runs that it
    continues. A file of the run that is missing is named in the log.

    Args:
        run: The run.
        further: Files with the same columns of the text.

    Raises:
        DataError: A file cannot be read, lacks a column, or a row is wrong.
        RunError: A file of the run folder is damaged.
    """
    section = run.config.data
    files = [(locate(section, split), section) for split in _find_splits(section)]
    continuation = load_continuation(run.path)
    if continuation is not None:
        earlier = continuation.earlier_files
        files += [(Path(rows.path), rows.section) for rows in earlier]
    for path, file_section in files:
        if _is_missing(path):
            logger.info(
                "%s: no such file: the run was trained with it, and its texts may be"
                " suggested again",
                path,
            )
            continue
        yield from _iter_texts(path, columns_of(file_section))
    hint = (
        f"--exclude: the run was trained on {quote_names(section.text)}: name the"
        " columns of the file so"
    )
    columns = replace(columns_of(section), hint=hint)
    for path in further:
        yield from _iter_texts(path, columns)


def _find_splits(section: DataSection) -> list[Split]:
    """Return the splits that have a file of their own."""
    splits: list[Split] = ["train"]
    if section.valid is not None:
        splits.append("valid")
    if section.name is not None or section.test is not None:
        splits.append("test")
    return splits


def _is_missing(path: Path) -> bool:
    """Return whether a file does not exist.

    Raises:
        DataError: It is a pattern that no file matches.
    """
    return list_files(path) == [path] and not path.exists()


def _iter_texts(path: Path, columns: Columns) -> Iterator[str]:
    for rows in read_rows(path, replace(columns, label=None)):
        yield from rows.texts
