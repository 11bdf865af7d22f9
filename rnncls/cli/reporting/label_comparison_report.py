"""A comparison of runs with several labels a text, as tables and as a page."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from rnncls.cli.reporting import html
from rnncls.cli.reporting.comparison_report import (
    SIGNIFICANCE_LEVEL,
    describe_significance,
    disagreement_title,
    format_p,
    name_runs,
    setting_parts,
    setting_tables,
    size_cells,
    use_lines,
)
from rnncls.cli.reporting.display import (
    INTERVAL,
    interval_cell,
    percent,
    percent_range,
)
from rnncls.cli.reporting.evaluation_notes import describe_origin
from rnncls.cli.reporting.label_tables import (
    LABEL_PART_HEADER,
    LABEL_PART_TITLE,
    label_part_rows,
)
from rnncls.cli.reporting.tables import cut_table, plain_table, with_ids
from rnncls.evaluation.label_bootstrap import F1Difference
from rnncls.evaluation.label_comparison import LabelDifference, LabelRunComparison
from rnncls.text.display import format_count

_MAX_PREDICTION_COLUMNS = 2
"""With more runs, there is no room for their predictions beside the texts."""
_F1_HEADER = ["run", "micro-F1", INTERVAL, "macro-F1", INTERVAL]
_COST_HEADER = ["run", "all right", "parameters", "MiB", "train s", "tokens/s"]
_DIFFERENCE_HEADER = ["run", "score", "points", INTERVAL, "p"]
_DIFFERENCE_TITLE = "Compared with the first run"
LABEL_DIFFERENCE_NOTES = (
    f"{INTERVAL}: what to expect for other texts of the same kind (bootstrap)",
    "all right: rows whose labels are all predicted, and no others",
    "points: F1 minus that of the first run, in percentage points",
    f"p: paired bootstrap; significant below {SIGNIFICANCE_LEVEL}",
    "MiB: the files that predict; train s, tokens/s: time and speed of the training",
)


def label_comparison_tables(comparison: LabelRunComparison) -> list[Table]:
    """Return tables of the scores, the sizes and the differences."""
    names = name_runs(comparison.contenders)
    title = describe_origin(comparison.origin)
    differences = _difference_rows(comparison, names[1:])
    tables = [
        plain_table(title, _F1_HEADER, _f1_rows(comparison, names)),
        plain_table("Sizes and speeds", _COST_HEADER, _cost_rows(comparison, names)),
        plain_table(_DIFFERENCE_TITLE, _DIFFERENCE_HEADER, differences),
    ]
    for name, run in zip(names, comparison.contenders, strict=True):
        if run.parts:
            rows = label_part_rows(run.parts)
            part_title = f"{name}: {LABEL_PART_TITLE}"
            tables.append(plain_table(part_title, LABEL_PART_HEADER, rows))
    return tables


def label_summary_lines(comparison: LabelRunComparison) -> list[str]:
    """Return a sentence on each run except the first."""
    names = name_runs(comparison.contenders)
    lines = []
    for name, run in zip(names[1:], comparison.differences, strict=True):
        for score, f1 in (("micro-F1", run.micro_f1), ("macro-F1", run.macro_f1)):
            significance = describe_significance(f1.difference, f1.p)
            lines.append(
                f"{name}: {score}: {significance} {names[0]} (p = {format_p(f1.p)})"
            )
        lines.append(f"  {_explain_gains(run)}")
    return lines


def _explain_gains(run: LabelDifference) -> str:
    """Describe the rows whose labels only one of two runs gets right."""
    if run.gained == run.lost == 0:
        return "both get all labels of the same rows right"
    return (
        f"only this run gets all labels of {format_count(run.gained, 'row')} right,"
        f" only the first one those of {format_count(run.lost, 'row')}"
    )


def label_comparison_details(
    comparison: LabelRunComparison, limit: int
) -> tuple[list[str], list[Table]]:
    """Return notes, and tables of differing config keys and of some disagreements.

    Args:
        comparison: The comparison.
        limit: The largest number of disagreements.
    """
    lines = [*LABEL_DIFFERENCE_NOTES, *label_summary_lines(comparison)]
    tables = setting_tables(comparison.settings, name_runs(comparison.contenders))
    if comparison.disagreements:
        tables.append(_disagreement_table(comparison, limit))
    else:
        lines.append(disagreement_title(comparison.num_disagreements))
    return lines, tables


def _disagreement_table(comparison: LabelRunComparison, limit: int) -> Table:
    """Return examples of rows that only some runs get right, cut to fit.

    Args:
        comparison: The comparison.
        limit: The largest number of rows.
    """
    names = name_runs(comparison.contenders)
    num_shown = len(names) if len(names) <= _MAX_PREDICTION_COLUMNS else 0
    header, rows = _disagreements(comparison, names[:num_shown])
    ids = [row.id for row in comparison.disagreements[:limit]]
    table = with_ids(header, rows[:limit], ids)
    title = disagreement_title(
        comparison.num_disagreements, len(ids), len(comparison.disagreements)
    )
    return cut_table(title, *table)


def save_label_comparison(path: Path, comparison: LabelRunComparison) -> None:
    """Write the comparison as a page.

    Raises:
        RunError: The file cannot be written.
    """
    names = name_runs(comparison.contenders)
    origin = comparison.origin
    f1_rows, cost_rows = _f1_rows(comparison, names), _cost_rows(comparison, names)
    differences = _difference_rows(comparison, names[1:])
    parts = [
        html.paragraph(f"{describe_origin(origin)}. SHA-256 {origin['sha256']}."),
        *map(html.paragraph, use_lines(origin, comparison.contenders)),
        html.table("Runs", _F1_HEADER, f1_rows),
        html.table("Sizes and speeds", _COST_HEADER, cost_rows),
        html.table(_DIFFERENCE_TITLE, _DIFFERENCE_HEADER, differences),
    ]
    notes = [*LABEL_DIFFERENCE_NOTES, *label_summary_lines(comparison)]
    parts += map(html.paragraph, notes)
    parts += setting_parts(comparison.settings, names)
    header, rows = _disagreements(comparison, names)
    header, rows = with_ids(header, rows, [row.id for row in comparison.disagreements])
    title = disagreement_title(
        comparison.num_disagreements, len(comparison.disagreements)
    )
    parts.append(html.heading(title))
    if rows:
        num_texts = len(header)
        table = html.table("Examples of these rows", header, rows, num_texts=num_texts)
        parts.append(table)
    html.save_page(path, "Comparison of runs", parts)


def _f1_rows(comparison: LabelRunComparison, names: Sequence[str]) -> list[list[str]]:
    rows = []
    for name, run in zip(names, comparison.contenders, strict=True):
        scores = run.scores
        row = [
            name,
            percent(scores.micro_f1),
            _f1_range(scores.micro_f1_interval, scores.micro_f1),
            percent(scores.macro_f1),
            _f1_range(scores.macro_f1_interval, scores.macro_f1),
        ]
        rows.append(row)
    return rows


def _f1_range(interval: tuple[float, float], score: float) -> str:
    if score == 1:
        return "no error"
    return interval_cell(percent_range(interval), interval)


def _cost_rows(comparison: LabelRunComparison, names: Sequence[str]) -> list[list[str]]:
    return [
        [
            name,
            percent(run.scores.subset_accuracy),
            *size_cells(run),
        ]
        for name, run in zip(names, comparison.contenders, strict=True)
    ]


def _difference_rows(
    comparison: LabelRunComparison, names: Sequence[str]
) -> list[list[str]]:
    """Return two rows for each run, for micro-F1 and for macro-F1."""
    rows = []
    for name, run in zip(names, comparison.differences, strict=True):
        rows.append([name, "micro-F1", *_difference_cells(run.micro_f1)])
        rows.append(["", "macro-F1", *_difference_cells(run.macro_f1)])
    return rows


def _difference_cells(f1: F1Difference) -> list[str]:
    low, high = f1.interval
    return [
        f"{100 * f1.difference:+.2f}",
        interval_cell(f"{100 * low:+.2f} to {100 * high:+.2f}", f1.interval),
        format_p(f1.p),
    ]


def _disagreements(
    comparison: LabelRunComparison, names: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the disagreements, with the predictions of some runs.

    Args:
        comparison: The comparison.
        names: The first runs, whose predictions are shown.
    """
    rows = []
    for row in comparison.disagreements:
        predicted = [", ".join(labels) for labels in row.predicted[: len(names)]]
        rows.append([f"{row.row:,}", ", ".join(row.labels), *predicted, row.text])
    return ["row", "labels", *names, "text"], rows
