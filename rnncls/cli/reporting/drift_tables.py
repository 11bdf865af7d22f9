"""Drift as text and tables: the tests, and what drives the differences."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

from rnncls.cli.reporting.display import percent
from rnncls.cli.reporting.tables import cut_table, plain_table
from rnncls.evaluation.drift_labels import LabelShift
from rnncls.evaluation.drift_result import AspectDrift, DriftResult
from rnncls.evaluation.drift_sample import TextSample
from rnncls.evaluation.drift_words import WordShift

DRIFT_HEADER = ["aspect", "drift", "reference", "file", "effect", "p"]
UNLIKE_HEADER = ["row", "predicted", "text"]
PREDICTED_LABELS = "Predicted labels, the largest changes first"
TRUE_LABELS = "True labels, the largest changes first"
UNLIKE_TEXTS = "The texts of the file that are most unlike the reference"
NO_WORDS = "No word is in significantly more or fewer texts than before."
LEGEND = (
    "length and confidence: medians; unknown words: share of the tokens; effect: from 0"
    " to 1, of the pooled states 2 AUROC - 1; p: after Holm's correction"
)
_SMALLEST_P = 0.0001


def drift_rows(aspects: Sequence[AspectDrift]) -> list[list[str]]:
    """Return the rows of the table of tests."""
    rows = []
    for aspect in aspects:
        row = [
            aspect.name,
            "yes" if aspect.has_drifted else "no",
            _format_value(aspect, aspect.reference),
            _format_value(aspect, aspect.file),
            _format_effect(aspect),
            format_small_p(aspect.p_adjusted),
        ]
        rows.append(row)
    return rows


def format_small_p(p: float) -> str:
    """Return a p-value with four decimals, or that it is smaller."""
    return f"{p:.4f}" if p >= _SMALLEST_P else f"<{_SMALLEST_P:.4f}"


def _format_value(aspect: AspectDrift, value: float | None) -> str:
    if value is None:
        return ""
    if aspect.aspect == "length":
        return f"{value:,.0f}"
    return percent(value) if aspect.aspect == "unknown_words" else f"{value:.3f}"


def _format_effect(aspect: AspectDrift) -> str:
    if aspect.auroc is not None:
        return f"AUROC {aspect.auroc:.3f}"
    return f"{aspect.measure} {aspect.effect:.3f}"


def describe_sample(sample: TextSample) -> str:
    """Return the files of a sample, and how many of its rows are compared."""
    kind = "validation rows" if sample.split else "rows"
    num_rows, num_compared = sample.num_rows, len(sample.texts)
    count = f"{num_rows:,} {kind}"
    if num_compared < num_rows:
        count = f"{num_compared:,} of {count}, drawn with a fixed seed"
    files = " and ".join([sample.source, *sample.earlier_sources])
    return f"{files} ({count})"


def drift_title(result: DriftResult) -> str:
    """Return what is compared with what."""
    file, reference = describe_sample(result.file), describe_sample(result.reference)
    return f"{file} compared with {reference}"


def drift_table(result: DriftResult) -> Table:
    """Return the table of tests for the terminal."""
    return plain_table("", DRIFT_HEADER, drift_rows(result.aspects), num_texts=2)


def note_lines(result: DriftResult) -> list[str]:
    """Return the legend, and notes on rows that the run was trained on."""
    notes = [LEGEND]
    for name, sample in (("file", result.file), ("reference", result.reference)):
        if sample.used_for == "training":
            notes.append(
                f"The run was trained on rows of the {name} ({sample.source}): it is"
                " more confident there, and knows more of the words, without any drift."
            )
    return notes


class ShareTable(NamedTuple):
    """The shares of the texts that have a label, or a word.

    Attributes:
        title: The title.
        header: The names of the columns.
        rows: The cells. A label or a word that the run does not know has a star.
        note: What the star means; empty if there is none.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str


def label_shares(title: str, shifts: Sequence[LabelShift]) -> ShareTable:
    """Return the table of the shares of labels."""
    names = [shift.label for shift in shifts]
    return _build_shares(title, "label", names, shifts, "*: the run lacks it")


def word_shares(words: Sequence[WordShift], limit: int) -> list[ShareTable]:
    """Return the table of words in more texts than before, and that of the others.

    A table without words is left out.

    Args:
        words: The words.
        limit: The largest number of words of each table.
    """
    sides = {
        "Words in more texts than before": [word for word in words if word.change > 0],
        "Words in fewer texts than before": [word for word in words if word.change < 0],
    }
    tables = []
    for title, side in sides.items():
        shown = side[:limit]
        names = [word.word for word in shown]
        note = "*: the vocabulary lacks it"
        if shown:
            tables.append(_build_shares(title, "word", names, shown, note))
    return tables


def _build_shares(
    title: str,
    kind: str,
    names: Sequence[str],
    shifts: Sequence[LabelShift | WordShift],
    note: str,
) -> ShareTable:
    rows = []
    for name, shift in zip(names, shifts, strict=True):
        shown = name if shift.is_known else f"{name} *"
        change = f"{100 * shift.change:+.2f}"
        rows.append([shown, percent(shift.reference), percent(shift.file), change])
    has_star = not all(shift.is_known for shift in shifts)
    header = [kind, "reference", "file", "points"]
    return ShareTable(title, header, rows, note if has_star else "")


def share_tables(result: DriftResult, limit: int) -> dict[str, Table]:
    """Return the tables of labels and words for the terminal, by their titles.

    Args:
        result: The result.
        limit: The largest number of rows of each table.
    """
    shares = [label_shares(PREDICTED_LABELS, result.predicted_labels[:limit])]
    if result.true_labels:
        shares.append(label_shares(TRUE_LABELS, result.true_labels[:limit]))
    shares += word_shares(result.words, limit)
    tables = {}
    for share in shares:
        title = f"{share.title} ({share.note})" if share.note else share.title
        tables[title] = plain_table("", share.header, share.rows)
    return tables


def unlike_rows(result: DriftResult) -> list[list[str]]:
    """Return the rows of the table of the most unlike texts."""
    return [
        [f"{text.row:,}", ", ".join(text.predicted), " ".join(text.text.split())]
        for text in result.unlike_texts
    ]


def unlike_table(result: DriftResult, limit: int) -> Table:
    """Return the table of the most unlike texts, cut to the screen.

    Args:
        result: The result.
        limit: The largest number of texts.
    """
    return cut_table("", UNLIKE_HEADER, unlike_rows(result)[:limit])
