"""Drift as text and tables: the tests, and what drives the differences."""

from collections.abc import Sequence

from rich.table import Table

from rnncls.cli.reporting.display import percent
from rnncls.cli.reporting.tables import cut_table, plain_table
from rnncls.evaluation.drift_labels import LabelShift
from rnncls.evaluation.drift_result import AspectDrift, DriftResult
from rnncls.evaluation.drift_sample import TextSample
from rnncls.evaluation.drift_words import WordShift

DRIFT_HEADER = ["aspect", "reference", "file", "effect", "p", "drift"]
LABEL_HEADER = ["label", "reference", "file", "change"]
WORD_HEADER = ["word", "reference", "file", "z"]
UNLIKE_HEADER = ["row", "predicted", "text"]
MORE_WORDS = "Words in more texts than before"
FEWER_WORDS = "Words in fewer texts than before"
PREDICTED_LABELS = "Predicted labels, the largest changes first"
TRUE_LABELS = "True labels, the largest changes first"
UNLIKE_TEXTS = "The texts of the file that are most unlike the reference"
LABEL_NOTE = "*: the run lacks it"
WORD_NOTE = "*: the vocabulary lacks it"
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
            _format_value(aspect, aspect.reference),
            _format_value(aspect, aspect.file),
            _format_effect(aspect),
            format_small_p(aspect.p_adjusted),
            "yes" if aspect.has_drifted else "no",
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
    """Return the file of a sample, and how many of its rows are compared."""
    kind = "validation rows" if sample.split else "rows"
    num_rows, num_compared = sample.num_rows, len(sample.texts)
    count = f"{num_rows:,} {kind}"
    if num_compared < num_rows:
        count = f"{num_compared:,} of {count}, drawn with a fixed seed"
    return f"{sample.source} ({count})"


def drift_title(result: DriftResult) -> str:
    """Return what is compared with what."""
    file, reference = describe_sample(result.file), describe_sample(result.reference)
    return f"{file} compared with {reference}"


def drift_table(result: DriftResult) -> Table:
    """Return the table of tests for the terminal."""
    return plain_table("", DRIFT_HEADER, drift_rows(result.aspects))


def note_lines(result: DriftResult) -> list[str]:
    """Return the legend, and notes on rows that the run was trained on."""
    notes = [LEGEND]
    for name, sample in (("file", result.file), ("reference", result.reference)):
        if sample.used_for == "training":
            notes.append(
                f"The run was trained on rows of the {name} ({sample.source}): its"
                " confidence is higher there."
            )
    return notes


def label_rows(shifts: Sequence[LabelShift]) -> list[list[str]]:
    """Return the rows of a table of labels; an unknown one has a star."""
    rows = []
    for shift in shifts:
        name = shift.label if shift.is_known else f"{shift.label} *"
        change = f"{100 * shift.change:+.2f}"
        rows.append([name, percent(shift.reference), percent(shift.file), change])
    return rows


def label_tables(result: DriftResult, limit: int) -> dict[str, Table]:
    """Return tables of the predicted labels, and of the true ones, by their titles.

    Args:
        result: The result.
        limit: The largest number of labels.
    """
    predicted = label_rows(result.predicted_labels[:limit])
    tables = {PREDICTED_LABELS: plain_table("", LABEL_HEADER, predicted)}
    if result.true_labels:
        shown = result.true_labels[:limit]
        is_known = all(shift.is_known for shift in shown)
        note = "" if is_known else f" ({LABEL_NOTE})"
        table = plain_table("", LABEL_HEADER, label_rows(shown))
        tables[TRUE_LABELS + note] = table
    return tables


def word_rows(words: Sequence[WordShift]) -> list[list[str]]:
    """Return the rows of a table of words; an unknown one has a star."""
    rows = []
    for word in words:
        name = word.word if word.is_known else f"{word.word} *"
        z = f"{word.z:+.1f}"
        rows.append([name, percent(word.reference), percent(word.file), z])
    return rows


def split_words(words: Sequence[WordShift]) -> dict[str, list[WordShift]]:
    """Return the words that became more frequent and those that became rarer, by title.

    A side without words is left out.
    """
    sides = {
        MORE_WORDS: [word for word in words if word.z > 0],
        FEWER_WORDS: [word for word in words if word.z < 0],
    }
    return {title: side for title, side in sides.items() if side}


def word_tables(result: DriftResult, limit: int) -> dict[str, Table]:
    """Return tables of the words that became more frequent, and of those rarer.

    The keys are their titles.

    Args:
        result: The result.
        limit: The largest number of words of each table.
    """
    tables = {}
    for title, words in split_words(result.words).items():
        shown = words[:limit]
        is_known = all(word.is_known for word in shown)
        note = "" if is_known else f" ({WORD_NOTE})"
        tables[title + note] = plain_table("", WORD_HEADER, word_rows(shown))
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
