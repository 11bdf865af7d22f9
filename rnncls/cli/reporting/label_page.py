"""The sections of a report that evaluate several labels a text."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rnncls.cli.reporting import html
from rnncls.cli.reporting.display import INTERVAL
from rnncls.cli.reporting.evaluation_notes import (
    describe_source,
    label_absence_notes,
    row_notes,
)
from rnncls.cli.reporting.evaluation_page import (
    Picture,
    TrainingHistory,
    curve_picture,
    run_parts,
)
from rnncls.cli.reporting.evaluation_tables import (
    bin_rows,
    ece_notes,
    pair_rows,
)
from rnncls.cli.reporting.label_plots import (
    plot_label_coverage,
    plot_label_f1s,
    plot_label_reliability,
)
from rnncls.cli.reporting.label_tables import (
    LABEL_COVERAGE_HEADER,
    LABEL_COVERAGE_TITLE,
    LABEL_HEADER,
    LABEL_MISTAKE_HEADER,
    LABEL_PAIR_HEADER,
    LABEL_PART_HEADER,
    LABEL_PART_TITLE,
    label_coverage_rows,
    label_mistake_rows,
    label_part_rows,
    label_rows,
    label_score_rows,
    show_interval,
    show_score,
    sort_by_support,
)
from rnncls.cli.reporting.plotting import to_png
from rnncls.cli.reporting.tables import with_ids
from rnncls.cli.reporting.terminal_chart import LearningCurve
from rnncls.evaluation.label_coverage import SelectiveLabelScores
from rnncls.evaluation.label_evaluation import LabelEvaluationResult, LabelMistake
from rnncls.evaluation.label_metrics import LabelScores, MultilabelScores
from rnncls.evaluation.run_evaluation import CalibrationReport


def plot_label_pictures(
    result: LabelEvaluationResult, history: TrainingHistory
) -> dict[str, Picture]:
    """Plot the pictures of the report, by name."""
    calibration = result.calibration
    pictures = [
        Picture(
            "labels",
            to_png(plot_label_f1s(sort_by_support(result.scores.per_label)), "labels"),
            "F1, precision and recall of each label, the most frequent at the top.",
            "A bar and two points for each label; the table above has their values.",
        ),
        Picture(
            "reliability",
            to_png(
                plot_label_reliability(
                    calibration.reliability, calibration.raw_reliability
                ),
                "reliability",
            ),
            "How often texts have a label, by its probability (15 bins of equal"
            " width).",
            "Two lines near the diagonal; the table below has the values of one.",
        ),
    ]
    if result.coverage:
        picture = Picture(
            "coverage",
            to_png(plot_label_coverage(result.coverage), "coverage"),
            "Scores of the kept texts if those with less certain labels are rejected.",
            "Two lines of points; the table below has their values.",
        )
        pictures.append(picture)
    if history.rows:
        curve = LearningCurve(result.run_path.name, history.rows)
        pictures.append(curve_picture(curve, "Loss and score by epoch."))
    return {picture.name: picture for picture in pictures}


def save_label_report(
    path: Path,
    result: LabelEvaluationResult,
    history: TrainingHistory,
    settings: Mapping[str, Any],
    pictures: Mapping[str, Picture],
) -> None:
    """Write the report of a run that assigns several labels to a text.

    Args:
        path: The file to write.
        result: The evaluation.
        history: What the run folder contains about the training.
        settings: The config of the run by section, which the page lists.
        pictures: What `plot_label_pictures` returned.

    Raises:
        RunError: The file cannot be written.
    """
    parts = [
        html.paragraph(describe_source(result.origin, result.device)),
        *map(html.paragraph, row_notes(result.origin)),
        *label_report_parts(result, pictures),
        *run_parts(history, settings, pictures),
    ]
    html.save_page(path, f"Report on {result.run_path.name}", parts)


def label_report_parts(
    result: LabelEvaluationResult, pictures: Mapping[str, Picture]
) -> Iterator[Markup]:
    """Yield the sections on scores, labels, calibration, rejection and errors."""
    yield html.heading("Scores")
    yield _score_table(result.scores)
    yield from map(html.paragraph, label_absence_notes(result.scores))
    if result.parts:
        rows = label_part_rows(result.parts)
        yield html.table(LABEL_PART_TITLE, LABEL_PART_HEADER, rows)
    yield from _count_parts(result.scores)
    yield from _label_parts(result.scores, pictures["labels"])
    yield from _calibration_parts(result.calibration, pictures["reliability"])
    if result.coverage:
        yield from _coverage_parts(result.coverage, pictures["coverage"])
    yield from _error_parts(result.mistakes)


def _score_table(scores: MultilabelScores) -> Markup:
    header = ["score", "value", "interval or explanation"]
    return html.table("Scores", header, label_score_rows(scores))


def _count_parts(scores: MultilabelScores) -> Iterator[Markup]:
    rows = [
        [
            "labels a text",
            f"{scores.mean_labels:.2f}",
            f"{scores.mean_predictions:.2f}",
        ],
        [
            "texts without a label",
            f"{scores.num_rows_without_labels:,}",
            f"{scores.num_rows_without_predictions:,}",
        ],
    ]
    yield html.table("Number of labels", ["", "in the file", "predicted"], rows)


def _label_parts(scores: MultilabelScores, picture: Picture) -> Iterator[Markup]:
    ranked = sort_by_support(scores.per_label)
    yield html.heading("Labels")
    yield _label_table(ranked)
    yield picture.as_part()
    if scores.confused_pairs:
        yield html.table(
            "Most confused labels: one is missed, the other is predicted instead",
            LABEL_PAIR_HEADER,
            pair_rows(scores.confused_pairs),
            num_texts=2,
        )


def _label_table(per_label: Sequence[LabelScores]) -> Markup:
    header = [*LABEL_HEADER, "AUROC", "ECE"]
    header += [f"{INTERVAL} of {score}" for score in ("F1", "AP", "AUROC")]
    rows = [
        [
            *cells,
            show_score(scores.auroc),
            show_score(scores.ece),
            show_interval(scores.f1_interval),
            show_interval(scores.average_precision_interval),
            show_interval(scores.auroc_interval),
        ]
        for scores, cells in zip(per_label, label_rows(per_label), strict=True)
    ]
    return html.table("Per label (intervals: bootstrap)", header, rows)


def _calibration_parts(
    calibration: CalibrationReport, picture: Picture
) -> Iterator[Markup]:
    yield html.heading("Calibration of the probabilities")
    yield html.paragraph(
        f"Probabilities are sigmoid(logits / {calibration.temperature:.4f})."
        f" Expected calibration error of all labels: {calibration.ece:.4f}, before"
        f" calibration {calibration.raw_ece:.4f}."
    )
    yield picture.as_part()
    header = ["probability", "decisions", "mean", "have the label"]
    yield html.table("Reliability", header, bin_rows(calibration.reliability))
    yield from map(html.paragraph, ece_notes(calibration))


def _coverage_parts(
    coverage: Sequence[SelectiveLabelScores], picture: Picture
) -> Iterator[Markup]:
    yield html.heading(LABEL_COVERAGE_TITLE)
    yield picture.as_part()
    yield html.paragraph(
        "rnncls predict --min-confidence X gives a text labels only if the probability"
        " that all of them are right is at least X."
    )
    rows = label_coverage_rows(coverage)
    yield html.table("Scores of the kept texts", LABEL_COVERAGE_HEADER, rows)


def _error_parts(mistakes: Sequence[LabelMistake]) -> Iterator[Markup]:
    yield html.heading("Errors")
    if not mistakes:
        yield html.paragraph("All labels of all texts are right.")
        return
    rows = label_mistake_rows(mistakes)
    ids = [mistake.id for mistake in mistakes]
    header, rows = with_ids(LABEL_MISTAKE_HEADER, rows, ids)
    yield html.table("Most confident errors", header, rows, num_texts=len(header))
