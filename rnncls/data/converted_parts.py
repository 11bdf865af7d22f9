"""The files that are converted into one, with their formats and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnncls.data.file_sets import list_files
from rnncls.data.formats import FileFormat
from rnncls.data.readers import read_file_records
from rnncls.data.rows import Columns, check_columns
from rnncls.data.set_formats import format_like, list_formats


@dataclass(frozen=True)
class Part:
    """A file of a folder or a pattern.

    Attributes:
        path: The file.
        file_format: Its own format.
        names: Its columns; empty if it has no rows and no header.
    """

    path: Path
    file_format: FileFormat
    names: list[str]


def list_parts(
    path: Path, file_format: FileFormat, columns: Columns, *, is_first: bool
) -> list[Part]:
    """Return the files of a path with their formats, and check their columns.

    Args:
        path: The file, folder or pattern.
        file_format: The format of the first file, or of the training file.
        columns: The columns of the text and of the label.
        is_first: Whether `file_format` is that of the first file.

    Raises:
        DataError: A file cannot be read, or lacks a column.
    """
    if not is_first:
        file_format = format_like(list_files(path)[0], file_format)
    parts: list[Part] = []
    for file, own_format in list_formats(path, file_format):
        names = _list_columns(file, own_format, columns)
        has_known_columns = is_first and not parts
        if names and not has_known_columns:
            check_columns(file, columns, names)
        parts.append(Part(file, own_format, names))
    return parts


def list_shared_columns(parts: Sequence[Part], columns: Columns) -> list[str]:
    """Return the columns with a name that all files have, and the wanted ones."""
    names_of_files = [part.names for part in parts if part.names]
    first, *others = names_of_files or [[]]
    shared = [
        name
        for name in first
        if name.strip() and all(name in names for names in others)
    ]
    return list(dict.fromkeys([*shared, *columns.wanted]))


def _list_columns(path: Path, file_format: FileFormat, columns: Columns) -> list[str]:
    """Return the columns of a file; an empty list if it has no rows and no header."""
    if file_format.names:
        return list(file_format.names)
    with_sets = columns.has_several_labels
    records = read_file_records(path, file_format, with_sets=with_sets)
    return list(next(records, {}))
