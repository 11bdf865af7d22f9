"""Results into what a person or a program reads: tables, lines, JSON and files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.style import Style
from rich.table import Table
from rich.text import Text

from rnncls import DataError
from rnncls.evaluation.calibration import Coverage
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.metrics import Scores
from rnncls.evaluation.run_evaluation import Diagnosis, Mistake
from rnncls.inference.predictor import Prediction

_ROWS_AT_ONCE = 8192
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def score_lines(scores: Scores, origin: str) -> list[str]:
    """Return the scores over all classes, a line each, with their data and uncertainty."""
    return [
        f"{origin}: {scores.num_rows:,} rows",
        (
            f"accuracy  {scores.accuracy:.2%} "
            f" ({percent_interval(scores.accuracy_interval)})"
        ),
        (
            f"macro-F1  {scores.macro_f1:.2%} "
            f" ({percent_interval(scores.macro_f1_interval)}, bootstrap)"
        ),
        f"loss      {scores.loss:.4f} nats",
    ]


def percent_interval(interval: tuple[float, float]) -> str:
    """Return a 95 % interval of shares, in words."""
    return f"95 % interval {interval[0]:.2%} to {interval[1]:.2%}"


def calibration_lines(diagnosis: Diagnosis) -> list[str]:
    """Return how far the probabilities can be trusted, a line for each figure."""
    line = (
        f"ECE       {diagnosis.ece:.4f}  (expected calibration error over 15 equal"
        " bins)"
    )
    if diagnosis.temperature == 1:
        return [line, "          not calibrated: the temperature is 1"]
    raw = f"before: ECE {diagnosis.raw_ece:.4f}, loss {diagnosis.raw_loss:.4f} nats"
    return [
        line,
        f"          {raw}; calibrated by temperature {diagnosis.temperature:.3f}",
    ]


def class_table(scores: Scores) -> Table:
    """Return precision, recall, F1 and support, a row a class."""
    table = Table("class", title="Per class", title_justify="left")
    for name in ("precision", "recall", "F1", "support"):
        table.add_column(name, justify="right")
    for row in scores.per_class:
        values = (f"{value:.2%}" for value in (row.precision, row.recall, row.f1))
        table.add_row(escape(row.label), *values, f"{row.support:,}")
    return table


def confusion_table(scores: Scores) -> Table:
    """Return the confusion matrix, the right answers in bold; a cell is the darker, the
    more of its row it holds.
    """
    table = Table("true \\ predicted", title="Confusion matrix", title_justify="left")
    for row in scores.per_class:
        table.add_column(escape(row.label), justify="right")
    for place, (row, counts) in enumerate(
        zip(scores.per_class, scores.confusion_matrix, strict=True)
    ):
        cells = [
            Text(
                f"{count:,}",
                _heat_style(count / max(1, row.support), bold=place == other),
            )
            for other, count in enumerate(counts)
        ]
        table.add_row(escape(row.label), *cells)
    return table


def _heat_style(share: float, *, bold: bool) -> Style:
    """Return black on white for a share of 0 up to white on blue for 1, whatever the
    terminal's own colours.
    """
    red, green, blue = (round(255 + share**0.5 * (end - 255)) for end in (0, 114, 178))
    return Style(
        color="#ffffff" if share > 0.85 else "#000000",
        bgcolor=f"rgb({red},{green},{blue})",
        bold=bold,
    )


def slice_table(title: str, slices: list[Slice], form: str) -> Table:
    """Return the accuracy of each slice with a bar; `form` is how to write a value."""
    table = Table(
        "from",
        "to",
        "rows",
        "accuracy",
        "95 % interval",
        title=title,
        title_justify="left",
    )
    for column in table.columns:
        column.justify = "right"
    table.add_column("")
    for each in slices:
        low, high = each.interval
        values = (
            form.format(each.low),
            form.format(each.high),
            f"{each.num_rows:,}",
            f"{each.accuracy:.2%}",
        )
        table.add_row(*values, f"{low:.2%} to {high:.2%}", draw_bar(each.accuracy))
    return table


def coverage_table(coverages: list[Coverage]) -> Table:
    """Return how often the most confident texts are right: what `predict
    --min-confidence` would leave.
    """
    table = Table(
        "--min-confidence",
        "answered",
        "rows",
        "accuracy",
        "95 % interval",
        title="If the least sure are left out",
    )
    table.title_justify = "left"
    for column in table.columns:
        column.justify = "right"
    for each in coverages:
        low, high = each.interval
        table.add_row(
            *(
                f"{each.min_confidence:.4f}",
                f"{each.share:.1%}",
                f"{each.num_rows:,}",
                f"{each.accuracy:.2%}",
            ),
            f"{low:.2%} to {high:.2%}",
        )
    return table


def mistake_table(mistakes: list[Mistake]) -> Table:
    """Return the mistakes that the run is surest of, a line each, cut at the screen's
    edge.
    """
    header = ["row", "label", "predicted", "prob", "text"]
    rows = [
        [f"{each.row:,}", each.label, each.predicted, f"{each.prob:.4f}", each.text]
        for each in mistakes
    ]
    return text_table("The surest mistakes", header, rows)


def text_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Table:
    """Return a table without lines, whose last column is cut where the screen ends."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in header[:-1]:
        table.add_column(
            escape(_printable(name)),
            no_wrap=True,
            max_width=_WIDEST_LABEL,
            overflow="ellipsis",
        )
    table.add_column(header[-1])
    for row in rows:
        cells = (_printable(" ".join(cell.split())) for cell in row)
        table.add_row(
            *(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells)
        )
    return table


