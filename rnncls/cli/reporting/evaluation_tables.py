"""Evaluation results as lines and tables for the terminal."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.markup import escape
from rich.style import Style
from rich.table import Table
from rich.text import Text

from rnncls.cli.reporting.display import (
    INTERVAL,
    bar,
    bootstrap_range,
    percent,
    percent_range,
)
from rnncls.cli.reporting.evaluation_notes import absence_notes
from rnncls.cli.reporting.tables import cut_table, grid_table, with_ids
from rnncls.evaluation.calibration import Bin, SelectiveAccuracy
from rnncls.evaluation.confusion import (
    ConfusedPair,
    find_confused_pairs,
    rank_classes,
)
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import ClassScores, Scores
from rnncls.evaluation.parts import TOGETHER, PartScore
from rnncls.evaluation.run_evaluation import (
    NUM_MISTAKES,
    CalibrationReport,
    EvaluationResult,
    Mistake,
)
from rnncls.text.display import format_count, printable
from rnncls.training.label_issues import LabelIssue

PART_TITLE = "The network, the n-grams, and both together"
PART_HEADER = ["part", "accuracy", INTERVAL, "together: rows", "McNemar's p"]
PAIR_HEADER = ["true", "predicted", "rows", "of its class"]
MAX_SHOWN_CLASSES = 30
"""With more classes, the screen has only the best, worst and most confused ones."""
_NUM_EXTREMES = 10
_BAR_WIDTH = 10


def score_lines(scores: Scores, origin: str) -> list[str]:
    """Return a line for each score over all classes, with its interval.

    Args:
        scores: The scores.
        origin: What was evaluated on which data.
    """
    accuracy_interval = percent_range(scores.accuracy_interval)
    return [
        f"{origin}: {format_count(scores.num_rows, 'row')}",
        f"accuracy  {percent(scores.accuracy)}  ({INTERVAL} {accuracy_interval})",
        f"macro-F1  {percent(scores.macro_f1)}  ({describe_macro_f1_interval(scores)})",
        f"loss      {scores.loss:.4f}  (cross-entropy: the lower, the better)",
        *absence_notes(scores),
    ]


def describe_macro_f1_interval(scores: Scores) -> str:
    """Return the interval of macro-F1, or why it has none."""
    return bootstrap_range(scores.macro_f1_interval, scores.macro_f1, scores.num_rows)


def part_rows(parts: list[PartScore]) -> list[list[str]]:
    """Return a row for each part of a classifier, with the columns PART_HEADER."""
    rows = []
    for part in parts:
        cells = [part.name, percent(part.accuracy), percent_range(part.interval)]
        if part.name != TOGETHER:
            cells += [f"+{part.gained:,} -{part.lost:,}", f"{part.p:.2g}"]
        else:
            cells += ["", ""]
        rows.append(cells)
    return rows


def part_tables(parts: list[PartScore]) -> list[Table]:
    """Return a table of what the network and the n-grams achieve, if there are both."""
    if not parts:
        return []
    return [grid_table(PART_TITLE, PART_HEADER, part_rows(parts))]


def calibration_lines(calibration: CalibrationReport, reason: str = "") -> list[str]:
    """Return lines with the calibration error before and after calibration.

    Args:
        calibration: The errors and the temperature.
        reason: Why the run is not calibrated; empty: it is, or the reason is unknown.
    """
    ece_line = (
        f"ECE       {calibration.ece:.4f}  (expected calibration error, 15 bins of"
        " equal width)"
    )
    if calibration.temperature == 1:
        shown = f" ({reason})" if reason else ""
        return [ece_line, f"          not calibrated: the temperature is 1{shown}"]
    return [
        ece_line,
        (
            f"          before calibration: ECE {calibration.raw_ece:.4f}, loss"
            f" {calibration.raw_loss:.4f};"
            f" probabilities = softmax(logits / {calibration.temperature:.3f})"
        ),
        *ece_notes(calibration),
    ]


def ece_notes(calibration: CalibrationReport) -> list[str]:
    """Return a note if the ECE is larger after the calibration than before."""
    if calibration.temperature == 1 or calibration.ece <= calibration.raw_ece:
        return []
    return [
        "          the ECE is larger than before: calibration lowers the loss on the"
        " validation rows, and with few rows the ECE is unreliable"
    ]


def bin_rows(bins: Sequence[Bin]) -> list[list[str]]:
    """Return range, size, mean probability and accuracy of each bin as texts."""
    return [
        [
            f"{row.low:.3f} to {row.high:.3f}",
            f"{row.num_rows:,}",
            f"{row.confidence:.4f}",
            f"{row.accuracy:.4f}",
        ]
        for row in bins
    ]


def class_tables(scores: Scores) -> list[Table]:
    """Return the scores of each class and the confusion matrix.

    With many classes, return the best and worst classes and the most confused pairs
    instead.
    """
    num_classes = len(scores.per_class)
    if num_classes <= MAX_SHOWN_CLASSES:
        table = class_table(scores.per_class, absent=scores.absent_classes)
        return [table, confusion_table(scores)]
    ranked = rank_classes(scores)
    best, worst = ranked[:_NUM_EXTREMES], ranked[-_NUM_EXTREMES:][::-1]
    return [
        class_table(best, f"Best of {num_classes:,} classes"),
        class_table(worst, f"Worst of {num_classes:,} classes", scores.absent_classes),
        _pair_table(find_confused_pairs(scores, _NUM_EXTREMES)),
    ]


def pair_rows(pairs: Sequence[ConfusedPair]) -> list[list[str]]:
    """Return a row for each pair of confused classes or labels (see PAIR_HEADER)."""
    return [
        [pair.label, pair.predicted, f"{pair.num_rows:,}", percent(pair.share, 1)]
        for pair in pairs
    ]


def _pair_table(pairs: list[ConfusedPair]) -> Table:
    rows = pair_rows(pairs)
    return grid_table("Most confused classes", PAIR_HEADER, rows, num_texts=2)


def class_table(
    per_class: list[ClassScores],
    title: str = "Per class",
    absent: Collection[str] = (),
) -> Table:
    """Return precision, recall, F1 and support of classes; see `class_rows`."""
    header = ["class", "precision", "recall", "F1", "support"]
    return grid_table(title, header, class_rows(per_class, absent))


def class_rows(
    per_class: list[ClassScores], absent: Collection[str] = ()
) -> list[list[str]]:
    """Return the label, precision, recall, F1 and support of each class as texts.

    Args:
        per_class: The scores.
        absent: The classes without a true or predicted row, which have no scores.
    """
    return [_class_row(row, is_absent=row.label in absent) for row in per_class]


def _class_row(row: ClassScores, *, is_absent: bool) -> list[str]:
    scores = [row.precision, row.recall, row.f1]
    shown = ["-" if is_absent else percent(score) for score in scores]
    return [row.label, *shown, f"{row.support:,}"]


def confusion_table(scores: Scores) -> Table:
    """Return the confusion matrix, the correct predictions in bold.

    The larger a cell's share of its row, the darker the cell.
    """
    table = Table("true \\ predicted", title="Confusion matrix", title_justify="left")
    for row in scores.per_class:
        table.add_column(escape(printable(row.label)), justify="right")
    for index, row in enumerate(scores.per_class):
        counts = scores.confusion_matrix[index]
        cells = [
            _confusion_cell(count, row.support, is_correct=column == index)
            for column, count in enumerate(counts)
        ]
        table.add_row(escape(printable(row.label)), *cells)
    return table


def _confusion_cell(count: int, num_rows: int, *, is_correct: bool) -> Text:
    style = _heat_style(count / max(1, num_rows), bold=is_correct)
    return Text(f"{count:,}", style)


def _heat_style(share: float, *, bold: bool) -> Style:
    """Return black on white for a share of 0, up to white on blue for a share of 1."""
    strength = share**0.5
    red, green, blue = (round(255 + strength * (end - 255)) for end in (0, 114, 178))
    return Style(
        color="#ffffff" if share > 0.85 else "#000000",
        bgcolor=f"rgb({red},{green},{blue})",
        bold=bold,
    )


def slice_table(title: str, slices: list[Slice], form: str) -> Table:
    """Return the accuracy of each slice, with a bar.

    Args:
        title: The title.
        slices: The slices.
        form: How to format their ends, such as `{:.1%}`.
    """
    header = ["from", "to", "rows", "accuracy", INTERVAL, ""]
    rows = [
        [
            form.format(row.low),
            form.format(row.high),
            f"{row.num_rows:,}",
            percent(row.accuracy),
            percent_range(row.interval),
            bar(row.accuracy, _BAR_WIDTH),
        ]
        for row in slices
    ]
    table = grid_table(title, header, rows, num_texts=0)
    table.columns[-1].justify = "left"
    return table


def coverage_table(coverage: list[SelectiveAccuracy]) -> Table:
    """Return the accuracy of the predictions that `--min-confidence` would keep."""
    header = ["--min-confidence", "kept", "rows", "accuracy", INTERVAL]
    rows = [
        [
            f"{row.min_confidence:.2f}",
            percent(row.share, 1),
            f"{row.num_rows:,}",
            percent(row.accuracy),
            percent_range(row.interval),
        ]
        for row in coverage
    ]
    title = "Accuracy if less certain predictions are rejected"
    return grid_table(title, header, rows, num_texts=0)


def describe_errors(
    result: EvaluationResult, num_shown: int, own_texts: Sequence[str]
) -> str:
    """Return which of the errors are listed, and how to see all predictions.

    Args:
        result: The evaluation.
        num_shown: How many errors are listed.
        own_texts: The columns of the text that the run was trained on.
    """
    matrix = result.scores.confusion_matrix
    num_correct = sum(counts[index] for index, counts in enumerate(matrix))
    num_errors = result.scores.num_rows - num_correct
    run, folder = result.run_path, Path.cwd()
    if run.is_relative_to(folder):
        run = run.relative_to(folder)
    words = ["rnncls", "predict", "--run", str(run)]
    words += ["--input", str(result.origin["path"])]
    if list(result.text_columns) != list(own_texts):
        for name in result.text_columns:
            words += ["--text", name]
    for name in result.label_columns:
        words += ["--keep", name]
    command = shlex.join([*words, "--output", "predictions.csv"])
    return (
        f"{num_shown:,} of {num_errors:,} errors, those with the highest probability"
        f" first (eval-*.json in the run folder has up to {NUM_MISTAKES}); to see the"
        f" prediction of every row: {command}"
    )


def mistake_table(mistakes: list[Mistake]) -> Table:
    """Return the most confident errors, one per line, cut at the edge of the screen."""
    header = ["row", "label", "predicted", "prob", "text"]
    rows = [
        [f"{row.row:,}", row.label, row.predicted, f"{row.prob:.4f}", row.text]
        for row in mistakes
    ]
    table = with_ids(header, rows, [row.id for row in mistakes])
    return cut_table("Most confident errors", *table)


def label_issue_table(issues: list[LabelIssue]) -> Table:
    """Return training rows that are probably mislabelled, cut at the screen's edge."""
    header = ["row", "label", "prob", "suggested", "text"]
    rows = [
        [f"{row.row:,}", row.label, f"{row.prob:.4f}", row.suggested, row.text]
        for row in issues
    ]
    return cut_table("", *with_ids(header, rows, [row.id for row in issues]))
