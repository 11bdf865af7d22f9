"""Recognise the form in which an unknown file gives several labels a text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rnncls.data.column_guess import LABEL_NAMES, is_number, may_be_label, rank
from rnncls.data.label_sets import FLAGS, is_label_set, split_labels
from rnncls.data.rows import Record

SEPARATORS = ("|", ";", ",")
"""The separators that are tried, the most likely first."""
_MIN_COMBINATIONS = 3
_MAX_PART_CHARACTERS = 40
_MIN_FLAG_COLUMNS = 2


@dataclass(frozen=True)
class LabelForm:
    """How a file gives several labels a text.

    Attributes:
        columns: The columns of the labels: one with all labels of a row, or one for
            each label.
        separator: What separates the labels in the column; None: it has lists.
        reason: Why a text has several labels, for a comment.
    """

    columns: tuple[str, ...]
    separator: str | None
    reason: str


def find_label_form(
    records: Sequence[Record], text: Sequence[str], label: str | None
) -> LabelForm | None:
    """Return the form of several labels a text; None: a text has one label.

    Args:
        records: Rows of the file, in which lists are written by `join_labels`.
        text: The columns of the text that the user names.
        label: The column of the label that the user names; None: it is guessed.
    """
    names = list(records[0]) if records else []
    named = [name for name in names if _rank(name) < len(LABEL_NAMES)]
    candidates = [label] if label else sorted(named, key=_rank)[:1]
    for name in candidates:
        if name in names and name not in text:
            form = _find_form_of_column(name, [row.get(name, "") for row in records])
            if form is not None:
                return form
    return None if candidates else _find_flags(records, names, text)


def _rank(name: str) -> int:
    """Return the position of a name, or of its singular, among common names."""
    return min(
        rank(name, LABEL_NAMES), rank(name.strip().removesuffix("s"), LABEL_NAMES)
    )


def _find_form_of_column(name: str, values: Sequence[str]) -> LabelForm | None:
    num_lists = sum(map(is_label_set, values))
    if num_lists:
        return LabelForm((name,), None, f"column '{name}' has lists of labels")
    for separator in SEPARATORS:
        num_several = _count_combined(values, separator)
        if num_several:
            reason = (
                f"{num_several:,} of {len(values):,} rows have several labels,"
                f" separated by '{separator}', which occur in other combinations too"
            )
            return LabelForm((name,), separator, reason)
    return None


def _count_combined(values: Sequence[str], separator: str) -> int:
    """Return how many rows have several labels; 0 if the parts do not recur.

    The name of a class may contain a separator, as in `food, drink`. Its parts do not
    occur in other names, while labels occur in several combinations.
    """
    values_of_part: dict[str, set[str]] = defaultdict(set)
    combinations = set()
    num_several = 0
    for value in values:
        parts = split_labels(value, separator)
        for part in parts:
            values_of_part[part].add(value)
        if len(parts) > 1:
            combinations.add(value)
            num_several += 1
    parts_combined = {
        part for value in combinations for part in split_labels(value, separator)
    }
    if len(combinations) < _MIN_COMBINATIONS:
        return 0
    if max(map(len, parts_combined)) > _MAX_PART_CHARACTERS:
        return 0
    num_recurring = sum(len(values_of_part[part]) > 1 for part in parts_combined)
    is_recurring = 3 * num_recurring > 2 * len(parts_combined)
    return num_several if is_recurring else 0


def _find_flags(
    records: Sequence[Record], names: Sequence[str], text: Sequence[str]
) -> LabelForm | None:
    """Return the columns of 0 and 1, if there are several of them."""
    columns = []
    for name in names:
        values = {row.get(name, "").strip() for row in records}
        is_flag = values <= FLAGS.keys() - {""} and len(values) == 2
        if is_flag and name not in text and name.strip():
            columns.append(name)
    if len(columns) < _MIN_FLAG_COLUMNS:
        return None
    for name in set(names) - {*columns, *text}:
        values_of_rows = [row.get(name, "").strip() for row in records]
        if may_be_label(name, values_of_rows) and not any(
            map(is_number, values_of_rows)
        ):
            return None  # a column of classes
    reason = f"{len(columns)} columns have only 1 and 0, one column for each label"
    return LabelForm(tuple(columns), None, reason)


def choose_separator(records: Sequence[Record], column: str) -> str:
    """Return a separator that no label of a column has."""
    labels = "".join(record.get(column, "") for record in records)
    for separator in (*SEPARATORS, "/", "~"):
        if separator not in labels:
            return separator
    return "||"