_WIDEST_LABEL = 20
"""Characters of a label that stay where a text beside it must be cut."""


def draw_bar(share: float, width: int = 10) -> str:
    """Return a bar of eighths of a character, full at 1, as wide as `width` characters."""
    eighths = round(share * width * 8)
    return ("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8]).ljust(width)[:width]


SHOWN_TOKENS = 5
"""How many tokens a plain line names of those that were attended to."""


def prediction_line(prediction: Prediction, top_k: int) -> str:
    """Return label, probability and text, separated by tabs; with `top_k` above 1 that
    many labels.

    Before the text stand the tokens that were attended to most, where that was asked.
    Where there is no answer, the first label is empty.
    """
    fields = [
        field
        for label, prob in prediction.top(top_k)
        for field in (label, f"{prob:.4f}")
    ]
    fields[0] = prediction.answer or ""
    if prediction.attention is not None:
        strongest = sorted(prediction.attention, key=lambda item: -item[1])[
            :SHOWN_TOKENS
        ]
        fields.append(" ".join(f"{token}:{weight:.2f}" for token, weight in strongest))
    return "\t".join(
        _printable(" ".join(field.split())) for field in (*fields, prediction.text)
    )


def prediction_json(prediction: Prediction) -> str:
    """Return one object on one line, in ASCII."""
    return json.dumps(prediction_row(prediction))


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """Return text, label, its probability and those of all labels, and what was
    attended
    to where that was asked.

    Where there is no answer, the label is None, and the probability that of the label
    that it would have been.
    """
    return {
        "text": prediction.text,
        "label": prediction.answer,
        "prob": prediction.prob,
        "probs": prediction.probs,
        **({} if prediction.attention is None else {"attention": prediction.attention}),
    }


def save_predictions(path: Path, predictions: Iterable[Prediction], top_k: int) -> int:
    """Write predictions as they come, in the form that the file's ending names; return
    how
    many.

    A file that is there is replaced only once the new one is whole; a pipe or a device
    is written to as it is.

    Raises:
        DataError: The file cannot be written.
    """
    target = path.resolve()  # a link stays a link
    temporary = target.parent / f".{path.name}-unfinished"
    try:
        if target.exists() and not (target.is_file() or target.is_dir()):
            return _write(target, path.suffix.lower(), predictions, top_k)
        try:
            num_rows = _write(temporary, path.suffix.lower(), predictions, top_k)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from error
    return num_rows


def _write(
    path: Path, suffix: str, predictions: Iterable[Prediction], top_k: int
) -> int:
    if suffix == ".parquet":
        return _write_parquet(path, predictions)
    num_rows = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        if suffix in _DELIMITERS:
            lines = _delimited_lines(predictions, _DELIMITERS[suffix])
            stream.write(next(lines))
        elif suffix in {".jsonl", ".ndjson"}:
            lines = (prediction_json(prediction) + "\n" for prediction in predictions)
        else:
            lines = (
                prediction_line(prediction, top_k) + "\n" for prediction in predictions
            )
        for line in lines:
            stream.write(line)
            num_rows += 1
    return num_rows


def _delimited_lines(
    predictions: Iterable[Prediction], delimiter: str
) -> Iterator[str]:
    """Yield the header and a line of CSV or TSV a prediction."""
    line = io.StringIO(newline="")
    minimal = csv.writer(line, delimiter=delimiter, lineterminator="\n")
    full = csv.writer(
        line, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
    )
    minimal.writerow(["label", "prob", "text"])
    yield line.getvalue()
    for prediction in predictions:
        line.seek(0)
        line.truncate()
        fields = [
            prediction.answer or "",
            f"{prediction.prob:.6f}",
            _printable(prediction.text),
        ]
        # Python 3.11 and 3.12 leave a lone carriage return without the quotes that it
        # needs.
        (full if any("\r" in field for field in fields) else minimal).writerow(fields)
        yield line.getvalue()


def _printable(text: str) -> str:
    """Return a text without what cannot be written: a byte of the command line that was
    no UTF-8.
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def _write_parquet(path: Path, predictions: Iterable[Prediction]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    schema = pa.schema(
        [("text", pa.string()), ("label", pa.string()), ("prob", pa.float64())]
    )
    num_rows = 0
    with pa_parquet.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(predictions):
            rows = [
                {
                    "text": _printable(prediction.text),
                    "label": prediction.answer,
                    "prob": prediction.prob,
                }
                for prediction in chunk
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            num_rows += len(rows)
    return num_rows


def _chunks(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    iterator = iter(predictions)
    while chunk := list(islice(iterator, _ROWS_AT_ONCE)):
        yield chunk
