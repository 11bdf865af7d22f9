"""The page of `rnncls drift`: the tests, and what drives the differences."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from rnncls.cli.reporting import html
from rnncls.cli.reporting.drift_plots import plot_distributions, plot_label_shares
from rnncls.cli.reporting.drift_tables import (
    DRIFT_HEADER,
    NO_WORDS,
    PREDICTED_LABELS,
    TRUE_LABELS,
    UNLIKE_HEADER,
    UNLIKE_TEXTS,
    ShareTable,
    describe_sample,
    drift_rows,
    label_shares,
    note_lines,
    unlike_rows,
    word_shares,
)
from rnncls.cli.reporting.plotting import to_png
from rnncls.evaluation.drift_labels import LabelShift
from rnncls.evaluation.drift_result import DriftResult
from rnncls.evaluation.drift_words import NUM_WORDS
from rnncls.text.display import printable


def save_drift_page(path: Path, result: DriftResult) -> None:
    """Write the page.

    Raises:
        RunError: The file cannot be written.
    """
    title = f"Drift of {printable(result.file.source)}"
    html.save_page(path, title, [*drift_parts(result)])


def drift_parts(result: DriftResult) -> Iterator[Markup]:
    """Yield the parts of the page."""
    yield html.paragraph(printable(result.meaning()))
    yield html.paragraph(
        f"Run: {printable(str(result.run_path))}. File:"
        f" {printable(describe_sample(result.file))}. Reference:"
        f" {printable(describe_sample(result.reference))}."
    )
    yield _test_table(result)
    yield from map(html.paragraph, map(printable, note_lines(result)))
    yield html.heading("Lengths and confidence")
    yield html.picture(
        to_png(plot_distributions(result.distributions)),
        "The share of the texts that are at most as long, or as confident.",
        "Two pairs of rising curves, of the reference and of the file; where they are"
        " apart, the distributions differ. The table above has their medians.",
    )
    yield html.heading("Labels")
    yield from _label_parts(PREDICTED_LABELS, result.predicted_labels)
    if result.true_labels:
        yield from _label_parts(TRUE_LABELS, result.true_labels)
    yield from _word_parts(result)
    yield from _unlike_parts(result)


def _test_table(result: DriftResult) -> Markup:
    header = [*DRIFT_HEADER, "test", "raw p"]
    rows = [
        [*row, aspect.test, f"{aspect.p:.2g}"]
        for row, aspect in zip(drift_rows(result.aspects), result.aspects, strict=True)
    ]
    return html.table("Tests", header, rows, num_texts=2)


def _label_parts(title: str, shifts: Sequence[LabelShift]) -> Iterator[Markup]:
    yield html.picture(
        to_png(plot_label_shares(shifts)),
        title,
        "Two bars for each label; the table below has their values.",
    )
    yield from _share_parts(label_shares(title, shifts))


def _word_parts(result: DriftResult) -> Iterator[Markup]:
    yield html.heading("Words")
    tables = word_shares(result.words, limit=NUM_WORDS)
    if not tables:
        yield html.paragraph(NO_WORDS)
    for table in tables:
        yield from _share_parts(table)


def _share_parts(table: ShareTable) -> Iterator[Markup]:
    rows = [list(map(printable, row)) for row in table.rows]
    yield html.table(table.title, table.header, rows)
    if table.note:
        yield html.paragraph(table.note)


def _unlike_parts(result: DriftResult) -> Iterator[Markup]:
    yield html.heading(UNLIKE_TEXTS)
    if not result.unlike_texts:
        yield html.paragraph("The pooled states do not differ significantly.")
        return
    rows = [list(map(printable, row)) for row in unlike_rows(result)]
    num_texts = len(UNLIKE_HEADER)
    yield html.table("Texts by row number", UNLIKE_HEADER, rows, num_texts=num_texts)
