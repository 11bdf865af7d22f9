"""Look at the files that a config names, without reading all of them.

A CSV or TSV file whose header has the columns is not read further, so that checking a
config loads no large package.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rnncls import DataError
from rnncls.config.sections import DataSection

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def find_file_problems(section: DataSection) -> list[str]:
    """Return why training or evaluation would stop at the first rows of a file.

    A built-in data set is not looked at: training downloads it.

    Args:
        section: The data section of a config.
    """
    problems = []
    for key, name, has_labels in _iter_files(section):
        labels = section.label_columns if has_labels else ()
        is_plain = section.columns is None and section.delimiter is None
        if is_plain and _has_columns(Path(name), [*section.text, *labels]):
            continue
        problem = _read_first_rows(name, section, has_labels=has_labels)
        if problem:
            problems.append(f"{key}: {problem}")
    return problems


def _iter_files(section: DataSection) -> Iterator[tuple[str, str, bool]]:
    """Yield the key of each file, its path, and whether it has labels."""
    for key in ("train", "valid", "test"):
        name = getattr(section, key)
        if name is not None:
            yield f"data.{key}", name, True
    for name in section.unlabelled:
        yield "data.unlabelled", name, False


def _has_columns(path: Path, names: Sequence[str]) -> bool:
    """Return whether a plain CSV or TSV file has a header with columns, and a row."""
    delimiter = _DELIMITERS.get(path.suffix.lower())
    if delimiter is None or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, delimiter=delimiter)
            header = next(rows, [])
            has_row = next(rows, None) is not None
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return has_row and all(header.count(name) == 1 for name in names)


def _read_first_rows(name: str, section: DataSection, *, has_labels: bool) -> str:
    """Return why the first rows of a file cannot be read; empty if they can."""
    from rnncls.data.datasets import columns_of
    from rnncls.data.readers import read_rows

    columns = columns_of(section)
    if not has_labels:
        columns = replace(columns, label=None)
    try:
        rows = next(read_rows(Path(name), columns), None)
    except DataError as error:
        return str(error)
    return f"{name}: has no rows" if rows is None else ""
