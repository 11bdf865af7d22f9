"""Look at the files that a config names, without reading all of them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from rnncls import DataError
from rnncls.config.sections import DataSection
from rnncls.data.datasets import columns_of
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns


def find_file_problems(section: DataSection) -> list[str]:
    """Return why training or evaluation would stop at the first rows of a file.

    A built-in data set is not looked at: training downloads it.

    Args:
        section: The data section of a config.
    """
    return list(filter(None, (_check(*file) for file in _iter_files(section))))


def _iter_files(section: DataSection) -> Iterator[tuple[str, str, Columns]]:
    """Yield the key of each file, its path, and the columns to read."""
    columns = columns_of(section)
    text_columns = replace(columns, label=None)
    labelled = (("train", section.train), ("valid", section.valid))
    for key, name in chain(labelled, (("test", section.test),)):
        if name is not None:
            yield f"data.{key}", name, columns
    for name in section.unlabelled:
        yield "data.unlabelled", name, text_columns


def _check(key: str, name: str, columns: Columns) -> str:
    """Return why the first rows of a file cannot be read; empty if they can."""
    try:
        rows = next(read_rows(Path(name), columns), None)
    except DataError as error:
        return f"{key}: {error}"
    return f"{key}: {name}: has no rows" if rows is None else ""
