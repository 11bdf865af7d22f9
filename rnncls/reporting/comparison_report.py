"""A comparison of runs as tables on the screen and as a page."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from rnncls.evaluation.comparison import Comparison
from rnncls.reporting import html as page
from rnncls.reporting.evaluation_tables import text_table

_STRIP = 24
"""Half the characters of the scale on the screen."""


def comparison_tables(found: Comparison) -> list[Table]:
    """Return the runs, their intervals drawn to one scale, and how they differ from the
    first: within 80 columns.
    """
    names = shorten([each.name for each in found.contenders])
    narrow = [[*row[:2], *row[3:]] for row in _score_rows(found)]
    scores = _table(
        _title(found), [*_SCORE_HEADER[:3], *_SCORE_HEADER[4:]], _named(names, narrow)
    )
    differences = _table(
        "Against the first run",
        _DIFFERENCE_HEADER,
        _named(names[1:], _difference_rows(found)),
    )
    return [scores, _strip_table(found, names), differences]


def spread_line(found: Comparison) -> str:
    """Return the mean accuracy of several runs against the first, and how they spread."""
    deviation = (
        ""
        if found.deviation is None
        else f", standard deviation {100 * found.deviation:.2f} points"
    )
    return (
        "Mean accuracy of the runs after the first:"
        f" {found.mean_accuracy:.2%}{deviation}"
    )


def setting_table(found: Comparison) -> Table:
    """Return the keys of the configs that are not the same in all runs, a row for each
    value.
    """
    names = shorten([each.name for each in found.contenders])
    title = "What differs in their configs"
    return _table(
        title, ["key", "value", "runs"], _setting_rows(found, names), num_texts=3
    )


def disagreement_table(found: Comparison, limit: int) -> Table:
    """Return some texts that some runs judge right and others wrong, a line each, cut
    at the screen's edge.
    """
    names = shorten([each.name for each in found.contenders])
    shown = len(names) if len(names) <= _MOST_BESIDE else 0
    header = ["row", "label", *names[:shown], "text"]
    rows = [
        [f"{each.row:,}", each.label, *each.predicted[:shown], each.text]
        for each in found.disagreements[:limit]
    ]
    return text_table(
        f"Rows on which they disagree: {found.num_disagreements:,}", header, rows
    )


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1
) -> Table:
    """Return a table without lines; all columns but the first `num_texts` hold numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(escape(name), justify="left" if place < num_texts else "right")
    for row in rows:
        table.add_row(
            *(escape(cell.encode("utf-8", "replace").decode()) for cell in row)
        )
    return table


_MOST_BESIDE = 3
"""Runs whose verdicts have room beside a text."""


def save_comparison(path: Path, found: Comparison) -> None:
    """Write the comparison as a page.

    Raises:
        RunError: The file cannot be written.
    """
    from rnncls.reporting.evaluation_plots import draw_accuracies
    from rnncls.reporting.plotting import to_png

    names = shorten([each.name for each in found.contenders])
    png = to_png(draw_accuracies(names, [each.scores for each in found.contenders]))
    caption = (
        "Accuracy of each run with its 95 % interval; the dotted line is the first run."
    )
    rows = [
        [each.text, each.label, *each.predicted, f"{each.row:,}"]
        for each in found.disagreements
    ]
    settings = _setting_rows(found, names)
    parts = [
        page.paragraph(f"{_title(found)}. SHA-256 {found.origin['sha256']}."),
        page.table("Runs", _SCORE_HEADER, _named(names, _score_rows(found))),
        page.picture(
            png,
            caption,
            "A point and a line for each run; the table above has the values.",
        ),
        page.table(
            "Against the first run",
            _DIFFERENCE_HEADER,
            _named(names[1:], _difference_rows(found)),
        ),
        page.paragraph(
            "Intervals are of 95 %: Wilson's for an accuracy, the bootstrap's for a"
            " difference. p is McNemar's exact test."
        ),
        *(
            [
                page.table(
                    "What differs in their configs",
                    ["key", "value", "runs"],
                    settings,
                    num_texts=3,
                )
            ]
            * bool(settings)
        ),
        page.heading(f"Rows on which they disagree: {found.num_disagreements:,}"),
        page.table(
            "Some of them",
            ["text", "label", *names, "row"],
            rows,
            num_texts=2 + len(names),
        ),
    ]
    page.save_page(path, "Comparison of runs", parts)


