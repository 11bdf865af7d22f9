"""Rows of a data file: which columns to read, what is read, and errors in a row.

All readers name the file and the row of the first error. Rows are counted from 1,
without the header.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data.label_sets import read_flags
from rnncls.text.display import printable

Record = dict[str, str]
"""A row of a file of any format: a value for each column."""
ROWS_AT_ONCE = 8192
"""How many rows a reader yields together."""
ROW_NUMBER = "row"
"""A kept column that stands for the row's number, unless the file has one so named."""


@dataclass(frozen=True)
class Columns:
    """The columns to read from a file.

    Attributes:
        text: The columns that make up the text; joined with one space.
        label: The column of the class, or None if no label is wanted. Several columns:
            one for each label, with 1 or 0. One column in a tuple: it has several
            labels a row (see `rnncls.data.label_sets`).
        positions: The columns of a file without a header, in order; empty if files must
            have a header.
        classes: The possible values of the first of `positions`, by which a file to
            predict is recognised as one without a header.
        delimiter: The delimiter of a file with any ending; None: the ending decides.
        kept: Further columns to return, with their values as they are. They do not
            decide the format of the file.
        may_lack: Those of `kept` that a row of JSON lines may lack.
        must_be_table: Whether a file with one text per line is an error, because the
            columns of the text were named for this file.
        allows_unlabelled: Whether rows may have no label.
        hint: What to do if a column of the text or the class is missing; None: rename
            the columns or name them in the config.
    """

    text: tuple[str, ...]
    label: str | tuple[str, ...] | None
    positions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    delimiter: str | None = None
    kept: tuple[str, ...] = ()
    may_lack: tuple[str, ...] = ()
    must_be_table: bool = False
    hint: str | None = None
    allows_unlabelled: bool = False

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that a file must have to be read, the label last."""
        return (*self.text, *self.label_columns)

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns that the labels are read from; none if no label is wanted."""
        if self.label is None:
            return ()
        return (self.label,) if isinstance(self.label, str) else self.label

    @property
    def has_several_labels(self) -> bool:
        """Whether a row has a set of labels instead of one label."""
        return isinstance(self.label, tuple)

    def read_label(self, values: Sequence[str], place: str) -> str | None:
        """Return the label of a row, or its labels as `join_labels` writes them.

        Args:
            values: The values of `label_columns`.
            place: The start of an error message.

        Raises:
            DataError: A value of a column for one label is neither 1 nor 0.
        """
        if not values:
            return None
        return (
            values[0]
            if len(values) == 1
            else read_flags(self.label_columns, values, place)
        )

    def names_to_read(self, names: Sequence[str], place: str) -> list[str]:
        """Return each column to read once: the wanted and the kept ones.

        Args:
            names: The columns of the file.
            place: The start of an error message.

        Raises:
            DataError: The file lacks a kept column, or has it twice. It need not have
                the column `row`, which then stands for the number of the row.
        """
        for name in self.kept:
            if name not in names and name != ROW_NUMBER:
                raise missing_kept(place, name, names)
            _refuse_duplicate(place, name, names)
        kept = [name for name in self.kept if name in names]
        return list(dict.fromkeys([*self.wanted, *kept]))


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a file.

    Attributes:
        texts: One text per row.
        labels: One label per row, or one set of labels as a text (see
            `rnncls.data.label_sets`); an empty list if no label was wanted.
        kept: The values of the kept columns of each row, an empty text for the number
            of a row; an empty list if no columns are kept.
    """

    texts: list[str]
    labels: list[str]
    kept: list[tuple[str, ...]] = field(default_factory=list)


class Row(NamedTuple):
    """One row of a file: its text, its label if wanted, and its kept values."""

    text: str
    label: str | None = None
    kept: tuple[str, ...] = ()


def batch_rows(rows: Iterable[Row]) -> Iterator[Rows]:
    """Collect single rows into `Rows`."""
    chunk = Rows([], [])
    for row in rows:
        chunk.texts.append(row.text)
        if row.label is not None:
            chunk.labels.append(row.label)
        if row.kept:
            chunk.kept.append(row.kept)
        if len(chunk.texts) == ROWS_AT_ONCE:
            yield chunk
            chunk = Rows([], [])
    if chunk.texts:
        yield chunk


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
            raise missing_column(str(path), name, names, columns)
        _refuse_duplicate(str(path), name, names)


def _refuse_duplicate(place: str, name: str, names: Sequence[str]) -> None:
    if list(names).count(name) > 1:
        raise DataError(
            f"{place}: column '{name}' appears twice in the header:"
            f" {quote_names(names)}"
        )


def missing_column(
    place: str, name: str, names: Sequence[str], columns: Columns
) -> DataError:
    """Return the error for a column of the text or the class that a file lacks.

    Args:
        place: The start of the message.
        name: The column.
        names: The columns of the file.
        columns: The columns to read, and the hint, if there is one.
    """
    hint = columns.hint
    suggestions: dict[str, str] = {}
    suggestion = _suggest_column(name, names)
    if hint is None:
        hint = f"{suggestion} {_explain_key(name, columns)}".strip()
        argument = "label" if name in columns.label_columns else "text"
        suggestions = {argument: "COLUMN"}
    elif suggestion:
        hint = f"{hint}; {suggestion}"
    message = f"{place}: {_describe_missing(name, names)}; {hint}"
    return DataError(message, suggestions)


def _explain_key(name: str, columns: Columns) -> str:
    """Return which key of the config names a column, and what to set it to."""
    if name not in columns.label_columns:
        return (
            f"data.text is {quote_names(columns.text)}: set it to columns of the file,"
            " or rename these"
        )
    return (
        f"data.label is {quote_names(columns.label_columns)}, without which texts can"
        " only be predicted: set it to a column of the file, or rename this one"
    )


def missing_kept(place: str, name: str, names: Sequence[str]) -> DataError:
    """Return the error for a column to keep that a file lacks."""
    message = f"{place}: {_describe_missing(name, names)}"
    suggestion = _suggest_column(name, names)
    return DataError(f"{message}; {suggestion}" if suggestion else message)


def _describe_missing(name: str, names: Sequence[str]) -> str:
    return f"no column '{name}', found {shorten(quote_names(names))}"


def _suggest_column(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else ""


def quote_names(names: Iterable[str]) -> str:
    """Return names in quotation marks, separated by commas."""
    return ", ".join(f"'{printable(name)}'" for name in names)
