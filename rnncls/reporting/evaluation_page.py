"""The report of a run: one page with its scores, what they do not say, and how it was
trained.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from rnncls.evaluation.calibration import Bin, Coverage, trace_coverage
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import Scores
from rnncls.evaluation.run_evaluation import Diagnosis, Judgement
from rnncls.reporting import html as page
from rnncls.reporting.evaluation_plots import (
    draw_confusion,
    draw_coverage,
    draw_curves,
    draw_reliability,
    draw_slices,
)
from rnncls.reporting.plotting import to_png
from rnncls.reporting.terminal_chart import Curve

INTERVAL = "95 % interval"


@dataclass(frozen=True)
class Picture:
    """A picture of the report, under the name of its file, its caption, and in words
    what it shows.
    """

    name: str
    png: bytes
    caption: str
    alt: str

    def as_part(self) -> Markup:
        """Return it as a part of a page."""
        return page.picture(self.png, self.caption, self.alt)


@dataclass(frozen=True)
class Report:
    """All that the report of a run is made of.

    Attributes:
        judgement: What the run says of its rows.
        scores: How often it is right.
        diagnosis: What the scores do not say.
        rows: The metric rows of its training.
        summary: What is known of its training; empty for a run that is not finished.
        label_issues: Training rows that are likely mislabelled, as `rnncls eval
            --label-issues` has kept them.
    """

    judgement: Judgement
    scores: Scores
    diagnosis: Diagnosis
    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    label_issues: list[dict[str, Any]]

    def pictures(self) -> dict[str, Picture]:
        """Return the pictures by their name."""
        found, scores = self.diagnosis, self.scores
        drawn = [
            _draw(
                "confusion",
                draw_confusion(scores),
                "Confusion matrix: the colour of a cell is its share of the true"
                " class.",
                "A square of colours with the true classes as rows; the counts stand in"
                " the table below.",
            ),
            _draw(
                "reliability",
                draw_reliability(found.reliability, found.raw_reliability),
                "How often a label is right, over how probable it was said to be (15"
                " bins of equal width).",
                f"Two lines near the diagonal; mean gap {found.ece:.4f}, before"
                f" calibration {found.raw_ece:.4f}.",
            ),
            _draw(
                "coverage",
                draw_coverage(
                    *trace_coverage(
                        self.judgement.confidences, self.judgement.is_right
                    ),
                    found.coverage,
                ),
                "Accuracy of the answers if only the surest texts are answered.",
                "A curve from the surest texts to all; the table below has its values.",
            ),
            _draw(
                "slices",
                draw_slices(found.by_length, found.by_unknown_share),
                "Accuracy by number of tokens and by share of unknown words.",
                "Two rows of points with their intervals; the tables below have their"
                " values.",
            ),
        ]
        if self.rows:
            curve = draw_curves([Curve(self.judgement.run.path.name, self.rows)])
            alt = "Two charts of lines; the table below has their values."
            drawn.append(
                _draw("curves", curve, "Loss and accuracy over the epochs.", alt)
            )
        return {each.name: each for each in drawn}


def save_report(path: Path, report: Report, pictures: dict[str, Picture]) -> None:
    """Write the page.

    Raises:
        RunError: The file cannot be written.
    """
    page.save_page(
        path,
        f"Report on {report.judgement.run.path.name}",
        list(_parts(report, pictures)),
    )


def _parts(report: Report, pictures: dict[str, Picture]) -> Iterator[Markup]:
    found, origin = report.diagnosis, report.judgement.origin
    yield page.paragraph(
        f"{origin['path']}: {origin['num_rows']:,} rows, {_which(origin)}. SHA-256"
        f" {origin['sha256']}."
    )
    yield _score_table(report.scores, found)
    yield page.heading("Classes")
    yield from _class_parts(report.scores, pictures["confusion"])
    yield page.heading("How far a probability can be trusted")
    yield pictures["reliability"].as_part()
    yield page.table(
        "Reliability",
        ["probability", "rows", "mean", "accuracy"],
        _bin_rows(found.reliability),
    )
    yield page.heading("If the least sure texts are left out")
    yield pictures["coverage"].as_part()
    yield page.paragraph(
        "rnncls predict --min-confidence X answers only where the label has at least"
        " this probability."
    )
    header = ["probability", "answered", "rows", "accuracy", INTERVAL]
    yield page.table("Accuracy of the answers", header, _coverage_rows(found.coverage))
    yield page.heading("Where it errs")
    yield pictures["slices"].as_part()
    header = ["from, to", "rows", "accuracy", INTERVAL]
    yield page.table(
        "By number of tokens", header, _slice_rows(found.by_length, "{:,.0f}")
    )
    yield page.table(
        "By share of unknown words",
        header,
        _slice_rows(found.by_unknown_share, "{:.1%}"),
    )
    yield from _mistake_parts(found)
    if report.label_issues:
        rows = [
            [
                each["text"],
                each["label"],
                each["suggested"],
                f"{each['prob']:.4f}",
                each["row"],
            ]
            for each in report.label_issues
        ]
        header = ["text", "label", "suggested", "probability of the label", "row"]
        yield page.table(
            "Training rows that are likely mislabelled", header, rows, num_texts=3
        )
    yield page.heading("Training")
    yield from _training_parts(report, pictures)


def _which(origin: dict[str, Any]) -> str:
    return (
        f"the {origin['split']} rows of the run's own data"
        if origin["split"]
        else "a file given to it"
    )


def _score_table(scores: Scores, found: Diagnosis) -> Markup:
    rows = [
        [
            "accuracy",
            f"{scores.accuracy:.2%}",
            f"{_percent(scores.accuracy_interval)} (Wilson)",
        ],
        [
            "macro-F1",
            f"{scores.macro_f1:.2%}",
            f"{_percent(scores.macro_f1_interval)} (bootstrap)",
        ],
        ["loss, nats", f"{scores.loss:.4f}", ""],
        ["loss before calibration, nats", f"{found.raw_loss:.4f}", ""],
        ["expected calibration error (15 equal bins)", f"{found.ece:.4f}", ""],
        ["the same before calibration", f"{found.raw_ece:.4f}", ""],
        ["temperature, fitted on the validation rows", f"{found.temperature:.4f}", ""],
    ]
    return page.table("Scores", ["score", "value", INTERVAL], rows)


def _class_parts(scores: Scores, picture: Picture) -> Iterator[Markup]:
    rows = [
        [
            row.label,
            f"{row.precision:.2%}",
            f"{row.recall:.2%}",
            f"{row.f1:.2%}",
            f"{row.support:,}",
        ]
        for row in scores.per_class
    ]
    yield page.table("Per class", ["class", "precision", "recall", "F1", "rows"], rows)
    yield picture.as_part()
    names = [row.label for row in scores.per_class]
    counts = [
        [name, *(f"{n:,}" for n in row)]
        for name, row in zip(names, scores.confusion_matrix, strict=True)
    ]
    yield page.table("Confusion matrix", ["true \\ predicted", *names], counts)


def _bin_rows(bins: Sequence[Bin]) -> list[list[str]]:
    return [
        [
            f"{each.low:.3f} to {each.high:.3f}",
            f"{each.num_rows:,}",
            f"{each.confidence:.4f}",
            f"{each.accuracy:.4f}",
        ]
        for each in bins
    ]


def _coverage_rows(coverages: Sequence[Coverage]) -> list[list[str]]:
    return [
        [f"{each.min_confidence:.4f}", f"{each.share:.1%}", *_accuracy_cells(each)]
        for each in coverages
    ]


def _slice_rows(slices: Sequence[Slice], form: str) -> list[list[str]]:
    return [[each.describe(form), *_accuracy_cells(each)] for each in slices]


def _accuracy_cells(found: Slice | Coverage) -> list[str]:
    return [f"{found.num_rows:,}", f"{found.accuracy:.2%}", _percent(found.interval)]


def _mistake_parts(found: Diagnosis) -> Iterator[Markup]:
    rows = [
        [each.text, each.label, each.predicted, f"{each.prob:.4f}", f"{each.row:,}"]
        for each in found.mistakes
    ]
    header = ["text", "label", "predicted", "probability", "row"]
    yield (
        page.table("The surest mistakes", header, rows, num_texts=3)
        if rows
        else page.paragraph("No text is misjudged.")
    )


def _training_parts(report: Report, pictures: dict[str, Picture]) -> Iterator[Markup]:
    summary, config = report.summary, report.judgement.run.config.model_dump()
    if report.rows:
        yield pictures["curves"].as_part()
        yield page.table("Epochs", *_epoch_table(report.rows))
    if summary:
        facts = [
            ["parameters", f"{summary['num_parameters']:,}"],
            ["trained on, rows", f"{summary['data']['num_train_rows']:,}"],
            ["best epoch", f"{summary['best_epoch']} of {summary['num_epochs']}"],
            ["seconds", f"{summary['train_s']:,.0f}"],
            ["device", summary["device"]],
            [
                "versions",
                ", ".join(
                    f"{name} {version}" for name, version in summary["versions"].items()
                ),
            ],
        ]
        yield page.table("How it was trained", ["what", "value"], facts, num_texts=2)
    keys = [
        [f"{section}.{key}", str(value)]
        for section, values in config.items()
        if isinstance(values, dict)
        for key, value in values.items()
    ]
    yield page.table("Config", ["key", "value"], keys, num_texts=2)


def _epoch_table(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    names = {
        "epoch": "{}",
        "train_loss": "{:.4f}",
        "valid_loss": "{:.4f}",
        "train_accuracy": "{:.2%}",
    }
    names |= {
        "valid_accuracy": "{:.2%}",
        "valid_macro_f1": "{:.2%}",
        "elapsed_s": "{:,.0f}",
        "tokens_per_s": "{:,}",
    }
    header = [name.replace("_", " ") for name in names]
    return header, [
        [form.format(row[name]) for name, form in names.items()] for row in rows
    ]


def _percent(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2%} to {interval[1]:.2%}"


def _draw(name: str, figure: Figure, caption: str, alt: str) -> Picture:
    return Picture(name, to_png(figure), caption, alt)
