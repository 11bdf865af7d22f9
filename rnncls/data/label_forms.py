"""Recognise the form in which an unknown file gives several labels a text."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rnncls.data.column_guess import (
    LABEL_NAMES,
    TEXT_NAMES,
    is_number,
    may_be_label,
    rank,
)
from rnncls.data.label_sets import FLAGS, is_label_set, parse_list, split_labels
from rnncls.data.rows import Record
from rnncls.text.display import list_names, printable

SEPARATORS = ("|", ";", ",")
"""The separators that are tried, the most likely first."""
_MIN_COMBINATIONS = 3
_MAX_PART_CHARACTERS = 40
_MIN_FLAG_COLUMNS = 2
_MAX_MEAN_LABELS = 10
"""A column of an unknown name with more items a row has other things than labels."""
_MAX_OTHER_VALUES = 0.05
"""A column with at most this share of values besides 1 and 0 is mentioned."""


@dataclass(frozen=True)
class LabelForm:
    """How a file gives several labels a text.

    Attributes:
        columns: The columns of the labels: one with all labels of a row, or one for
            each label.
        separator: What separates the labels in the column; None: it has lists, or
            there are several columns.
        reason: Why a text has several labels, for a comment.
        unseen: Further columns, which have only 0 in these rows.
        has_lists: Whether the column has lists in the file.
        notes: What the user should know of other columns.
    """

    columns: tuple[str, ...]
    separator: str | None
    reason: str
    unseen: tuple[str, ...] = ()
    has_lists: bool = False
    notes: tuple[str, ...] = ()


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
    if candidates:
        return None
    flags = _find_flags(records, names, text)
    return flags or _find_other_column(records, names, text)


def _find_other_column(
    records: Sequence[Record], names: Sequence[str], text: Sequence[str]
) -> LabelForm | None:
    """Return the form of the only column with several labels, whatever its name.

    None if another column may be the class.
    """
    forms = []
    for name in names:
        values = [row.get(name, "") for row in records]
        if name in text or not name.strip() or rank(name, TEXT_NAMES) < len(TEXT_NAMES):
            continue
        form = _find_form_of_column(name, values)
        if form is not None and _has_few_labels(form, values):
            forms.append(form)
        elif may_be_label(name, list(map(str.strip, values))):
            return None
    return forms[0] if len(forms) == 1 else None


def _has_few_labels(form: LabelForm, values: Sequence[str]) -> bool:
    """Return whether lists are labels, and not the tokens of the texts."""
    num_labels = sum(len(split_labels(value, form.separator)) for value in values)
    return num_labels <= _MAX_MEAN_LABELS * len(values)


def _rank(name: str) -> int:
    """Return the position of a name, or of its singular, among common names."""
    return min(
        rank(name, LABEL_NAMES), rank(name.strip().removesuffix("s"), LABEL_NAMES)
    )


def _find_form_of_column(name: str, values: Sequence[str]) -> LabelForm | None:
    filled = list(filter(str.strip, values))
    if any(map(is_label_set, values)) or (filled and all(map(_is_list, filled))):
        reason = f"column '{printable(name)}' has lists of labels"
        return LabelForm((name,), None, reason, has_lists=True)
    for separator in SEPARATORS:
        num_several = _count_combined(values, separator)
        if num_several:
            reason = (
                f"{num_several:,} of {len(values):,} rows have several labels,"
                f" separated by '{separator}', which occur in other combinations too"
            )
            return LabelForm((name,), separator, reason)
    return None


def _is_list(value: str) -> bool:
    return parse_list(value) is not None


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
    """Return the columns of 1 and 0, if there are several of them.

    One with blanks counts too, as its rows must be named: a blank is unknown. Only if
    there is one column without blanks, it may be a class.
    """
    values_of = {
        name: {row.get(name, "").strip() for row in records}
        for name in names
        if name.strip() and name not in text
    }
    columns = [name for name, values in values_of.items() if _are_flags(values)]
    with_blanks = [name for name in columns if "" in values_of[name]]
    num_complete = len(columns) - len(with_blanks)
    if len(columns) < _MIN_FLAG_COLUMNS or (num_complete, len(with_blanks)) == (1, 1):
        return None
    for name in set(values_of) - set(columns):
        values = [row.get(name, "").strip() for row in records]
        has_numbers = any(map(is_number, values)) and not with_blanks
        if may_be_label(name, values) and not has_numbers:
            return None  # a column of classes
    unseen = [name for name, values in values_of.items() if _are_all_false(values)]
    others = set(values_of) - {*columns, *unseen}
    notes = [_note_other_value(name, records) for name in names if name in others]
    reason = _explain_flags(columns)
    found = tuple(filter(None, notes))
    return LabelForm(tuple(columns), None, reason, tuple(unseen), notes=found)


def _note_other_value(name: str, records: Sequence[Record]) -> str:
    """Return the note on a column with few other values than 1 and 0; empty: many."""
    counts = Counter(row.get(name, "").strip() for row in records)
    others = [value for value in counts if value and value not in FLAGS]
    num_others = sum(counts[value] for value in others)
    if num_others > _MAX_OTHER_VALUES * len(records):
        return ""
    values = list_names(others)
    return (
        f"not used as a label, as it has other values than 1 and 0: '{name}': {values}"
    )


def _are_flags(values: set[str]) -> bool:
    """Return whether values are 1 and 0, or one of them and blanks."""
    is_known = values - {""} <= FLAGS.keys()
    return is_known and len({FLAGS.get(value) for value in values}) > 1


def _are_all_false(values: set[str]) -> bool:
    return {FLAGS.get(value) for value in values} == {False}


def add_rare_flags(form: LabelForm, records: Iterable[Record]) -> LabelForm:
    """Return the form with the columns of labels that no row of the sample has.

    Args:
        form: The form that was found in a sample of the rows.
        records: All rows.
    """
    unseen = set(form.unseen)
    for record in records:
        if not unseen:
            break
        unseen -= {name for name in unseen if _is_true(record.get(name, ""))}
    found = [name for name in form.unseen if name not in unseen]
    columns = (*form.columns, *found)
    left = tuple(name for name in form.unseen if name in unseen)
    notes = list(form.notes)
    if left:
        names = list_names(left)
        notes.append(f"not used as labels, as they have only 0: {names}")
    reason = _explain_flags(columns)
    return LabelForm(columns, None, reason, left, notes=tuple(notes))


def _explain_flags(columns: Sequence[str]) -> str:
    return f"{len(columns)} columns have only 1 and 0, one column for each label"


def _is_true(value: str) -> bool:
    return FLAGS.get(value.strip(), False)
