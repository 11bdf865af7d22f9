"""The texts to label next: as a table, as JSON, and as a CSV file to fill in."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from rnncls.cli.reporting.prediction_output import LABEL_SEPARATOR
from rnncls.cli.reporting.tables import cut_table
from rnncls.inference.active_learning.pool import PoolCounts, PoolText
from rnncls.inference.active_learning.selection import Suggestion
from rnncls.inference.prediction import Prediction
from rnncls.machine.files import write_atomic
from rnncls.text.display import format_count

ROW, SUGGESTED, CONFIDENCE = "row", "suggested", "confidence"
"""The columns that a file to fill in has besides those of the data."""


@dataclass(frozen=True)
class SheetColumns:
    """The columns of a file to fill in.

    Attributes:
        text: The columns of the text in the run's data.
        label: The columns of the label in the run's data, which are empty.
        kept: Further columns of the pool, whose values come first in `PoolText.values`.
            The values of the columns of the text may follow.
        has_predictions: Whether there are columns for the predicted label and its
            probability.
        label_separator: What joins several labels of a text; None: `|`.
    """

    text: list[str]
    label: list[str]
    kept: list[str]
    has_predictions: bool = True
    label_separator: str | None = None

    @property
    def row(self) -> str:
        """The column of the row's number in the pool."""
        return self._choose_name(ROW)

    @property
    def names(self) -> list[str]:
        """All columns, in the order of the file."""
        names = [self.row, *self.kept, *self.text, *self.label]
        if self.has_predictions:
            names += [self._choose_name(SUGGESTED), self._choose_name(CONFIDENCE)]
        return names

    def _choose_name(self, name: str) -> str:
        """Return a name that no column of the data or of the pool has."""
        taken = {*self.kept, *self.text, *self.label}
        while name in taken:
            name = f"pool_{name}"
        return name

    def fill(self, item: PoolText, prediction: Prediction) -> list[str]:
        """Return the values of a row: the fields of the label are empty."""
        num_kept = len(self.kept)
        texts = item.values[num_kept:]
        if not texts:  # the columns are not known: the first one has all of the text
            num_others = len(self.text) - 1
            texts = [item.text] + [""] * num_others
        row = [str(item.row)]
        row += item.values[:num_kept]
        row += texts
        row += [""] * len(self.label)
        if self.has_predictions:
            row.append(join_labels(prediction, self.label_separator))
            row.append(f"{prediction.confidence:.4f}")
        return row


def join_labels(prediction: Prediction, separator: str | None) -> str:
    """Return the predicted label, or several ones with a separator between them."""
    return (separator or LABEL_SEPARATOR).join(prediction.reached)


def save_suggestions(
    path: Path, suggestions: Sequence[Suggestion], columns: SheetColumns
) -> None:
    """Write the texts to label as CSV.

    Raises:
        RunError: The file cannot be written.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns.names)
    for suggestion in suggestions:
        writer.writerow(columns.fill(suggestion.text, suggestion.prediction))
    write_atomic(path, stream.getvalue().encode("utf-8", "backslashreplace"))


def suggestion_table(suggestions: Sequence[Suggestion], columns: SheetColumns) -> Table:
    """Return the texts to label, cut at the edge of the screen."""
    header = [ROW, *columns.kept, SUGGESTED, CONFIDENCE, "text"]
    rows = []
    for suggestion in suggestions:
        item, prediction = suggestion.text, suggestion.prediction
        kept = item.values[: len(columns.kept)]
        label = join_labels(prediction, columns.label_separator)
        confidence = f"{prediction.confidence:.4f}"
        rows.append([f"{item.row:,}", *kept, label, confidence, item.text])
    return cut_table("", header, rows)


def suggestions_to_dict(
    counts: PoolCounts, suggestions: Sequence[Suggestion], columns: SheetColumns
) -> dict[str, Any]:
    """Return the counts of the pool and the texts to label as JSON values."""
    rows = [
        _row_to_dict(suggestion.text, suggestion.prediction, columns)
        for suggestion in suggestions
    ]
    return {**asdict(counts), "rows": rows}


def _row_to_dict(
    item: PoolText, prediction: Prediction, columns: SheetColumns
) -> dict[str, Any]:
    """Return a text to label as JSON values."""
    suggested: str | list[str] = prediction.label
    if prediction.thresholds is not None:
        suggested = prediction.reached
    kept = item.values[: len(columns.kept)]
    return {
        "row": item.row,
        "text": item.text,
        "suggested": suggested,
        "confidence": prediction.confidence,
        "kept": dict(zip(columns.kept, kept, strict=True)),
    }


def describe_pool(source: str, counts: PoolCounts, num_wanted: int) -> str:
    """Return what is in a pool and what of it can be labelled, for a note.

    Args:
        source: The pool.
        counts: Its rows.
        num_wanted: How many texts should be suggested.
    """
    left_out = {
        "labelled or in --exclude": counts.num_labelled,
        "copies": counts.num_copies,
        "empty": counts.num_empty,
    }
    parts = [f"{count:,} {name}" for name, count in left_out.items() if count]
    note = f"{source}: {format_count(counts.num_rows, 'row')}"
    if parts:
        note += f", left out: {', '.join(parts)}"
    num_texts = counts.num_unlabelled
    if num_texts < num_wanted:
        note += f"; fewer than {num_wanted:,} texts: all {num_texts:,} are suggested"
    return note
