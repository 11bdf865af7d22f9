"""The report of a run: a page with its scores, calibration, errors and training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from rnncls.cli.reporting import html
from rnncls.cli.reporting.display import INTERVAL, percent, percent_range
from rnncls.cli.reporting.evaluation_notes import (
    absence_notes,
    describe_source,
    row_notes,
)
from rnncls.cli.reporting.evaluation_plots import (
    MAX_NAMED_CLASSES,
    plot_confusion,
    plot_coverage,
    plot_learning_curves,
    plot_reliability,
    plot_slices,
)
from rnncls.cli.reporting.evaluation_summary import summary_sentences
from rnncls.cli.reporting.evaluation_tables import (
    PAIR_HEADER,
    PART_HEADER,
    PART_TITLE,
    bin_rows,
    class_rows,
    describe_errors,
    describe_macro_f1_interval,
    ece_notes,
    pair_rows,
    part_rows,
)
from rnncls.cli.reporting.plotting import to_png
from rnncls.cli.reporting.scope_tables import scope_rows
from rnncls.cli.reporting.tables import with_ids
from rnncls.cli.reporting.terminal_chart import LearningCurve
from rnncls.cli.reporting.training_page import (
    config_table,
    label_issue_table,
    training_parts,
)
from rnncls.evaluation.calibration import (
    SelectiveAccuracy,
    accuracy_by_coverage,
)
from rnncls.evaluation.confusion import find_confused_pairs
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import Scores
from rnncls.evaluation.run_evaluation import (
    CalibrationReport,
    Evaluation,
    EvaluationResult,
    Mistake,
)
from rnncls.machine.files import make_folder, read_json, write_atomic
from rnncls.runs.folder import RunFolder
from rnncls.runs.metric_rows import read_rows


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Attributes:
        name: The name of its file, without the extension.
        png: The picture.
        caption: The line below it.
        alt: What it shows, in words.
    """

    name: str
    png: bytes
    caption: str
    alt: str

    def as_part(self) -> Markup:
        """Return the picture as a part of a page."""
        return html.picture(self.png, self.caption, self.alt)


@dataclass(frozen=True)
class TrainingHistory:
    """What a run folder contains about its training.

    Attributes:
        rows: The metric rows, one for each epoch.
        summary: The summary; empty if the run is not finished.
        label_issues: Training rows that are probably mislabelled, as saved by `rnncls
            eval --label-issues`.
    """

    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    label_issues: list[dict[str, Any]]


def load_history(path: Path) -> TrainingHistory:
    """Load what a run folder contains about its training; missing files are skipped.

    Raises:
        RunError: A file is damaged.
    """
    folder = RunFolder(path)
    rows = read_rows(folder.metrics) if folder.metrics.exists() else []
    summary = read_json(folder.summary) if folder.summary.exists() else {}
    label_issues = []
    if folder.label_issues.exists():
        label_issues = read_json(folder.label_issues)["label_issues"]
    return TrainingHistory(rows, summary, label_issues)


def save_pictures(folder: Path, pictures: dict[str, Picture]) -> None:
    """Save the pictures as PNG files in a folder, which is created if necessary.

    Raises:
        RunError: The folder or a file cannot be written.
    """
    make_folder(folder)
    for name, picture in pictures.items():
        write_atomic(folder / f"{name}.png", picture.png)


def plot_pictures(
    evaluation: Evaluation, result: EvaluationResult, history: TrainingHistory
) -> dict[str, Picture]:
    """Plot the pictures of the report, by name."""
    shares, accuracies = accuracy_by_coverage(
        evaluation.confidences, evaluation.is_correct
    )
    calibration = result.calibration
    pictures = [
        _confusion_picture(result.scores),
        _reliability_picture(calibration),
        _picture(
            "coverage",
            plot_coverage(shares, accuracies, result.coverage),
            "Accuracy of the kept predictions if the least certain are rejected.",
            "A curve from the most confident texts to all texts; the table below has"
            " its values.",
        ),
        _picture(
            "slices",
            plot_slices(result.by_length, result.by_unknown_share),
            "Accuracy by number of tokens and by share of unknown words.",
            "Two rows of points with their intervals; the tables below have their"
            " values.",
        ),
    ]
    if history.rows:
        curve = LearningCurve(result.run_path.name, history.rows)
        pictures.append(curve_picture(curve, "Loss and accuracy by epoch."))
    return {picture.name: picture for picture in pictures}


