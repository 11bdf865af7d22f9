"""`rnncls predict`: classify texts from the command line, from stdin or from a file."""

import sys
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls import ConfigError, RnnclsError
from rnncls.cli.input_options import InputFormOption, InputTextOption
from rnncls.cli.input_rows import InputRows, show_progress
from rnncls.cli.options import DeviceOption, JsonOption, PredictRunOption, split_run
from rnncls.cli.outputs import (
    check_target,
    is_special,
)
from rnncls.cli.processes import torchrun_int
from rnncls.cli.text_arguments import STDIN, check_source, check_texts
from rnncls.cli.text_columns import find_text_columns
from rnncls.machine.imports import fast_imports, one_blas_thread
from rnncls.text.display import format_count

if TYPE_CHECKING:
    from rnncls.cli.reporting.kept_columns import KeptColumns
    from rnncls.config.sections import DataSection
    from rnncls.inference.prediction import Prediction


FORMS = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}
PREDICTION_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt", "")
"""Endings of --output; the last two are for plain lines."""


def predict_command(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help=(
                "The texts; - reads one text per line from stdin. The run folder may"
                " precede them; with --input, it is the only argument."
            ),
            show_default=False,
        ),
    ] = None,
    run: PredictRunOption = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=(
                "Number of labels to print, the most probable first. Default: 1; for a"
                " run with several labels a text, all that reach their threshold."
            ),
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=(
                "The probability from which on a text has a label, for a run with"
                " several labels a text. Default: that of each label in the run."
            ),
            show_default=False,
        ),
    ] = None,
    json_: JsonOption = False,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            help=(
                "A .csv, .tsv, .jsonl or .parquet file, or a file of one text per line;"
                " - reads stdin."
            ),
        ),
    ] = None,
    form: InputFormOption = None,
    text: InputTextOption = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "Also write this column of the input, such as an id. The name 'row'"
                " stands for the number of the row. May be repeated."
            ),
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write to this file: .csv, .tsv, .jsonl, .parquet or plain lines.",
            show_default=False,
        ),
    ] = None,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention",
            help="Show attention weights, for a model with attention pooling.",
        ),
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help=(
                "Leave the label empty (null in JSON and Parquet) below this"
                " probability; for several labels a text, below this probability that"
                " all of them are right."
            ),
        ),
    ] = 0.0,
    device: DeviceOption = None,
) -> None:
    """Print the label and its probability for each text, one text per line.

    Tables and JSON have the number of each row: 1 is the first after the header, and a
    quoted text of several lines belongs to one row.
    """
    arguments, run = split_run(texts, run, context, has_file=input_ is not None)
    texts = arguments or None
    check_source(texts, input_)
    check_texts(
        texts or [], context, advice="to classify its texts, use --input {file}"
    )
    _check_form(
        top_k or 1,
        output,
        json_=json_,
        attention=attention,
        min_confidence=min_confidence,
    )

    with fast_imports(), one_blas_thread():
        from rnncls.cli.predict_runtime import predict_alone, predict_together
        from rnncls.cli.reporting.kept_columns import KeptColumns
        from rnncls.inference.runtime import PredictOptions

    check_target("--output", output, PREDICTION_ENDINGS)
    source = STDIN if texts == [STDIN] else input_
    keep = list(dict.fromkeys(keep or []))
    kept: deque[list[str]] = deque()
    label_separator: str | None = None
    is_alone = torchrun_int("WORLD_SIZE") < 2
    errors: list[RnnclsError] | None = [] if output is None and is_alone else None

    def read_chunks(section: "DataSection") -> Iterator[list[str]]:
        nonlocal label_separator
        label_separator = section.label_separator
        rows = read_input_rows(texts or [], source, section, form, keep, text or [])
        return iter_texts(rows, kept, errors)

    predict = predict_alone if is_alone else predict_together
    options = PredictOptions(device, attention, min_confidence, threshold)
    windows = predict(run, options, source, output, read_chunks)
    if windows is not None:
        write_predictions(
            show_progress(windows, source, "predicting"),
            output,
            top_k,
            KeptColumns(keep, kept),
            label_separator,
            as_json=json_,
        )
    if errors:
        raise errors[0]


