"""Scores of a run with several labels a text, as lines and as a table."""

from rich.table import Table

from rnncls.cli.reporting.tables import grid_table
from rnncls.evaluation.label_evaluation import LabelEvaluation


def score_lines(evaluation: LabelEvaluation) -> list[str]:
    """Return the scores of all labels together, one idea a line."""
    scores = evaluation.scores
    title = f"{evaluation.run_path.name} on {evaluation.origin['path']}"
    micro = _describe("micro-F1", scores.micro_f1, scores.micro_f1_interval)
    macro = _describe("macro-F1", scores.macro_f1, scores.macro_f1_interval)
    exact = _describe(
        "all labels right", scores.subset_accuracy, scores.subset_accuracy_interval
    )
    return [
        f"{title}: {scores.num_rows:,} rows, {scores.num_rows_without_labels:,} without"
        " labels",
        f"{micro}, {macro}",
        f"weighted F1 {scores.weighted_f1:.2%}, {exact}, Hamming loss"
        f" {scores.hamming_loss:.2%}, LRAP {scores.lrap:.2%}",
        f"loss {scores.loss:.4f}, calibration error {scores.ece:.2%}, labels a text:"
        f" {scores.mean_labels:.2f} true, {scores.mean_predictions:.2f} predicted",
    ]


def _describe(name: str, value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{name} {value:.2%} (95% interval {low:.2%} to {high:.2%})"


def label_table(evaluation: LabelEvaluation) -> Table:
    """Return the scores of each label, the most frequent label first."""
    per_label = sorted(evaluation.scores.per_label, key=lambda row: -row.support)
    rows = [
        [
            row.label,
            f"{row.support:,}",
            f"{row.precision:.1%}",
            f"{row.recall:.1%}",
            f"{row.f1:.1%}",
            f"{row.threshold:.2f}",
        ]
        for row in per_label
    ]
    header = ["label", "rows", "precision", "recall", "F1", "threshold"]
    return grid_table("Labels", header, rows)