def _confusion_picture(scores: Scores) -> Picture:
    return _picture(
        "confusion",
        plot_confusion(scores),
        "Confusion matrix: the colour of a cell is its share of the true class.",
        "A square of coloured cells, a row for each true class; the table below has"
        " the counts.",
    )


def _reliability_picture(calibration: CalibrationReport) -> Picture:
    return _picture(
        "reliability",
        plot_reliability(calibration.reliability, calibration.raw_reliability),
        "Accuracy by probability of the predicted label (15 bins of equal width).",
        f"Two lines near the diagonal; the mean gap is {calibration.ece:.4f}, before"
        f" calibration {calibration.raw_ece:.4f}.",
    )


def curve_picture(curve: LearningCurve, caption: str) -> Picture:
    """Plot the picture of the training of a run, with this line below it."""
    return _picture(
        "curves",
        plot_learning_curves([curve]),
        caption,
        "Two charts of lines; the table below has their values.",
    )


def _picture(name: str, figure: Figure, caption: str, alt: str) -> Picture:
    return Picture(name, to_png(figure, name), caption, alt)


def save_report(
    path: Path,
    result: EvaluationResult,
    history: TrainingHistory,
    settings: Mapping[str, Any],
    pictures: dict[str, Picture],
) -> None:
    """Write the report of a run.

    Args:
        path: The file to write.
        result: The evaluation.
        history: What the run folder contains about the training.
        settings: The config of the run by section, which the page lists.
        pictures: What `plot_pictures` returned.

    Raises:
        RunError: The file cannot be written.
    """
    sentences = summary_sentences(
        result, history.summary, len(history.label_issues), date.today()
    )
    parts = [
        html.heading("Summary"),
        *map(html.paragraph, sentences),
        html.heading("Scores"),
        *_score_parts(result),
        *_class_parts(result.scores, pictures["confusion"]),
        *_calibration_parts(result.calibration, pictures["reliability"]),
        *_coverage_parts(result.coverage, pictures["coverage"]),
        *_scope_parts(result),
        *_error_parts(result, pictures["slices"], settings),
    ]
    parts += run_parts(history, settings, pictures)
    html.save_page(path, f"Report on {result.run_path.name}", parts)


def run_parts(
    history: TrainingHistory,
    settings: Mapping[str, Any],
    pictures: Mapping[str, Picture],
) -> Iterator[Markup]:
    """Yield the sections on the run itself: label issues, training and config."""
    if history.label_issues:
        yield label_issue_table(history.label_issues)
    curves = pictures["curves"].as_part() if history.rows else None
    yield html.heading("Training")
    yield from training_parts(history.rows, history.summary, curves)
    yield config_table(settings)


def _score_parts(result: EvaluationResult) -> Iterator[Markup]:
    yield html.paragraph(describe_source(result.origin, result.device))
    yield from map(html.paragraph, row_notes(result.origin))
    yield _score_table(result.scores, result.calibration)
    yield from map(html.paragraph, absence_notes(result.scores))
    if result.parts:
        yield html.table(PART_TITLE, PART_HEADER, part_rows(result.parts))


def _score_table(scores: Scores, calibration: CalibrationReport) -> Markup:
    accuracy_interval = percent_range(scores.accuracy_interval)
    rows = [
        ["accuracy", percent(scores.accuracy), f"{accuracy_interval} (Wilson)"],
        [
            "macro-F1 (mean F1 of the classes)",
            percent(scores.macro_f1),
            describe_macro_f1_interval(scores).removeprefix(f"{INTERVAL} "),
        ],
        ["loss (cross-entropy: the lower, the better)", f"{scores.loss:.4f}", ""],
        ["loss before calibration", f"{calibration.raw_loss:.4f}", ""],
        ["expected calibration error (15 bins)", f"{calibration.ece:.4f}", ""],
        ["the same before calibration", f"{calibration.raw_ece:.4f}", ""],
        [
            "temperature, fitted on the validation rows",
            f"{calibration.temperature:.4f}",
            "",
        ],
    ]
    return html.table("Scores", ["score", "value", INTERVAL], rows)


