"""The summary that opens a report: plain sentences for someone who decides."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from rnncls.cli.reporting.display import percent
from rnncls.evaluation.confusion import find_confused_pairs, rank_classes
from rnncls.evaluation.metrics import Scores
from rnncls.evaluation.run_evaluation import EvaluationResult
from rnncls.text.display import list_names

_WIDE_INTERVAL = 0.1
"""From this width of its interval, an accuracy is too uncertain to decide on."""
_FEW_ROWS = 30


def summary_sentences(
    result: EvaluationResult, summary: dict[str, Any], num_label_issues: int, day: date
) -> Iterator[str]:
    """Yield what was evaluated, how good it is, where it errs, and what to do next.

    Args:
        result: The evaluation.
        summary: The summary of the run; empty if it is not finished.
        num_label_issues: Number of training rows that are probably mislabelled, as far
            as they were looked for.
        day: The day of the report.
    """
    yield _describe_model(result, summary)
    yield _describe_data(result.origin, day)
    yield _describe_accuracy(result.scores, is_training=_is_training(result.origin))
    yield _describe_baseline(result.scores)
    yield _describe_errors(result.scores)
    yield f"What to do next: {_advise(result.scores, num_label_issues)}."


def _describe_model(result: EvaluationResult, summary: dict[str, Any]) -> str:
    names = [row.label for row in result.scores.per_class]
    model = (
        f"The model {result.run_path.name} assigns one of {len(names):,} classes"
        f" ({list_names(names)}) to a text."
    )
    if not summary:
        return model
    num_rows = summary["data"]["num_train_rows"]
    return f"{model} It was trained on {num_rows:,} texts."


def _describe_data(origin: dict[str, Any], day: date) -> str:
    is_training = _is_training(origin)
    relation = "which it was trained on" if is_training else "not used for training"
    return (
        f"Report of {day.isoformat()}, on {origin['num_rows']:,} labelled texts of"
        f" {origin['path']}, {relation}."
    )


def _is_training(origin: dict[str, Any]) -> bool:
    """Return whether the run was trained on the rows."""
    return origin["split"] == "train" or origin.get("used_for") == "training"


def _describe_accuracy(scores: Scores, *, is_training: bool) -> str:
    found = f"It is right for {percent(scores.accuracy, 1)} of these texts"
    if is_training:
        return f"{found}; for other texts, expect less."
    low, high = scores.accuracy_interval
    return (
        f"{found}; for other texts of the same kind, expect {percent(low, 1)} to"
        f" {percent(high, 1)}."
    )


def _describe_baseline(scores: Scores) -> str:
    most_frequent = max(scores.per_class, key=lambda row: row.support)
    share = most_frequent.support / scores.num_rows
    return (
        f"For comparison: always answering '{most_frequent.label}', the most frequent"
        f" class here, would be right for {percent(share, 1)}."
    )


def _describe_errors(scores: Scores) -> str:
    pairs = find_confused_pairs(scores, 1)
    if not pairs:
        return "It makes no error on these texts."
    pair, weakest = pairs[0], rank_classes(scores)[-1]
    return (
        f"The most frequent error: {pair.num_rows:,} texts of '{pair.label}' were taken"
        f" for '{pair.predicted}' ({percent(pair.share, 1)} of that class). The weakest"
        f" class is '{weakest.label}': {percent(weakest.recall, 1)} of its"
        f" {weakest.support:,} texts were recognised."
    )


def _advise(scores: Scores, num_label_issues: int) -> str:
    low, high = scores.accuracy_interval
    if high - low > _WIDE_INTERVAL:
        return (
            f"evaluate on more texts: with {scores.num_rows:,} the accuracy is known to"
            f" {100 * (high - low):.0f} points only"
        )
    if num_label_issues:
        return (
            f"check the {num_label_issues:,} training rows that are probably"
            " mislabelled (label-issues.csv in the run folder)"
        )
    weakest = rank_classes(scores)[-1]
    if weakest.support < _FEW_ROWS:
        return (
            f"collect more texts of '{weakest.label}': it has only"
            f" {weakest.support:,} here"
        )
    return (
        "read the most confident errors below, and look for mislabelled training rows"
        " with rnncls eval --label-issues"
    )
