"""Sentences on the rows of an evaluation, the same on the screen and on pages."""

from collections.abc import Mapping
from typing import Any

from rnncls.data.unknown_labels import UnknownLabel, list_unknown_labels
from rnncls.evaluation.label_metrics import MultilabelScores
from rnncls.evaluation.metrics import Scores
from rnncls.text.display import format_count, list_names


def describe_origin(origin: Mapping[str, Any]) -> str:
    """Return the file, the number of rows and the split of an evaluation.

    Args:
        origin: Where the rows of the evaluation are from.
    """
    split = origin["split"] or "a separate file"
    return f"{origin['path']}: {format_count(origin['num_rows'], 'row')} ({split})"


def describe_source(origin: Mapping[str, Any], device: str) -> str:
    """Return the sentence of a report on its rows and on the device.

    Args:
        origin: Where the rows of the evaluation are from.
        device: The device that computed the logits.
    """
    split = (
        f"the {origin['split']} split of the run's own data"
        if origin["split"]
        else "a separate file"
    )
    rows = format_count(origin["num_rows"], "row")
    return (
        f"Evaluated on {origin['path']}: {rows}, {split}, on the"
        f" device {device}. SHA-256 {origin['sha256']}."
    )


def row_notes(origin: Mapping[str, Any]) -> list[str]:
    """Return the notes on rows that trained the run, and on rows of unknown labels.

    Args:
        origin: Where the rows of the evaluation are from.
    """
    use = describe_use(origin)
    return [*([use] if use else []), *unknown_label_lines(origin)]


def describe_use(origin: Mapping[str, Any], run: str = "the run") -> str:
    """Return that a run was trained on the rows, or chosen by them; empty if neither.

    Args:
        origin: Where the rows of the evaluation are from.
        run: The name of the run.
    """
    rows = "these rows" if origin["split"] else "rows of this file"
    use = origin.get("used_for")
    if use == "training":
        return (
            f"{run} was trained on {rows}: its scores here are too optimistic for"
            " other texts"
        )
    if use == "validation":
        return (
            f"{run} chose its epoch and calibration with {rows}: its"
            " scores here are slightly optimistic for other texts"
        )
    return ""


def unknown_label_lines(origin: Mapping[str, Any]) -> list[str]:
    """Return a line on the rows with unknown labels, if there are any.

    Args:
        origin: Where the rows of the evaluation are from.
    """
    unknown = [UnknownLabel(**values) for values in origin.get("unknown_labels", [])]
    if not unknown:
        return []
    is_skipped = origin["unknown_labels_are"] == "skip"
    treatment = "skipped" if is_skipped else "counted as wrong, and not in the loss"
    return [f"unknown labels, {treatment}: {list_unknown_labels(unknown)}"]


def absence_notes(scores: Scores) -> list[str]:
    """Return the notes on classes without a row here, if there are any."""
    without_rows = [row.label for row in scores.per_class if row.support == 0]
    absent = scores.absent_classes
    notes = []
    if absent:
        notes.append(f"no row here, so not counted in macro-F1: {list_names(absent)}")
    only_predicted = [name for name in without_rows if name not in set(absent)]
    if only_predicted:
        notes.append(
            "no row here but predicted, so counted as 0 in macro-F1:"
            f" {list_names(only_predicted)}"
        )
    return notes


def label_absence_notes(scores: MultilabelScores) -> list[str]:
    """Return the note on labels that no row has here, if there are any."""
    if not scores.absent_labels:
        return []
    names = list_names(scores.absent_labels)
    return [f"no row here, so counted as 0 in macro-F1: {names}"]


def label_count_notes(scores: MultilabelScores) -> list[str]:
    """Return the notes on the number of labels a text, and on texts without any."""
    notes = [
        f"labels a text: {scores.mean_labels:.2f} in the file,"
        f" {scores.mean_predictions:.2f} predicted"
    ]
    if scores.num_rows_without_labels or scores.num_rows_without_predictions:
        notes.append(
            f"texts without a label: {scores.num_rows_without_labels:,} in the file,"
            f" {scores.num_rows_without_predictions:,} predicted"
        )
    return notes
