"""Rows without a label: empty rows at the end are ignored, others are an error."""

import logging
from collections.abc import Iterable, Iterator

from rnncls import DataError
from rnncls.data.rows import Rows

logger = logging.getLogger(__name__)

_ROWS_LISTED = 5


class _MissingLabels:
    """The rows without a label so far.

    Attributes:
        num_rows: The number of rows so far.
        num_missing: How many of them have no label, except for empty rows at the end.
        first_missing: The numbers of the first of them, from 1.
        num_empty: The number of empty rows at the end so far.
    """

    def __init__(self) -> None:
        self.num_rows = 0
        self.num_missing = 0
        self.first_missing: list[int] = []
        self.num_empty = 0

    def add(self, rows: Rows) -> None:
        """Count the rows of a chunk."""
        for text, label in zip(rows.texts, rows.labels, strict=True):
            self.num_rows += 1
            if label.strip():
                self._count_empty_rows_as_missing()
            elif text.strip():
                self._count_empty_rows_as_missing()
                self._add_missing(self.num_rows)
            else:
                self.num_empty += 1

    def _count_empty_rows_as_missing(self) -> None:
        first = self.num_rows - self.num_empty
        for row in range(first, self.num_rows):
            self._add_missing(row)
        self.num_empty = 0

    def _add_missing(self, row: int) -> None:
        self.num_missing += 1
        if len(self.first_missing) < _ROWS_LISTED:
            self.first_missing.append(row)


def check_labels(chunks: Iterable[Rows], source: str, name: str) -> Iterator[Rows]:
    """Yield labelled rows, without empty rows at the end.

    Args:
        chunks: The rows of a file.
        source: The name of the file, for messages.
        name: The column of the label.

    Raises:
        DataError: Other rows have no label. All rows before the first are yielded.
    """
    missing = _MissingLabels()
    chunks = iter(chunks)
    for rows in chunks:
        index = _find_missing(rows.labels)
        if index is None:
            yield rows
            missing.num_rows += len(rows.labels)
            continue
        if index:
            yield Rows(rows.texts[:index], rows.labels[:index], rows.kept[:index])
        missing.num_rows += index
        missing.add(Rows(rows.texts[index:], rows.labels[index:]))
        _count_the_rest(chunks, missing)
        break
    if missing.num_missing:
        raise _missing_labels(source, name, missing)
    if missing.num_empty:
        _note_empty_rows(source, missing)


def _find_missing(labels: list[str]) -> int | None:
    for index, label in enumerate(labels):
        if not label or label.isspace():
            return index
    return None


def _count_the_rest(chunks: Iterator[Rows], missing: _MissingLabels) -> None:
    """Count the rows without a label to the end of the file, or to a wrong row."""
    try:
        for rows in chunks:
            missing.add(rows)
    except DataError:
        if not missing.num_missing:
            raise


def _missing_labels(source: str, name: str, missing: _MissingLabels) -> DataError:
    first, *others = missing.first_missing
    start = f"{source}: row {first:,}: the label (column '{name}') is missing"
    if missing.num_missing == 1:
        return DataError(f"{start}: fill it in, or remove the row")
    listed = ", ".join(f"{row:,}" for row in others)
    more = ", …" if missing.num_missing > _ROWS_LISTED else ""
    num_others = missing.num_missing - 1
    return DataError(
        f"{start}, and those of {num_others:,} other rows ({listed}{more}):"
        " fill them in, or let 'rnncls init --skip-unlabelled' write a file without"
        " these rows"
    )


def _note_empty_rows(source: str, missing: _MissingLabels) -> None:
    first = missing.num_rows - missing.num_empty + 1
    if missing.num_empty == 1:
        rows = f"row {first:,}, the last one, is"
    else:
        rows = f"rows {first:,} to {missing.num_rows:,}, at the end, are"
    logger.info("%s: %s empty: ignored", source, rows)
