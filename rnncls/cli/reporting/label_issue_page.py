"""Rows that are probably mislabelled, each with its twin: a table, and a page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup, escape
from rich.table import Table

from rnncls.cli.reporting import html
from rnncls.cli.reporting.display import percent
from rnncls.cli.reporting.tables import cut_table, with_ids
from rnncls.text.display import printable
from rnncls.training.label_issues import LabelIssue, LabelIssues, Twin

MAX_SHOWN = 500
"""Rows on the page, the most suspicious first."""
_MAX_PAIRS = 20
"""Pairs of labels in the table of the page."""


def issue_table(issues: Sequence[LabelIssue]) -> Table:
    """Return the rows, each with its twin below, cut at the edge of the screen."""
    header = ["row", "label", "prob", "suggested", "text"]
    rows, ids = [], []
    for issue in issues:
        prob = f"{issue.prob:.4f}"
        rows.append([f"{issue.row:,}", issue.label, prob, issue.suggested, issue.text])
        ids.append(issue.id)
        if issue.twin is not None:
            twin = issue.twin
            rows.append(
                [f"  {twin.row:,}", twin.label, "", _name_kind(twin), twin.text]
            )
            ids.append(twin.id)
    return cut_table("", *with_ids(header, rows, ids))


def _name_kind(twin: Twin) -> str:
    """Return how similar a twin is, for a narrow column."""
    kind = "near copy" if twin.is_near_duplicate else "similar"
    return f"({kind}, {twin.similarity:.2f})"


def save_issue_page(path: Path, found: LabelIssues, source: str) -> None:
    """Write a page to go through the rows that are probably mislabelled.

    Args:
        path: The page.
        found: The rows.
        source: The config, run or file that was checked.

    Raises:
        RunError: The file cannot be written.
    """
    html.save_page(path, f"Label issues of {source}", list(_iter_parts(found)))


def _iter_parts(found: LabelIssues) -> Iterator[Markup]:
    """Yield the summary, the table of label pairs, and the rows."""
    issues = found.issues
    share = percent(len(issues) / max(found.num_rows, 1))
    yield html.paragraph(
        f"{found.num_rows:,} rows were checked by cross-validation with"
        f" {found.num_folds} folds: the label of each row was compared with the"
        " prediction of a model that was not trained on it."
        f" Rows that are probably mislabelled: {len(issues):,} ({share})."
    )
    if not issues:
        return
    yield html.paragraph(
        "A row may also be right, but unusual or hard. The row beside the line is the"
        " most similar one with another label: compare the two, and correct the one"
        " that is wrong in the file, by its row number (1 is the first row after the"
        " header)."
    )
    yield _pair_table(issues)
    shown = issues[:MAX_SHOWN]
    title = f"The {len(shown):,} rows whose label is least probable"
    yield html.heading(title if len(shown) < len(issues) else "The rows")
    yield from map(_issue_card, shown)


def _pair_table(issues: Sequence[LabelIssue]) -> Markup:
    """Return the most frequent pairs of a label and the suggested one."""
    pairs = Counter((issue.label, issue.suggested) for issue in issues)
    rows = [
        [printable(label), printable(suggested), f"{count:,}"]
        for (label, suggested), count in pairs.most_common(_MAX_PAIRS)
    ]
    caption = "Labels and suggested labels"
    return html.table(caption, ["label", "suggested", "rows"], rows, num_texts=2)


def _issue_card(issue: LabelIssue) -> Markup:
    """Return a row and its twin."""
    name = _name_row(issue.row, issue.id)
    title = Markup("{}: <bdi>{}</bdi> → <bdi>{}</bdi>?").format(
        html.isolate(name), _name_label(issue.label), _name_label(issue.suggested)
    )
    prob = f"Probability of the given label: {percent(issue.prob)}"
    parts = [html.written_text([escape(issue.text)]), html.paragraph(prob)]
    return html.card(title, parts, _twin_parts(issue.twin))


def _twin_parts(twin: Twin | None) -> list[Markup]:
    """Return the twin of a row; nothing if it has none."""
    if twin is None:
        return []
    kind = "nearly the same text" if twin.is_near_duplicate else "the most similar text"
    line = Markup(
        "<p>{} is labelled <strong><bdi>{}</bdi></strong>: {} with another label"
        " (similarity {}).</p>"
    ).format(
        html.isolate(_name_row(twin.row, twin.id)),
        _name_label(twin.label),
        kind,
        f"{twin.similarity:.2f}",
    )
    return [line, html.written_text([escape(twin.text)])]


def _name_row(row: int, row_id: str | None) -> str:
    """Return the number of a row, and its id if it has one."""
    name = f"Row {row:,}"
    return name if row_id is None else f"{name} ({printable(row_id)})"


def _name_label(label: str) -> str:
    """Return a label for display; a row may have no label of several."""
    return printable(label) or "no label"
