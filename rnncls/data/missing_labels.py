"""Rows whose label is unknown: empty rows at the end are ignored, others are an error.

If there is a column of 1 and 0 for each label, a blank in one of them is unknown. A row
with only 0 has no label, which is no error.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from rnncls import DataError
from rnncls.data.label_sets import UNKNOWN
from rnncls.data.rows import Rows
from rnncls.text.display import format_count

logger = logging.getLogger(__name__)

_ROWS_LISTED = 5


class UnlabelledRowsError(DataError):
    """Rows of a labelled file have no label."""


class _MissingLabels:
    """The rows without a label so far.

    Attributes:
        num_rows: The number of rows so far.
        num_missing: How many of them have no label, except for empty rows at the end.
        first_missing: The numbers of the first of them, from 1.
        label: What the first of them has instead of a label.
        num_empty: The number of empty rows at the end so far.
    """

    def __init__(self, is_missing: Callable[[str], bool]) -> None:
        """Start without rows.

        Args:
            is_missing: Whether a label is unknown.
        """
        self.is_missing = is_missing
        self.label = ""
        self.num_rows = 0
        self.num_missing = 0
        self.first_missing: list[int] = []
        self.num_empty = 0

    def add(self, rows: Rows) -> None:
        """Count the rows of a chunk."""
        for text, label in zip(rows.texts, rows.labels, strict=True):
            self.num_rows += 1
            is_missing = self.is_missing(label)
            if is_missing and not label.strip() and not text.strip():
                self.num_empty += 1
                continue
            self._count_empty_rows_as_missing()
            if is_missing:
                self._add_missing(self.num_rows, label)

    def _count_empty_rows_as_missing(self) -> None:
        first = self.num_rows - self.num_empty
        for row in range(first, self.num_rows):
            self._add_missing(row, "")
        self.num_empty = 0

    def _add_missing(self, row: int, label: str) -> None:
        if not self.num_missing:
            self.label = label
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
    missing = _MissingLabels(_is_blank)
    yield from _iter_labelled(chunks, missing)
    if missing.num_missing:
        raise _missing_labels(source, name, missing)
    _note_empty_rows(source, missing)


def check_flags(
    chunks: Iterable[Rows], source: str, names: Sequence[str]
) -> Iterator[Rows]:
    """Yield rows with columns of 1 and 0, without empty rows at the end.

    Args:
        chunks: The rows of a file, with what `read_flags` returned as labels.
        source: The name of the file, for messages.
        names: The columns.

    Raises:
        DataError: Other rows have a blank. All rows before the first are yielded.
    """
    missing = _MissingLabels(_has_blank)
    yield from _iter_labelled(chunks, missing)
    if missing.num_missing:
        raise _blank_flags(source, names, missing)
    _note_empty_rows(source, missing)


def skip_empty_end(chunks: Iterable[Rows], source: str) -> Iterator[Rows]:
    """Yield rows that may have no label, without empty rows at the end.

    Args:
        chunks: The rows of a file.
        source: The name of the file, for messages.
    """
    missing = _MissingLabels(_is_blank)
    pending: list[Rows] = []
    for rows in chunks:
        num_filled = len(rows.texts)
        while num_filled and _is_empty(rows, num_filled - 1):
            num_filled -= 1
        missing.num_rows += len(rows.texts)
        if num_filled:
            yield from pending
            pending = []
            missing.num_empty = 0
            yield _slice_rows(rows, 0, num_filled)
        missing.num_empty += len(rows.texts) - num_filled
        pending.append(_slice_rows(rows, num_filled, len(rows.texts)))
    _note_empty_rows(source, missing)


def _is_empty(rows: Rows, index: int) -> bool:
    return not rows.texts[index].strip() and not rows.labels[index].strip()


def _slice_rows(rows: Rows, start: int, end: int) -> Rows:
    return Rows(rows.texts[start:end], rows.labels[start:end], rows.kept[start:end])


def _is_blank(label: str) -> bool:
    return not label or label.isspace()


def _has_blank(label: str) -> bool:
    return label.startswith(UNKNOWN)


def _iter_labelled(chunks: Iterable[Rows], missing: _MissingLabels) -> Iterator[Rows]:
    """Yield the rows before the first without a label, and count the others."""
    chunks = iter(chunks)
    for rows in chunks:
        index = _find_missing(rows.labels, missing.is_missing)
        if index is None:
            yield rows
            missing.num_rows += len(rows.labels)
            continue
        if index:
            yield _slice_rows(rows, 0, index)
        missing.num_rows += index
        missing.add(Rows(rows.texts[index:], rows.labels[index:]))
        _count_the_rest(chunks, missing)
        return


def _find_missing(labels: list[str], is_missing: Callable[[str], bool]) -> int | None:
    for index, label in enumerate(labels):
        if is_missing(label):
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
        return UnlabelledRowsError(f"{start}: fill it in, or remove the row")
    listed = ", ".join(f"{row:,}" for row in others)
    more = ", …" if missing.num_missing > _ROWS_LISTED else ""
    other_rows = format_count(missing.num_missing - 1, "other row")
    return UnlabelledRowsError(
        f"{start}, and those of {other_rows} ({listed}{more}):"
        " fill them in, or let 'rnncls init --skip-unlabelled' write a file without"
        " these rows"
    )


def _blank_flags(
    source: str, names: Sequence[str], missing: _MissingLabels
) -> DataError:
    first = missing.first_missing[0]
    name = missing.label.removeprefix(UNKNOWN) or names[0]
    start = f"{source}: row {first:,}: '{name}': expected 1 or 0, found a blank"
    rows = "this row"
    if missing.num_missing > 1:
        listed = ", ".join(f"{row:,}" for row in missing.first_missing)
        more = ", …" if missing.num_missing > _ROWS_LISTED else ""
        start += f"; {missing.num_missing:,} rows have blanks ({listed}{more})"
        rows = "these rows"
    return DataError(
        f"{start}: a blank is unknown: write 0 where a text does not have the label, or"
        f" let 'rnncls init --skip-unlabelled' write a file without {rows}"
    )


def _note_empty_rows(source: str, missing: _MissingLabels) -> None:
    if not missing.num_empty:
        return
    first = missing.num_rows - missing.num_empty + 1
    if missing.num_empty == 1:
        rows = f"row {first:,}, the last one, is"
    else:
        rows = f"rows {first:,} to {missing.num_rows:,}, at the end, are"
    logger.info("%s: %s empty: ignored", source, rows)
