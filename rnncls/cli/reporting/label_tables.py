"""Evaluation of several labels a text, as lines and tables for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from rnncls.cli.reporting.display import (
    INTERVAL,
    MIN_BOOTSTRAP_ROWS,
    bootstrap_range,
    percent,
    percent_range,
)
from rnncls.cli.reporting.evaluation_notes import (
    label_absence_notes,
    label_count_notes,
)
from rnncls.cli.reporting.evaluation_tables import ece_notes, pair_rows
from rnncls.cli.reporting.tables import cut_table, grid_table, with_ids
from rnncls.evaluation.label_coverage import SelectiveLabelScores
from rnncls.evaluation.label_evaluation import LabelMistake
from rnncls.evaluation.label_metrics import LabelScores, MultilabelScores
from rnncls.evaluation.metrics import Interval
from rnncls.evaluation.parts import LabelPartScore
from rnncls.evaluation.run_evaluation import CalibrationReport
from rnncls.text.display import format_count

LABEL_HEADER = [
    "label",
    "support",
    "F1",
    "precision",
    "recall",
    "AP",
    "threshold",
]
"""AP: average precision."""
LABEL_PART_TITLE = "The network, the n-grams, and both together (common threshold)"
LABEL_PART_HEADER = ["part", "micro-F1", "macro-F1"]
LABEL_PAIR_HEADER = ["missed", "predicted instead", "rows", "of its label"]
LABEL_MISTAKE_HEADER = ["row", "label", "error", "prob", "labels", "predicted", "text"]
LABEL_COVERAGE_TITLE = "Scores if texts with less certain labels are rejected"
LABEL_COVERAGE_HEADER = [
    "min. confidence",
    "kept",
    "rows",
    "subset accuracy",
    INTERVAL,
    "micro-F1",
]
MAX_SHOWN_LABELS = 40
"""With more labels, the screen has only the most frequent and the worst ones."""
_NUM_EXTREMES = 10


def label_score_lines(scores: MultilabelScores, origin: str) -> list[str]:
    """Return a line for each score over all labels, with its interval if it has one.

    Args:
        scores: The scores.
        origin: What was evaluated on which data.
    """
    lines = [f"{origin}: {format_count(scores.num_rows, 'row')}"]
    for name, value, interval in label_score_rows(scores):
        shown = f"  ({interval})" if interval else ""
        lines.append(f"{name:<16}  {value}{shown}")
    return [*lines, *label_count_notes(scores), *label_absence_notes(scores)]


def label_score_rows(scores: MultilabelScores) -> list[tuple[str, str, str]]:
    """Return name, value, and interval or explanation of each score over all labels."""
    f1s = (
        ("micro-F1", scores.micro_f1, scores.micro_f1_interval),
        ("macro-F1", scores.macro_f1, scores.macro_f1_interval),
        ("weighted F1", scores.weighted_f1, scores.weighted_f1_interval),
    )
    f1_rows = [
        (name, percent(f1), bootstrap_range(interval, f1, scores.num_rows))
        for name, f1, interval in f1s
    ]
    return [
        *f1_rows,
        (
            "subset accuracy",
            percent(scores.subset_accuracy),
            f"{INTERVAL} {percent_range(scores.subset_accuracy_interval)}; all labels"
            " of a text are right",
        ),
        (
            "Hamming loss",
            f"{scores.hamming_loss:.4f}",
            _describe(
                "share of wrong decisions",
                scores.hamming_loss_interval,
                scores.num_rows,
            ),
        ),
        (
            "LRAP",
            f"{scores.lrap:.4f}",
            _describe(
                "label ranking average precision",
                scores.lrap_interval,
                scores.num_rows,
            ),
        ),
        (
            "loss",
            f"{scores.loss:.4f}",
            "binary cross-entropy: the lower, the better",
        ),
    ]


def _describe(meaning: str, interval: Interval, num_rows: int) -> str:
    """Return what a score is, after its bootstrap interval if that says something."""
    shown = show_interval(interval)
    if shown == "-" or num_rows < MIN_BOOTSTRAP_ROWS:
        return meaning
    return f"{INTERVAL} {shown}; {meaning}"


def show_interval(interval: Interval | None) -> str:
    """Format an interval with 4 decimals; "-": there is none, or it has no width."""
    if interval is None or interval[0] == interval[1]:
        return "-"
    low, high = interval
    return f"{low:.4f} to {high:.4f}"


def label_calibration_lines(calibration: CalibrationReport) -> list[str]:
    """Return lines with the calibration error of all labels, before and after."""
    ece_line = (
        f"ECE       {calibration.ece:.4f}  (expected calibration error of all labels,"
        " 15 bins of equal width)"
    )
    if calibration.temperature == 1:
        return [ece_line, "          not calibrated: the temperature is 1"]
    return [
        ece_line,
        (
            f"          before calibration: ECE {calibration.raw_ece:.4f}, loss"
            f" {calibration.raw_loss:.4f};"
            f" probabilities = sigmoid(logits / {calibration.temperature:.3f})"
        ),
        *ece_notes(calibration),
    ]


def label_tables(scores: MultilabelScores) -> list[Table]:
    """Return the scores of each label, and the labels that are confused.

    With many labels, return the most frequent and the worst ones instead of all.
    """
    pairs = scores.confused_pairs[:_NUM_EXTREMES]
    pair_table = grid_table(
        "Most confused labels", LABEL_PAIR_HEADER, pair_rows(pairs), num_texts=2
    )
    ranked = sort_by_support(scores.per_label)
    if len(ranked) <= MAX_SHOWN_LABELS:
        return [_label_table(ranked, "Per label"), pair_table]
    with_rows = [row for row in ranked if row.support > 0]
    worst = sorted(with_rows, key=lambda row: row.f1)[:_NUM_EXTREMES]
    frequent = ranked[:_NUM_EXTREMES]
    return [
        _label_table(frequent, f"Most frequent of {len(ranked):,} labels"),
        _label_table(worst, f"Worst of {len(ranked):,} labels"),
        pair_table,
    ]


def sort_by_support(per_label: Sequence[LabelScores]) -> list[LabelScores]:
    """Return the labels, the most frequent first."""
    return sorted(per_label, key=lambda row: -row.support)


def _label_table(per_label: Sequence[LabelScores], title: str) -> Table:
    return grid_table(title, LABEL_HEADER, label_rows(per_label))


def label_rows(per_label: Sequence[LabelScores]) -> list[list[str]]:
    """Return a row for each label, with the columns LABEL_HEADER."""
    return [
        [
            row.label,
            f"{row.support:,}",
            percent(row.f1),
            percent(row.precision),
            percent(row.recall),
            show_score(row.average_precision),
            show_score(row.threshold, 3),
        ]
        for row in per_label
    ]


def show_score(score: float | None, decimals: int = 4) -> str:
    """Format a score; "-": it is undefined."""
    return "-" if score is None else f"{score:.{decimals}f}"


def label_coverage_rows(
    coverage: Sequence[SelectiveLabelScores],
) -> list[list[str]]:
    """Return a row for each confidence, with the columns LABEL_COVERAGE_HEADER."""
    return [
        [
            f"{row.min_confidence:.2f}",
            percent(row.share, 1),
            f"{row.num_rows:,}",
            percent(row.subset_accuracy),
            percent_range(row.interval),
            percent(row.micro_f1),
        ]
        for row in coverage
    ]


def label_coverage_table(coverage: Sequence[SelectiveLabelScores]) -> Table:
    """Return the scores of the texts that `--min-confidence` would keep."""
    header = ["--min-confidence", *LABEL_COVERAGE_HEADER[1:]]
    rows = label_coverage_rows(coverage)
    return grid_table(LABEL_COVERAGE_TITLE, header, rows, num_texts=0)


def label_mistake_table(mistakes: Sequence[LabelMistake]) -> Table:
    """Return the most confident wrong decisions, one per line, cut at the edge."""
    rows = label_mistake_rows(mistakes)
    table = with_ids(LABEL_MISTAKE_HEADER, rows, [row.id for row in mistakes])
    return cut_table("Most confident errors", *table)


def label_mistake_rows(mistakes: Sequence[LabelMistake]) -> list[list[str]]:
    """Return a row for each wrong decision, with the columns LABEL_MISTAKE_HEADER."""
    return [
        [
            f"{row.row:,}",
            row.label,
            "missed" if row.is_missed else "false alarm",
            f"{row.prob:.4f}",
            ", ".join(row.labels),
            ", ".join(row.predicted),
            row.text,
        ]
        for row in mistakes
    ]


def label_part_rows(parts: Sequence[LabelPartScore]) -> list[list[str]]:
    """Return a row for each part of a run, with the columns LABEL_PART_HEADER."""
    return [
        [part.name, percent(part.micro_f1), percent(part.macro_f1)] for part in parts
    ]


def label_part_tables(parts: Sequence[LabelPartScore]) -> list[Table]:
    """Return a table of what the network and the n-grams achieve, if there are both."""
    if not parts:
        return []
    return [grid_table(LABEL_PART_TITLE, LABEL_PART_HEADER, label_part_rows(parts))]
