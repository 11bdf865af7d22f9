"""The parts of a run's report that describe its training and its config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from rnncls.cli.reporting import html
from rnncls.cli.reporting.tables import with_ids

_EPOCH_COLUMNS = {
    "epoch": "{}",
    "train_loss": "{:.4f}",
    "valid_loss": "{:.4f}",
    "train_accuracy": "{:.2%}",
    "valid_accuracy": "{:.2%}",
    "valid_micro_f1": "{:.2%}",
    "valid_macro_f1": "{:.2%}",
    "elapsed_s": "{:,.0f}",
    "tokens_per_s": "{:,}",
}
"""The columns of the table of epochs: a key of the metric rows and its format. Only
rows for several labels a text have micro-F1."""


def label_issue_table(label_issues: Sequence[dict[str, Any]]) -> Markup:
    """Return the training rows that are probably mislabelled."""
    header = ["text", "label", "suggested", "probability of the label", "row"]
    rows = [
        [
            issue["text"],
            issue["label"],
            issue["suggested"],
            f"{issue['prob']:.4f}",
            f"{issue['row']:,}",
        ]
        for issue in label_issues
    ]
    caption = "Training rows that are probably mislabelled"
    header, rows = with_ids(header, rows, [issue.get("id") for issue in label_issues])
    return html.table(caption, header, rows, num_texts=len(header) - 2)


def training_parts(
    metric_rows: Sequence[dict[str, Any]],
    summary: dict[str, Any],
    curves: Markup | None,
) -> Iterator[Markup]:
    """Yield the plot and the table of the epochs, and the facts of the training.

    Args:
        metric_rows: The metric rows, one for each epoch.
        summary: The summary of the run; empty if it is not finished.
        curves: The plot of the learning curves, if there are metric rows.
    """
    if curves is not None:
        yield curves
        columns = [name for name in _EPOCH_COLUMNS if name in metric_rows[0]]
        header = [name.replace("_", " ") for name in columns]
        yield html.table("Epochs", header, _epoch_rows(metric_rows, columns))
    if summary:
        yield _summary_table(summary)


def _epoch_rows(
    metric_rows: Sequence[dict[str, Any]], columns: Sequence[str]
) -> list[list[str]]:
    return [
        [_EPOCH_COLUMNS[name].format(row[name]) for name in columns]
        for row in metric_rows
    ]


def _summary_table(summary: dict[str, Any]) -> Markup:
    versions = [f"{name} {version}" for name, version in summary["versions"].items()]
    rows = [
        ["parameters", f"{summary['num_parameters']:,}"],
        ["training rows", f"{summary['data']['num_train_rows']:,}"],
        ["best epoch", f"{summary['best_epoch']} of {summary['num_epochs']}"],
        ["seconds", f"{summary['train_s']:,.0f}"],
        ["device", summary["device"]],
        ["versions", ", ".join(versions)],
    ]
    return html.table("Facts", ["fact", "value"], rows, num_texts=2)


def config_table(settings: Mapping[str, Any]) -> Markup:
    """Return all keys of the config and their values."""
    rows = [
        [f"{section}.{key}", str(value)]
        for section, values in settings.items()
        if isinstance(values, dict)
        for key, value in values.items()
    ]
    return html.table("Config", ["key", "value"], rows, num_texts=2)