def read_input_rows(
    texts: list[str],
    source: str | None,
    section: "DataSection",
    form: str | None,
    keep: list[str],
    text: list[str],
) -> Iterator[InputRows]:
    """Yield the rows of the command line, of a file or of stdin.

    Args:
        texts: The texts of the command line.
        source: The file, or `-` for stdin; None: the texts of the command line.
        section: The data section of the run's config.
        form: The format that the user names.
        keep: The columns to keep.
        text: The columns of the text in the input; empty: those of the run.

    Raises:
        ConfigError: An option is only for input from a file or stdin.
        DataError: The input cannot be read, lacks a column, or a row is wrong.
    """
    if source is not None:
        from rnncls.cli.predict_input import note_if_empty, read_input

        columns = find_text_columns(section, text)
        yield from note_if_empty(read_input(source, columns, form, keep), source)
        return
    if form is not None or text or names_columns(keep):
        raise ConfigError(
            "--format, --text and --keep: only allowed with --input FILE or stdin"
        )
    yield InputRows(texts, [["" for _ in keep] for _ in texts] if keep else [])


def names_columns(keep: list[str]) -> bool:
    """Return whether `--keep` names more than the row number."""
    if not keep:  # as for most texts: do not import what reads files
        return False
    from rnncls.data.rows import ROW_NUMBER

    return set(keep) != {ROW_NUMBER}


def iter_texts(
    rows: Iterator[InputRows],
    kept: deque[list[str]],
    errors: list[RnnclsError] | None,
) -> Iterator[list[str]]:
    """Yield the texts of the rows, and put the values to keep into a queue.

    Args:
        rows: The rows.
        kept: The queue.
        errors: The list that an error is added to, to be raised after the predictions
            for the rows before it are printed; None: it is raised at once.

    Raises:
        RnnclsError: The input is wrong, and `errors` is None.
    """
    try:
        for chunk in rows:
            kept.extend(chunk.kept)
            yield chunk.texts
    except RnnclsError as error:
        if errors is None:
            raise
        errors.append(error)


def _count_notes(
    windows: "Iterator[list[Prediction]]", notes: Counter[str]
) -> "Iterator[Prediction]":
    """Yield predictions, and count the texts that are to be read with care."""
    for window in windows:
        for prediction in window:
            if prediction.num_cut:
                notes["cut"] += 1
            if prediction.has_no_known_word:
                notes["without a known word"] += 1
            elif prediction.fits is False:
                notes["that no class fits"] += 1
            if prediction.is_rejected:
                notes["without an answer"] += 1
            yield prediction


def write_predictions(
    windows: "Iterator[list[Prediction]]",
    output: Path | None,
    top_k: int | None,
    kept: "KeptColumns",
    label_separator: str | None,
    *,
    as_json: bool,
) -> None:
    """Write predictions to a file, or to stdout as soon as they are known.

    Args:
        windows: The predictions.
        output: The file; None: stdout.
        top_k: The number of labels in a plain line.
        kept: The columns of the input to repeat.
        label_separator: What separates several labels in the training data, and so in
            CSV and TSV; None: it has lists, or one label a text.
        as_json: Whether stdout gets JSON lines.
    """
    from rnncls.cli.reporting.prediction_output import (
        prediction_json,
        prediction_line,
        save_predictions,
    )

    if output is not None:
        notes = Counter[str]()
        predictions = _count_notes(windows, notes)
        num_rows = save_predictions(output, predictions, top_k, kept, label_separator)
        counts = [f"{format_count(num, 'text')} {note}" for note, num in notes.items()]
        line = f"{output}: {format_count(num_rows, 'prediction')}"
        if counts:
            line += f" ({', '.join(counts)})"
        # The predictions themselves may go to /dev/stdout.
        typer.echo(line, err=is_special(output))
        return
    from rnncls.text.display import printable

    is_terminal = sys.stdout.isatty()
    row = 0
    for window in windows:
        for prediction in window:
            row += 1
            columns = kept.next_row(row)
            line = (
                prediction_json(prediction, row, columns)
                if as_json
                else prediction_line(prediction, top_k, columns, is_printed=True)
            )
            if is_terminal and not as_json:
                line = "\t".join(map(printable, line.split("\t")))
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _check_form(
    top_k: int,
    output: Path | None,
    *,
    json_: bool,
    attention: bool,
    min_confidence: float,
) -> None:
    """Check that the output format has a place for what was requested."""
    suffix = output.suffix.lower() if output else ""
    if top_k > 1 and (json_ or suffix in FORMS):
        raise ConfigError(
            "--top-k is only for plain lines: --json and .jsonl contain the"
            " probability of every label, tables that of the best one"
        )
    if top_k > 1 and min_confidence:
        raise ConfigError(
            "--top-k and --min-confidence cannot be combined: leave out one of them"
        )
    if json_ and output is not None:
        raise ConfigError(
            "the ending of --output decides the format: leave out --json, or use a"
            " .jsonl file"
        )
    if attention and suffix in FORMS - {".jsonl", ".ndjson"}:
        raise ConfigError(
            "--attention is only for plain lines, --json and .jsonl: tables have no"
            " column for it"
        )
