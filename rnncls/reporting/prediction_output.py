"""Predictions as lines, as JSON and as files."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rnncls import DataError
from rnncls.inference.predictor import Prediction

_ROWS_PER_WRITE = 8192
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NUM_ATTENDED_TOKENS = 5
"""How many tokens a plain line lists with their attention weight."""


def prediction_line(prediction: Prediction, top_k: int) -> str:
    """Return label, probability and text, separated by tabs.

    With attention weights, the tokens with the highest weights precede the text.
    Without an answer, the first label is empty.

    Args:
        prediction: The prediction.
        top_k: The number of labels, the most probable first.
    """
    fields = []
    for label, prob in prediction.top(top_k):
        fields += [label, f"{prob:.4f}"]
    fields[0] = prediction.answer or ""
    if prediction.attention is not None:
        fields.append(_attended_tokens(prediction.attention))
    fields.append(prediction.text)
    return "\t".join(_valid_utf8(" ".join(field.split())) for field in fields)


def _attended_tokens(attention: list[tuple[str, float]]) -> str:
    ranked = sorted(attention, key=lambda item: -item[1])[:_NUM_ATTENDED_TOKENS]
    return " ".join(f"{token}:{weight:.2f}" for token, weight in ranked)


def prediction_json(prediction: Prediction) -> str:
    """Return the prediction as a JSON object on one line, in ASCII."""
    return json.dumps(prediction_row(prediction))


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """Return text, label and probabilities, and the attention weights if there are any.

    Without an answer, the label is None; the probability is still that of the most
    probable label.
    """
    row: dict[str, Any] = {
        "text": prediction.text,
        "label": prediction.answer,
        "prob": prediction.prob,
        "probs": prediction.probs,
        "num_tokens": prediction.num_tokens,
        "num_unknown": prediction.num_unknown,
        "num_cut": prediction.num_cut,
    }
    if prediction.attention is not None:
        row["attention"] = prediction.attention
    return row


def save_predictions(path: Path, predictions: Iterable[Prediction], top_k: int) -> int:
    """Write predictions to a file as they arrive, and return how many there were.

    The file's extension selects the format: CSV, TSV, JSON lines, Parquet, or plain
    lines for any other extension. An existing file is replaced only after the last
    prediction was written; a pipe or a device is written to directly.

    Raises:
        DataError: The file cannot be written.
    """
    target = path.resolve()  # a link stays a link
    temporary = target.parent / f".{path.name}-{os.getpid()}-unfinished"
    try:
        if target.exists() and not (target.is_file() or target.is_dir()):
            return _write(target, path.suffix.lower(), predictions, top_k)
        try:
            num_rows = _write(temporary, path.suffix.lower(), predictions, top_k)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be written: {reason}") from error
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
    """Yield the header and a line of CSV or TSV for each prediction."""
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
        text = _valid_utf8(prediction.text)
        fields = [prediction.answer or "", f"{prediction.prob:.6f}", text]
        # Python 3.11 and 3.12 do not quote a lone carriage return, although they must.
        has_return = any("\r" in field for field in fields)
        writer = full if has_return else minimal
        writer.writerow(fields)
        yield line.getvalue()


def _valid_utf8(text: str) -> str:
    """Replace each byte of the command line that was not valid UTF-8 by a "?"."""
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
                    "text": _valid_utf8(prediction.text),
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
    while chunk := list(islice(iterator, _ROWS_PER_WRITE)):
        yield chunk
