"""`rnncls stream`: predictions for texts that arrive word by word."""

import io
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    RunArgument,
    RunOption,
    choose_run,
)
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.data.rows import Columns
    from rnncls.inference.insight.trajectory import PrefixPrediction


def stream_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=(
                "Stop reading a text once a label reaches this probability. The rest of"
                " the text could change the label."
            ),
            show_default=False,
        ),
    ] = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
) -> None:
    """Read texts from stdin, one per line, and update the prediction at every token.

    Each line of the output is about the text so far: the number of tokens, the label,
    its probability and the last token. A line with "= prediction" ends each text and
    gives its line number in the input.

    The run must be trained with model.bidirectional=false. A bidirectional network
    reads each token together with the tokens after it, so each new token could change
    everything it has read before.
    """
    with fast_imports():
        from rnncls.cli.text_columns import find_text_columns
        from rnncls.data.text_files import read_pieces
        from rnncls.inference.insight.trajectory import Stream
        from rnncls.machine.device import resolve_run_device
        from rnncls.runs.run import load_run

    loaded = load_run(choose_run(run_folder, run))
    loaded.classifier.model.to(resolve_run_device(device, loaded.config.device))
    stream = Stream(loaded.classifier, min_confidence)
    width = max(map(len, loaded.classifier.label_names))
    show = (
        prediction_json
        if json_
        else lambda prediction: prediction_line(prediction, width)
    )
    columns = find_text_columns(loaded.config.data, [])
    pieces = read_pieces(cast(io.BufferedIOBase, sys.stdin.buffer), "stdin")
    for piece in check_pieces(pieces, columns):
        for prediction in stream.feed(piece):
            typer.echo(show(prediction))
    for prediction in stream.finish():
        typer.echo(show(prediction))


def check_pieces(pieces: Iterator[str], columns: "Columns") -> Iterator[str]:
    """Yield the pieces of a stream, and check its first line as soon as it ends.

    Raises:
        DataError: The first line is a header or a JSON object, not a text.
    """
    from rnncls.data.headers import check_first_text

    first = ""
    for piece in pieces:
        if "\n" not in first:
            first += piece
            line, end, _ = first.partition("\n")
            if end:
                check_first_text(line, "stdin", columns)
        yield piece


def prediction_json(prediction: "PrefixPrediction") -> str:
    """Format a prediction as one line of JSON."""
    from dataclasses import asdict

    values = asdict(prediction)
    values |= {"label": prediction.label, "prob": prediction.prob}
    if values.pop("thresholds") is not None:
        values["labels"] = prediction.labels
    return json.dumps(values)


def prediction_line(prediction: "PrefixPrediction", width: int) -> str:
    """Format a prediction as text: number of tokens, label, probability, last token.

    The line that ends a text has its line number instead of the token.
    Several labels a text have no probability: `--json` has them.
    """
    from rnncls.cli.reporting.prediction_output import LABEL_SEPARATOR
    from rnncls.text.display import printable

    if prediction.thresholds is None:
        label = printable(prediction.label)
        shown = f"{label:<{width}}  {prediction.prob:7.2%}"
    else:
        labels = LABEL_SEPARATOR.join(map(printable, prediction.labels)) or "-"
        shown = f"{labels:<{width}}"
    line = f"{prediction.num_tokens:>5}  {shown}"
    if not prediction.is_final:
        return f"{line}  {printable(prediction.written)}"
    early = ", before the end" if prediction.is_early else ""
    return f"{line}  = prediction for line {prediction.row}{early}\n"
