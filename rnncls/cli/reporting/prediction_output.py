"""Predictions as lines, as JSON and as files."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from rnncls import DataError
from rnncls.cli.reporting.kept_columns import COUNTS, FITS, KeptColumns
from rnncls.inference.prediction import Prediction, reading_note
from rnncls.text.display import name_token, printable

LABEL_SEPARATOR = "|"
"""Between several labels of a text, in lines; in tables if the data has none."""
_SEPARATORS = (LABEL_SEPARATOR, ";", ",", "/", "~", "||")
_ROWS_PER_WRITE = 8192
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NUM_ATTENDED_TOKENS = 5
"""How many tokens a plain line lists with their attention weight."""


def prediction_line(
    prediction: Prediction,
    top_k: int | None,
    kept: Mapping[str, str] | None = None,
    *,
    is_printed: bool = False,
) -> str:
    """Return label, probability and text, separated by tabs.

    Kept columns precede the text; a note follows it if the model could not read all or
    anything of the text, or if the text fits none of the classes.

    With attention weights, the tokens with the highest weights precede the text.
    Without an answer, the first label is empty; for several labels a text, which may
    have none, a note says so.

    Args:
        prediction: The prediction.
        top_k: The number of labels, the most probable first; None: one, or of several
            labels a text all that reach their threshold.
        kept: The values of kept columns.
        is_printed: Whether characters of labels that a terminal cannot show are
            escaped; in a file, labels stay as they are.
    """
    fields = []
    if prediction.thresholds is not None and top_k is None:
        names = prediction.labels
        shown = map(printable, names) if is_printed else names
        probs = [f"{prediction.probs[name]:.4f}" for name in names]
        fields += [LABEL_SEPARATOR.join(shown), LABEL_SEPARATOR.join(probs)]
    else:
        for label, prob in prediction.top(top_k or 1):
            fields += [printable(label) if is_printed else label, f"{prob:.4f}"]
        if prediction.answer is None:
            fields[0] = ""
    if prediction.attention is not None:
        fields.append(_attended_tokens(prediction))
    fields.extend((kept or {}).values())
    fields.append(prediction.text)
    notes = list(filter(None, [_rejection_note(prediction), reading_note(prediction)]))
    if notes:
        fields.append(f"({'; '.join(notes)})")
    return "\t".join(_valid_utf8(" ".join(field.split())) for field in fields)


def _rejection_note(prediction: Prediction) -> str:
    """Return why a text that may have no label has no answer; empty if it has one."""
    if prediction.thresholds is None or not prediction.is_rejected:
        return ""
    return f"no answer: the confidence is {prediction.confidence:.4f}"


def _labels_in_order(prediction: Prediction) -> list[str]:
    """Return the labels of a text in the order of the run's labels."""
    labels = set(prediction.labels)
    return [name for name in prediction.probs if name in labels]


def _attended_tokens(prediction: Prediction) -> str:
    """Return the tokens with the highest weights, as they are written in the text."""
    attention = prediction.attention or []
    names = [token for token, _ in attention]
    spans = prediction.attention_spans
    if spans is not None:
        names = [
            name_token(prediction.text, token, span)
            for token, span in zip(names, spans, strict=True)
        ]
    weights = [weight for _, weight in attention]
    named = zip(names, weights, strict=True)
    ranked = sorted(named, key=lambda item: -item[1])[:_NUM_ATTENDED_TOKENS]
    return " ".join(f"{name}:{weight:.2f}" for name, weight in ranked)


def prediction_json(
    prediction: Prediction, row: int, kept: Mapping[str, str] | None = None
) -> str:
    """Return the prediction as a JSON object on one line, in ASCII.

    Args:
        prediction: The prediction.
        row: The number of the row in the input, from 1.
        kept: The values of kept columns.
    """
    values = prediction_row(prediction) | {"row": row}
    for name, value in (kept or {}).items():
        if name == "confidence" and name in values:
            values[f"input_{name}"] = value
        elif name != "row" or value != str(row):
            values[name] = value
    return json.dumps(values)


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """Return text, label and probabilities, and the attention weights if there are any.

    Without an answer, the label is None, and so are several labels; the probability is
    still that of the most probable label.
    """
    row: dict[str, Any] = {
        "text": prediction.text,
        "label": prediction.answer,
        "prob": prediction.prob,
        "probs": prediction.probs,
        **_counts(prediction),
    }
    if prediction.thresholds is not None:
        row["labels"] = None if prediction.is_rejected else prediction.labels
        row["confidence"] = prediction.confidence
    if prediction.fits is not None:
        row[FITS] = prediction.fits
    if prediction.attention is not None:
        row["attention"] = prediction.attention
        row["attention_spans"] = prediction.attention_spans
    return row


def save_predictions(
    path: Path,
    predictions: Iterable[Prediction],
    top_k: int | None,
    kept: KeptColumns | None = None,
    label_separator: str | None = None,
) -> int:
    """Write predictions to a file as they arrive, and return how many there were.

    The file's extension selects the format: CSV, TSV, JSON lines, Parquet, or plain
    lines for any other extension. An existing file is replaced only after the last
    prediction was written; a pipe or a device is written to directly.

    Args:
        path: The file.
        predictions: The predictions.
        top_k: The number of labels in a plain line; see `prediction_line`.
        kept: The columns of the input to repeat; None: none.
        label_separator: What joins several labels of a text in CSV and TSV; None: one
            that no label of the run contains.

    Raises:
        DataError: The file cannot be written.
    """
    kept = kept or KeptColumns()
    target = path.resolve()  # a link stays a link
    form = path.suffix.lower()
    temporary = target.parent / f".{path.name}-{os.getpid()}-unfinished"
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # Not the target: /dev/stdout is a link to a pipe that has no path.
            return _write(path, form, predictions, top_k, kept, label_separator)
        try:
            num_rows = _write(
                temporary, form, predictions, top_k, kept, label_separator
            )
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be written: {reason}") from error
    return num_rows


