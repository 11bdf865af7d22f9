"""A comparison of runs, as tables for the terminal and as a page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.table import Table

from rnncls.cli.reporting import html
from rnncls.cli.reporting.display import (
    INTERVAL,
    interval_cell,
    interval_line,
    percent,
    percent_range,
    short_names,
)
from rnncls.cli.reporting.evaluation_notes import describe_origin, describe_use
from rnncls.cli.reporting.evaluation_tables import PART_HEADER, PART_TITLE, part_rows
from rnncls.cli.reporting.tables import cut_table, plain_table, with_ids
from rnncls.evaluation.compared_runs import ComparedRun
from rnncls.evaluation.comparison import Comparison, Difference

SIGNIFICANCE_LEVEL = 0.05
_SMALL_P = 0.1
_SCALE_WIDTH = 48
"""Characters of the scale on which the intervals are drawn."""
_MAX_PREDICTION_COLUMNS = 3
"""With more runs, there is no room for their predictions beside the texts."""
_SCORE_HEADER = [
    "run",
    "accuracy",
    INTERVAL,
    "macro-F1",
    "parameters",
    "MiB",
    "train s",
    "tokens/s",
]
_DIFFERENCE_HEADER = ["run", "points", INTERVAL, "gained", "lost", "p"]
SETTING_HEADER = ["key", "value", "runs"]
SETTING_TITLE = "Config keys that differ"
DIFFERENCE_NOTES = (
    "macro-F1: mean F1 of the classes; rare classes count as much as frequent ones",
    f"{INTERVAL}: what to expect for other texts of the same kind",
    "points: accuracy minus that of the first run, in percentage points",
    "gained, lost: rows that only this run, or only the first run, gets right",
    f"p: McNemar's exact test; significant below {SIGNIFICANCE_LEVEL}",
    "MiB: the files that predict; train s, tokens/s: time and speed of the training",
)


def comparison_tables(comparison: Comparison) -> list[Table]:
    """Return tables of the scores, the intervals and the differences.

    They fit 80 columns, so the column of the intervals is drawn instead of written.
    """
    names = name_runs(comparison.contenders)
    header = [name for name in _SCORE_HEADER if name not in {INTERVAL, "macro-F1"}]
    rows = [
        [name, percent(run.scores.accuracy), *size_cells(run)]
        for name, run in zip(names, comparison.contenders, strict=True)
    ]
    return [
        plain_table(describe_origin(comparison.origin), header, rows),
        _interval_table(comparison, names),
        plain_table(
            "Compared with the first run",
            _DIFFERENCE_HEADER,
            _difference_rows(comparison, names[1:]),
        ),
        *_part_tables(comparison, names),
    ]


def _part_tables(comparison: Comparison, names: Sequence[str]) -> list[Table]:
    """Return a table of the network and the n-grams of each run that has both."""
    return [
        plain_table(f"{name}: {PART_TITLE}", PART_HEADER, part_rows(run.parts))
        for name, run in zip(names, comparison.contenders, strict=True)
        if run.parts
    ]


def summary_lines(comparison: Comparison) -> list[str]:
    """Return a sentence on each run except the first, and their mean if several."""
    names = name_runs(comparison.contenders)
    lines = []
    for name, run in zip(names[1:], comparison.differences, strict=True):
        difference = describe_significance(run.difference, run.p)
        lines.append(f"{name}: {difference} {names[0]} (p = {format_p(run.p)})")
        lines.append(f"  {explain_difference(run)}")
    if len(comparison.differences) > 1:
        lines.append(_mean_line(comparison))
    return lines


def use_lines(
    origin: Mapping[str, Any], contenders: Sequence[ComparedRun[Any, Any]]
) -> list[str]:
    """Return a line for each run that was trained on the rows, or chosen by them.

    Args:
        origin: Where the rows are from.
        contenders: The runs.
    """
    names = name_runs(contenders)
    lines = []
    for name, run in zip(names, contenders, strict=True):
        use = describe_use({**origin, "used_for": run.used_for}, name)
        if use:
            fact, _, consequence = use.rpartition(": ")
            lines += [f"{fact}:", f"  {consequence}"]
    return lines


def format_p(p: float) -> str:
    """Return a p-value with two decimals, or with two digits if it is small."""
    return f"{p:.2f}" if p >= _SMALL_P else f"{p:.2g}"


def _mean_line(comparison: Comparison) -> str:
    mean = percent(comparison.mean_accuracy)
    line = f"Mean accuracy of the runs after the first: {mean}"
    if comparison.deviation is not None:
        line += f", standard deviation {100 * comparison.deviation:.2f} points"
    return line


def setting_tables(settings: dict[str, list[Any]], names: Sequence[str]) -> list[Table]:
    """Return a table of the config keys that differ, if any do.

    Args:
        settings: The keys, with the value of each run.
        names: The runs.
    """
    if not settings:
        return []
    rows = setting_rows(settings, names)
    return [plain_table(SETTING_TITLE, SETTING_HEADER, rows, num_texts=3)]


def setting_parts(settings: dict[str, list[Any]], names: Sequence[str]) -> list[Markup]:
    """Return the table of `setting_tables` for a page."""
    if not settings:
        return []
    rows = setting_rows(settings, names)
    return [html.table(SETTING_TITLE, SETTING_HEADER, rows, num_texts=3)]


def comparison_details(
    comparison: Comparison, limit: int
) -> tuple[list[str], list[Table]]:
    """Return notes, and tables of differing config keys and of some disagreements.

    Args:
        comparison: The comparison.
        limit: The largest number of disagreements.
    """
    lines = [*DIFFERENCE_NOTES, *summary_lines(comparison)]
    tables = setting_tables(comparison.settings, name_runs(comparison.contenders))
    if comparison.disagreements:
        tables.append(_disagreement_table(comparison, limit))
    else:
        lines.append(disagreement_title(comparison.num_disagreements))
    return lines, tables


def _disagreement_table(comparison: Comparison, limit: int) -> Table:
    """Return examples of rows that only some runs classify correctly, cut to fit.

    Args:
        comparison: The comparison.
        limit: The largest number of rows.
    """
    names = name_runs(comparison.contenders)
    num_shown = len(names) if len(names) <= _MAX_PREDICTION_COLUMNS else 0
    header = ["row", "label", *names[:num_shown], "text"]
    shown = comparison.disagreements[:limit]
    rows = [
        [f"{row.row:,}", row.label, *row.predicted[:num_shown], row.text]
        for row in shown
    ]
    table = with_ids(header, rows, [row.id for row in shown])
    title = disagreement_title(
        comparison.num_disagreements, len(shown), len(comparison.disagreements)
    )
    return cut_table(title, *table)


def save_comparison(path: Path, comparison: Comparison) -> None:
    """Write the comparison as a page.

    Raises:
        RunError: The file cannot be written.
    """
    names = name_runs(comparison.contenders)
    origin = comparison.origin
    parts = [
        html.paragraph(f"{describe_origin(origin)}. SHA-256 {origin['sha256']}."),
        *map(html.paragraph, use_lines(origin, comparison.contenders)),
        html.table("Runs", _SCORE_HEADER, _score_rows(comparison, names)),
        _accuracy_picture(comparison, names),
        html.table(
            "Compared with the first run",
            _DIFFERENCE_HEADER,
            _difference_rows(comparison, names[1:]),
        ),
        *map(html.paragraph, [*DIFFERENCE_NOTES, *summary_lines(comparison)]),
        html.paragraph(
            "The intervals of the accuracies are Wilson's; those of the differences are"
            " bootstrap intervals."
        ),
        *setting_parts(comparison.settings, names),
        html.heading(
            disagreement_title(
                comparison.num_disagreements, len(comparison.disagreements)
            )
        ),
    ]
    if comparison.disagreements:
        parts.append(_disagreement_part(comparison, names))
    html.save_page(path, "Comparison of runs", parts)


def _accuracy_picture(comparison: Comparison, names: Sequence[str]) -> Markup:
    from rnncls.cli.reporting.evaluation_plots import plot_accuracies
    from rnncls.cli.reporting.plotting import to_png

    scores = [run.scores for run in comparison.contenders]
    return html.picture(
        to_png(plot_accuracies(names, scores)),
        f"Accuracy of each run with its {INTERVAL}. The dotted line is the first run.",
        "A point and a line for each run; the table above has the values.",
    )


def _disagreement_part(comparison: Comparison, names: Sequence[str]) -> Markup:
    header = ["text", "label", *names, "row"]
    rows = [
        [row.text, row.label, *row.predicted, f"{row.row:,}"]
        for row in comparison.disagreements
    ]
    table = with_ids(header, rows, [row.id for row in comparison.disagreements])
    num_texts = len(table[0]) - 1
    return html.table("Examples of these rows", *table, num_texts=num_texts)


def name_runs(runs: Sequence[ComparedRun[Any, Any]]) -> list[str]:
    """Return short names of the runs."""
    return short_names([run.name for run in runs])


def disagreement_title(
    num_disagreements: int, num_shown: int | None = None, num_on_page: int = 0
) -> str:
    """Return the title of the rows that only some runs get right.

    Args:
        num_disagreements: The number of these rows.
        num_shown: How many of them are shown; None: all.
        num_on_page: How many the page and JSON have.
    """
    title = f"Rows on which the runs disagree: {num_disagreements:,}"
    if num_shown is None or num_shown == num_disagreements:
        return title
    title += f" ({num_shown:,} of {num_disagreements:,} shown"
    if num_on_page > num_shown:
        has_all = num_on_page == num_disagreements
        amount = "all" if has_all else f"{num_on_page:,}"
        title += f"; {amount}: --html FILE or --json"
    return f"{title})"


def _score_rows(comparison: Comparison, names: Sequence[str]) -> list[list[str]]:
    return [
        [
            name,
            percent(run.scores.accuracy),
            percent_range(run.scores.accuracy_interval),
            percent(run.scores.macro_f1),
            *size_cells(run),
        ]
        for name, run in zip(names, comparison.contenders, strict=True)
    ]


def size_cells(run: ComparedRun[Any, Any]) -> list[str]:
    """Return size and speed of a run."""
    return [
        f"{run.num_parameters:,}",
        f"{run.size_mib:.1f}",
        f"{run.train_s:,.0f}",
        f"{run.tokens_per_s:,.0f}",
    ]


def _difference_rows(comparison: Comparison, names: Sequence[str]) -> list[list[str]]:
    rows = []
    for name, run in zip(names, comparison.differences, strict=True):
        low, high = run.interval
        row = [
            name,
            f"{100 * run.difference:+.2f}",
            interval_cell(f"{100 * low:+.2f} to {100 * high:+.2f}", run.interval),
            f"{run.gained:,}",
            f"{run.lost:,}",
            format_p(run.p),
        ]
        rows.append(row)
    return rows


def describe_significance(difference: float, p: float) -> str:
    """Describe a difference in accuracy and its p-value, up to "than" or "to"."""
    if p >= SIGNIFICANCE_LEVEL:
        return "no significant difference to"
    return f"significantly {'better' if difference > 0 else 'worse'} than"


def explain_difference(difference: Difference) -> str:
    """Describe the rows that only one of two runs classifies correctly."""
    num_disputed = difference.gained + difference.lost
    if num_disputed == 0:
        return "both classify the same rows correctly"
    rows = f"rows gained: {difference.gained:,}, lost: {difference.lost:,}"
    if difference.p >= SIGNIFICANCE_LEVEL:
        return f"{rows}; the difference may be due to chance"
    low, high = difference.interval
    return f"{rows}; expect {100 * low:+.2f} to {100 * high:+.2f} points"


def setting_rows(
    settings: dict[str, list[Any]], names: Sequence[str]
) -> list[list[str]]:
    """Return key, value and the runs that have it, with a row for each value."""
    rows = []
    for key, values in settings.items():
        for value, owners in _owners_by_value(values, names):
            rows.append([key, value, _describe_owners(owners, len(names))])
    return rows


def _owners_by_value(
    values: Sequence[Any], names: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """Return each value with the runs that have it, the rarest value first."""
    owners_by_value: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        shown = value if isinstance(value, str) else json.dumps(value)
        owners_by_value.setdefault(shown, []).append(name)
    return sorted(owners_by_value.items(), key=lambda item: len(item[1]))


def _describe_owners(owners: Sequence[str], num_runs: int) -> str:
    is_majority = 1 < len(owners) > num_runs / 2
    return "the others" if is_majority else ", ".join(owners)


def _interval_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Return macro-F1, and the accuracy intervals drawn on the same scale."""
    scores = [run.scores for run in comparison.contenders]
    low = min(run.accuracy_interval[0] for run in scores)
    high = max(run.accuracy_interval[1] for run in scores)
    low_label = percent(low, 1)
    high_label = f"{percent(high, 1):>{_SCALE_WIDTH - len(low_label)}}"
    rows = []
    for name, run in zip(names, scores, strict=True):
        line = interval_line(
            run.accuracy,
            run.accuracy_interval,
            scale=(low, high),
            width=_SCALE_WIDTH,
        )
        rows.append([name, percent(run.macro_f1), line])
    title = f"Accuracy with its {INTERVAL} (dot and line), and macro-F1"
    table = plain_table(title, ["run", "macro-F1", low_label + high_label], rows)
    table.columns[2].justify = "left"
    return table
