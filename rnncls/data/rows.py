"""Rows of a data file: which columns to read, what is read, and errors in a row.

All readers name the file and the row of the first error. Rows are counted from 1,
without the header.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnncls import DataError
from rnncls.config.document import shorten

Record = dict[str, str]
"""A row of a file of any format: a value for each column."""
ROWS_AT_ONCE = 8192
"""How many rows a reader yields together."""


@dataclass(frozen=True)
class Columns:
    """The columns to read from a file.

    Attributes:
        text: The columns that make up the text; joined with one space.
        label: The column of the class, or None if no label is wanted.
        positions: The columns of a file without a header, in order; empty if files must
            have a header.
        classes: The possible values of the first of `positions`, by which a file to
            predict is recognised as one without a header.
        delimiter: The delimiter of a file with any ending; None: the ending decides.
    """

    text: tuple[str, ...]
    label: str | None
    positions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    delimiter: str | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns to read, the label last."""
        return self.text if self.label is None else (*self.text, self.label)


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a file.

    Attributes:
        texts: One text per row.
        labels: One label per row; an empty list if no label was wanted.
    """

    texts: list[str]
    labels: list[str]


def batch_rows(rows: Iterable[tuple[str, str | None]]) -> Iterator[Rows]:
    """Collect single rows, each a text and a label or None, into `Rows`."""
    texts: list[str] = []
    labels: list[str] = []
    for text, label in rows:
        texts.append(text)
        if label is not None:
            labels.append(label)
        if len(texts) == ROWS_AT_ONCE:
            yield Rows(texts, labels)
            texts, labels = [], []
    if texts:
        yield Rows(texts, labels)


def decode(value: bytes, place: str) -> str:
    """Decode UTF-8.

    Raises:
        DataError: The value is not UTF-8; the message starts with `place`.
    """
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = value[error.start]
        raise DataError(
            f"{place}: not UTF-8: byte 0x{byte:02x} at position {error.start + 1}; save"
            " as UTF-8"
        ) from error


def check_columns(path: Path, columns: Columns, names: Sequence[str]) -> None:
    """Check that a file has each wanted column once.

    Raises:
        DataError: A column is missing, or appears twice.
    """
    for name in columns.wanted:
        if name not in names:
            raise missing_column(str(path), name, names)
        if list(names).count(name) > 1:
            raise DataError(
                f"{path}: column '{name}' appears twice in the header:"
                f" {quote_names(names)}"
            )


def missing_column(place: str, name: str, names: Sequence[str]) -> DataError:
    """Return the error for a column that a file lacks."""
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        hint = f"did you mean '{close[0]}'?"
    else:
        hint = "set data.text and data.label to its columns"
    found = shorten(quote_names(names))
    return DataError(f"{place}: no column '{name}', found {found}; {hint}")


def quote_names(names: Iterable[str]) -> str:
    """Return names in quotation marks, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)