def _class_parts(scores: Scores, picture: Picture) -> Iterator[Markup]:
    rows = class_rows(scores.per_class, scores.absent_classes)
    yield html.heading("Classes")
    yield html.table("Per class", ["class", "precision", "recall", "F1", "rows"], rows)
    yield picture.as_part()
    if len(scores.per_class) <= MAX_NAMED_CLASSES:
        yield _confusion_table(scores)
    else:
        yield _pair_table(scores)


def _confusion_table(scores: Scores) -> Markup:
    names = [row.label for row in scores.per_class]
    counts = [
        [name, *map("{:,}".format, counts)]
        for name, counts in zip(names, scores.confusion_matrix, strict=True)
    ]
    return html.table("Confusion matrix", ["true \\ predicted", *names], counts)


def _pair_table(scores: Scores) -> Markup:
    rows = pair_rows(find_confused_pairs(scores))
    caption = "Most confused classes (the complete matrix is in confusion-*.csv)"
    return html.table(caption, PAIR_HEADER, rows, num_texts=2)


def _calibration_parts(
    calibration: CalibrationReport, picture: Picture
) -> Iterator[Markup]:
    yield html.heading("Calibration of the probabilities")
    yield picture.as_part()
    header = ["probability", "rows", "mean", "accuracy"]
    yield html.table("Reliability", header, bin_rows(calibration.reliability))
    yield from map(html.paragraph, ece_notes(calibration))


def _coverage_parts(
    coverage: Sequence[SelectiveAccuracy], picture: Picture
) -> Iterator[Markup]:
    yield html.heading("Accuracy if less certain predictions are rejected")
    yield picture.as_part()
    yield html.paragraph(
        "rnncls predict --min-confidence X keeps a label only if its probability is at"
        " least X, and leaves it empty otherwise."
    )
    header = ["min. confidence", "kept", "rows", "accuracy", INTERVAL]
    rows = [
        [f"{row.min_confidence:.2f}", percent(row.share, 1), *_accuracy_cells(row)]
        for row in coverage
    ]
    yield html.table("Accuracy of the kept predictions", header, rows)


def _scope_parts(result: EvaluationResult) -> Iterator[Markup]:
    """Yield the section on texts that fit none of the classes, if the run can tell."""
    if result.fits is None:
        return
    yield html.heading("Texts that fit none of the classes")
    yield html.paragraph(
        "rnncls predict says of each text whether it fits one of the classes: whether"
        " its score reaches the threshold of the run. rnncls eval --outside FILE"
        " measures this on texts of no class."
    )
    rows = scope_rows(result.fits, result.outside)
    yield html.table("Texts that fit", ["figure", "value", INTERVAL], rows)


def _error_parts(
    result: EvaluationResult, picture: Picture, settings: Mapping[str, Any]
) -> Iterator[Markup]:
    yield html.heading("Errors")
    yield picture.as_part()
    yield _slice_table("By number of tokens", result.by_length, "{:,.0f}")
    yield _slice_table("By share of unknown words", result.by_unknown_share, "{:.1%}")
    if result.mistakes:
        own_texts = settings["data"]["text"]
        line = describe_errors(result, len(result.mistakes), own_texts)
        yield html.paragraph(line)
        yield _mistake_table(result.mistakes)
    else:
        yield html.paragraph("All texts are classified correctly.")


def _slice_table(caption: str, slices: Sequence[Slice], form: str) -> Markup:
    rows = [[row.describe(form), *_accuracy_cells(row)] for row in slices]
    return html.table(caption, ["from, to", "rows", "accuracy", INTERVAL], rows)


def _accuracy_cells(row: Slice | SelectiveAccuracy) -> list[str]:
    return [f"{row.num_rows:,}", percent(row.accuracy), percent_range(row.interval)]


def _mistake_table(mistakes: Sequence[Mistake]) -> Markup:
    header = ["text", "label", "predicted", "probability", "row"]
    rows = [
        [row.text, row.label, row.predicted, f"{row.prob:.4f}", f"{row.row:,}"]
        for row in mistakes
    ]
    header, rows = with_ids(header, rows, [row.id for row in mistakes])
    num_texts = len(header) - 2
    return html.table("Most confident errors", header, rows, num_texts=num_texts)