def _write(
    path: Path,
    suffix: str,
    predictions: Iterable[Prediction],
    top_k: int | None,
    kept: KeptColumns,
    label_separator: str | None,
) -> int:
    if suffix == ".parquet":
        return _write_parquet(path, predictions, kept)
    with path.open("w", encoding="utf-8", newline="") as stream:
        if suffix in _DELIMITERS:
            delimiter = _DELIMITERS[suffix]
            return _write_delimited(
                stream, predictions, delimiter, kept, label_separator
            )
        num_rows = 0
        for num_rows, prediction in enumerate(predictions, start=1):
            columns = kept.next_row(num_rows)
            if suffix in {".jsonl", ".ndjson"}:
                line = prediction_json(prediction, num_rows, columns)
            else:
                line = prediction_line(prediction, top_k, columns)
            stream.write(line + "\n")
    return num_rows


def _write_delimited(
    stream: TextIO,
    predictions: Iterable[Prediction],
    delimiter: str,
    kept: KeptColumns,
    label_separator: str | None,
) -> int:
    """Write a header, and a line of CSV or TSV for each prediction."""
    minimal = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    full = csv.writer(
        stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
    )
    further_names = kept.further_names
    first, predictions = _peek(predictions)
    names_of_run = _list_several(first)
    several = bool(names_of_run)
    tells_fits = first is not None and first.fits is not None
    separator = label_separator or choose_separator(names_of_run)
    own_names = ["label", "prob", "text", "row", *COUNTS]
    if tells_fits:
        own_names.append(FITS)
    if several:
        own_names.append("labels")
    minimal.writerow([*own_names, *further_names])
    num_rows = 0
    for num_rows, prediction in enumerate(predictions, start=1):
        columns = kept.next_row(num_rows)
        text = _valid_utf8(prediction.text)
        fields = [prediction.answer or "", f"{prediction.prob:.6f}", text]
        fields.append(columns.get("row", str(num_rows)))
        counts = _counts(prediction).values()
        fields += ["" if count is None else str(count) for count in counts]
        if tells_fits:
            fields.append("true" if prediction.fits else "false")
        if several:
            names = _labels_in_order(prediction)
            fields.append(_valid_utf8(separator.join(names)))
        fields += [_valid_utf8(columns[name]) for name in further_names]
        # Python 3.11 and 3.12 do not quote a lone carriage return, although they must.
        has_return = any("\r" in field for field in fields)
        writer = full if has_return else minimal
        writer.writerow(fields)
    return num_rows


def choose_separator(labels: Sequence[str]) -> str:
    """Return the first separator that no label contains; LABEL_SEPARATOR if all do."""
    for separator in _SEPARATORS:
        if not any(separator in label for label in labels):
            return separator
    return LABEL_SEPARATOR


def _peek(
    predictions: Iterable[Prediction],
) -> tuple[Prediction | None, Iterator[Prediction]]:
    """Return the first prediction, if there is any, and the same predictions."""
    iterator = iter(predictions)
    first = next(iterator, None)
    return first, iterator if first is None else chain([first], iterator)


def _list_several(first: Prediction | None) -> list[str]:
    """Return the labels of the run of a prediction, if a text may have several."""
    if first is None or first.thresholds is None:
        return []
    return list(first.probs)


def _counts(prediction: Prediction) -> dict[str, int | None]:
    """Return how many tokens were read, are unknown, and were cut off."""
    return {name: getattr(prediction, name) for name in COUNTS}


def _valid_utf8(text: str) -> str:
    """Replace each byte of the command line that was not valid UTF-8 by a "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _write_parquet(
    path: Path, predictions: Iterable[Prediction], kept: KeptColumns
) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    fields = [
        ("text", pa.string()),
        ("label", pa.string()),
        ("prob", pa.float64()),
        ("row", pa.int64()),
        *((name, pa.int64()) for name in COUNTS),
    ]
    first, predictions = _peek(predictions)
    several = bool(_list_several(first))
    if first is not None and first.fits is not None:
        fields.append((FITS, pa.bool_()))
    if several:
        fields.append(("labels", pa.list_(pa.string())))
    fields += [(name, pa.string()) for name in kept.further_names]
    schema = pa.schema(fields)
    num_rows = 0
    with pa_parquet.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(predictions):
            rows = []
            for prediction in chunk:
                num_rows += 1
                columns: dict[str, Any] = dict(kept.next_row(num_rows))
                columns["row"] = num_rows
                if several:
                    rejected = prediction.is_rejected
                    columns["labels"] = None if rejected else prediction.labels
                rows.append(
                    {
                        **columns,
                        "text": _valid_utf8(prediction.text),
                        "label": prediction.answer,
                        "prob": prediction.prob,
                        **_counts(prediction),
                        FITS: prediction.fits,
                    }
                )
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return num_rows


def _chunks(predictions: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    iterator = iter(predictions)
    while chunk := list(islice(iterator, _ROWS_PER_WRITE)):
        yield chunk
