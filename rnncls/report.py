"""Results into what a person or a program reads: tables, lines, JSON and files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from rnncls.errors import DataError
from rnncls.metrics import Scores
from rnncls.predictor import Prediction

_ROWS_AT_ONCE = 8192
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def score_lines(scores: Scores, origin: str) -> list[str]:
    """Return the scores over all classes, a line each, with their data and uncertainty."""
    low, high = scores.accuracy_interval
    return [
        f"{origin}: {scores.num_rows:,} rows",
        f"accuracy  {scores.accuracy:.2%}  (95 % interval {low:.2%} to {high:.2%})",
        f"macro-F1  {scores.macro_f1:.2%}",
        f"loss      {scores.loss:.4f} nats",
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
    """Return the confusion matrix, the right answers in bold."""
    table = Table("true \\ predicted", title="Confusion matrix", title_justify="left")
    for row in scores.per_class:
        table.add_column(escape(row.label), justify="right")
    for place, (row, counts) in enumerate(zip(scores.per_class, scores.confusion_matrix, strict=True)):
        cells = [f"[bold]{count:,}[/]" if place == other else f"{count:,}" for other, count in enumerate(counts)]
        table.add_row(escape(row.label), *cells)
    return table


SHOWN_TOKENS = 5
"""How many tokens a plain line names of those that were attended to."""


def prediction_line(prediction: Prediction, top_k: int) -> str:
    """Return label, probability and text, separated by tabs; with `top_k` above 1 that many labels.

    Before the text stand the tokens that were attended to most, where that was asked.
    """
    fields = [field for label, prob in prediction.top(top_k) for field in (label, f"{prob:.4f}")]
    if prediction.attention is not None:
        strongest = sorted(prediction.attention, key=lambda item: -item[1])[:SHOWN_TOKENS]
        fields.append(" ".join(f"{token}:{weight:.2f}" for token, weight in strongest))
    return "\t".join(_printable(" ".join(field.split())) for field in (*fields, prediction.text))


def prediction_json(prediction: Prediction) -> str:
    """Return one object on one line, in ASCII."""
    return json.dumps(prediction_row(prediction))


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """Return text, label, its probability and those of all labels, and what was attended to where that was asked."""
    return {
        "text": prediction.text,
        "label": prediction.label,
        "prob": prediction.prob,
        "probs": prediction.probs,
        **({} if prediction.attention is None else {"attention": prediction.attention}),
    }


def save_predictions(path: Path, predictions: Iterable[Prediction], top_k: int) -> int:
    """Write predictions as they come, in the form that the file's ending names; return how many.

    A file that is there is replaced only once the new one is whole; a pipe or a device is written to as it is.

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
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    return num_rows


def _write(path: Path, suffix: str, predictions: Iterable[Prediction], top_k: int) -> int:
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
            lines = (prediction_line(prediction, top_k) + "\n" for prediction in predictions)
        for line in lines:
            stream.write(line)
            num_rows += 1
    return num_rows


def _delimited_lines(predictions: Iterable[Prediction], delimiter: str) -> Iterator[str]:
    """Yield the header and a line of CSV or TSV a prediction."""
    line = io.StringIO(newline="")
    minimal = csv.writer(line, delimiter=delimiter, lineterminator="\n")
    full = csv.writer(line, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    minimal.writerow(["label", "prob", "text"])
    yield line.getvalue()
    for prediction in predictions:
        line.seek(0)
        line.truncate()
        fields = [prediction.label, f"{prediction.prob:.6f}", _printable(prediction.text)]
        # Python 3.11 and 3.12 leave a lone carriage return without the quotes that it needs.
        (full if any("\r" in field for field in fields) else minimal).writerow(fields)
        yield line.getvalue()


def _printable(text: str) -> str:
    """Return a text without what cannot be written: a byte of the command line that was no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _write_parquet(path: Path, predictions: Iterable[Prediction]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    schema = pa.schema([("text", pa.string()), ("label", pa.string()), ("prob", pa.float64())])
    num_rows = 0
    with pa_parquet.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(predictions):
            rows = [
                {"text": _printable(prediction.text), "label": prediction.label, "prob": prediction.prob}
                for prediction in chunk
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            num_rows += len(rows)
    return num_rows


def _chunks(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    iterator = iter(predictions)
    while chunk := list(islice(iterator, _ROWS_AT_ONCE)):
        yield chunk
