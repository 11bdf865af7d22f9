"""Labels of a file that a run does not know, and the known labels that they resemble.

Shapes: N rows, C labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rnncls.data.label_names import normalize_label, plain_form
from rnncls.text.display import format_count

UnknownLabels = Literal["error", "skip", "wrong"]
"""What to do with rows whose label is unknown: raise an error, leave them out, or count
each as classified wrongly."""
_NUM_LISTED = 20
_MIN_SIMILARITY = 0.75


@dataclass(frozen=True)
class UnknownLabel:
    """A label that a run does not know.

    Attributes:
        label: The label.
        num_rows: Number of rows that have it.
        first_row: The first of them, counted from 1.
        similar: The known label that it resembles, or None.
    """

    label: str
    num_rows: int
    first_row: int
    similar: str | None

    def describe(self) -> str:
        """Return the label with its rows and the known label that it resembles."""
        similar = f", similar to '{self.similar}'" if self.similar is not None else ""
        name = f"'{self.label}'" if self.label else "no label"
        rows = format_count(self.num_rows, "row")
        return f"{name} ({rows}, first row {self.first_row:,}{similar})"


def find_unknown_labels(
    labels: npt.NDArray[Any],
    label_names: Sequence[str],
    known: Sequence[str],
    rows: npt.NDArray[np.int64],
) -> list[UnknownLabel]:
    """Return the labels that occur but are not known, the most frequent first.

    Args:
        labels: [N] int64, indices into `label_names`; for several labels a text [N, C]
            bool, which row has which label.
        label_names: The C labels of the file.
        known: The labels that the run knows.
        rows: [n] int64, the numbers of the rows to look at, from 0.
    """
    is_known = find_known_names(label_names, known)  # [C]
    unknown = [
        UnknownLabel(
            label_names[number],
            count,
            int(rows[first_row]) + 1,
            find_similar(label_names[number], known),
        )
        for number, first_row, count in _count_occurrences(labels[rows])
        if not is_known[number]
    ]
    return sorted(unknown, key=lambda each: (-each.num_rows, each.first_row))


def find_known_names(
    label_names: Sequence[str], known: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Return which labels of a file a run knows. [C] bool.

    Args:
        label_names: The C labels of the file.
        known: The labels that the run knows.
    """
    # A run of an earlier version keeps its names as they were written.
    known_names = set(known) | {normalize_label(name) for name in known}
    return np.array([name in known_names for name in label_names], dtype=np.bool_)


def _count_occurrences(labels: npt.NDArray[Any]) -> list[tuple[int, int, int]]:
    """Return each label that occurs: its index, its first row, its number of rows.

    Args:
        labels: [n] int64, the label of each row; or [n, C] bool, which row has which.
    """
    if labels.ndim > 1:
        counts = labels.sum(axis=0)  # [C]
        numbers = np.flatnonzero(counts)
        first_rows = labels[:, numbers].argmax(axis=0)
        counts = counts[numbers]
    else:
        numbers, first_rows, counts = np.unique(
            labels, return_index=True, return_counts=True
        )
    columns = numbers.tolist(), first_rows.tolist(), counts.tolist()
    return list(zip(*columns, strict=True))


def find_similar(label: str, known: Sequence[str]) -> str | None:
    """Return the known label that a label resembles, or None.

    First one that differs in case, blanks, Unicode form or invisible characters, then
    one of the same number, then one of nearly the same letters.
    """
    by_plain = {plain_form(name): name for name in reversed(known)}
    plain = plain_form(label)
    if plain in by_plain:
        return by_plain[plain]
    number = _to_number(plain)
    if number is not None:
        by_number = {_to_number(plain_form(name)): name for name in reversed(known)}
        return by_number.get(number)
    matches = get_close_matches(plain, by_plain, n=1, cutoff=_MIN_SIMILARITY)
    return by_plain[matches[0]] if matches else None


def _to_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def list_unknown_labels(unknown: Sequence[UnknownLabel]) -> str:
    """Return all labels with their rows; of very many only the first ones."""
    listed = ", ".join(each.describe() for each in unknown[:_NUM_LISTED])
    num_left = len(unknown) - _NUM_LISTED
    return f"{listed} and {num_left:,} more" if num_left > 0 else listed


def describe_unknown_labels(
    unknown: Sequence[UnknownLabel], known: Sequence[str]
) -> str:
    """Return what is wrong with a file: its first unknown label, and all of them."""
    first = min(unknown, key=lambda each: each.first_row)
    expected = ", ".join(f"'{name}'" for name in known[:_NUM_LISTED])
    num_left = len(known) - _NUM_LISTED
    if num_left > 0:
        expected += f" and {num_left:,} more"
    return (
        f"row {first.first_row:,}: unknown label '{first.label}': expected one of"
        f" {expected}; unknown are {list_unknown_labels(unknown)}"
    )