def shorten(paths: Sequence[str]) -> list[str]:
    """Return the paths without the folders that all of them share."""
    parts, shared = [Path(path).parts for path in paths], 0
    while (
        all(len(own) > shared + 1 for own in parts)
        and len({own[shared] for own in parts}) == 1
    ):
        shared += 1
    return [str(Path(*own[shared:])) for own in parts]


_SCORE_HEADER = [
    "run",
    "accuracy",
    "95 % interval",
    "macro-F1",
    "parameters",
    "MiB",
    "s",
    "tokens/s",
]
_DIFFERENCE_HEADER = ["run", "points", "95 % interval", "gained", "lost", "p"]


def _title(found: Comparison) -> str:
    return (
        f"{found.origin['path']}: {found.origin['num_rows']:,} rows"
        f" ({found.origin['split']})"
    )


def _named(names: Sequence[str], rows: Sequence[list[str]]) -> list[list[str]]:
    return [[name, *row] for name, row in zip(names, rows, strict=True)]


def _score_rows(found: Comparison) -> list[list[str]]:
    return [
        [
            f"{each.scores.accuracy:.2%}",
            "{:.2%} to {:.2%}".format(*each.scores.accuracy_interval),
            f"{each.scores.macro_f1:.2%}",
            f"{each.num_parameters:,}",
            f"{each.size_mib:.1f}",
            f"{each.train_s:,.0f}",
            f"{each.tokens_per_s:,.0f}",
        ]
        for each in found.contenders
    ]


def _difference_rows(found: Comparison) -> list[list[str]]:
    return [
        [
            f"{100 * each.difference:+.2f}",
            f"{100 * each.interval[0]:+.2f} to {100 * each.interval[1]:+.2f}",
            f"{each.gained:,}",
            f"{each.lost:,}",
            f"{each.p:.2g}",
        ]
        for each in found.differences
    ]


def _setting_rows(found: Comparison, names: Sequence[str]) -> list[list[str]]:
    """Return key, value and the runs that have it, a row for each value."""
    rows = []
    for key, values in found.settings.items():
        owners: dict[str, list[str]] = {}
        for name, value in zip(names, values, strict=True):
            owners.setdefault(
                value if isinstance(value, str) else json.dumps(value), []
            ).append(name)
        for value, those in sorted(owners.items(), key=lambda item: len(item[1])):
            are_most = 1 < len(those) > len(names) / 2
            rows.append([key, value, "the others" if are_most else ", ".join(those)])
    return rows


def _strip_table(found: Comparison, names: Sequence[str]) -> Table:
    """Return the intervals drawn to one scale."""
    intervals = [each.scores.accuracy_interval for each in found.contenders]
    low, high = min(each[0] for each in intervals), max(each[1] for each in intervals)
    scale = f"{low:.1%}{high:>{2 * _STRIP - len(f'{low:.1%}')}.1%}"
    rows = [
        [
            name,
            f"{each.scores.macro_f1:.2%}",
            draw_strip(
                each.scores.accuracy, each.scores.accuracy_interval, (low, high)
            ),
        ]
        for name, each in zip(names, found.contenders, strict=True)
    ]
    table = _table(
        "Macro-F1, and the accuracy in its interval", ["run", "macro-F1", scale], rows
    )
    table.columns[2].justify = "left"
    return table


def draw_strip(
    value: float, interval: tuple[float, float], scale: tuple[float, float]
) -> str:
    """Return a line from one end of an interval to the other, and a dot at its value,
    on a scale of fixed width.
    """
    span = max(scale[1] - scale[0], 1e-12)
    left, dot, right = (
        round((each - scale[0]) / span * (2 * _STRIP - 1))
        for each in (interval[0], value, interval[1])
    )
    line = " " * left + "─" * (right - left + 1)
    return line[:dot] + "●" + line[dot + 1 :]
