"""Lines on the classes of an earlier run and on the new ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from rnncls.cli.reporting.display import percent, percent_range


def group_lines(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each group of classes.

    Args:
        groups: What `GroupScores.to_dict` returned, of each group.
    """
    return [_describe_group(group) for group in groups]


def _describe_group(group: Mapping[str, Any]) -> str:
    num_classes, num_rows = group["num_classes"], group["num_rows"]
    kind = "class" if num_classes == 1 else "classes"
    low, high = group["accuracy_interval"]
    return (
        f"  {num_classes:,} {group['name']} {kind}: accuracy"
        f" {percent(group['accuracy'])} (95% interval {percent_range((low, high))}),"
        f" macro-F1 {percent(group['macro_f1'])}, {num_rows:,}"
        f" {'row' if num_rows == 1 else 'rows'}"
    )
