"""`rnncls drift`: is a file like the data that a run was trained on?"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rnncls import ConfigError
from rnncls.cli.input_options import InputFormOption, InputTextOption
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    NoCacheOption,
    PlotPageOption,
    RunArgument,
    RunOption,
    choose_run,
)
from rnncls.cli.outputs import HTML, check_output, find_data, find_files, is_special
from rnncls.cli.replaced_pages import DRIFT, check_page
from rnncls.cli.screen import print_tables
from rnncls.cli.text_arguments import STDIN
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.evaluation.drift_result import DriftResult
    from rnncls.evaluation.drift_sample import TextSample
    from rnncls.runs.run import Run

NUM_PRINTED_SHARES, NUM_PRINTED_TEXTS = 8, 5
"""Rows in the terminal; --json and --html have more."""


class _Columns(NamedTuple):
    """The columns of a file that the user names.

    Attributes:
        text: The columns of the text; empty: those of the run.
        label: The column of the label; None: that of the run, if the file has it.
    """

    text: list[str]
    label: str | None


def drift_command(
    run_folder: RunArgument = None,
    file: Annotated[
        str | None,
        typer.Argument(
            help=(
                "The texts, a file of any format that 'rnncls predict' reads; - reads"
                " stdin. If it is the only argument, the run is the newest one."
            ),
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    run: RunOption = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help=(
                "Compare with this file, which has the columns of FILE. Default: the"
                " validation rows of the run."
            ),
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    form: InputFormOption = None,
    text: InputTextOption = None,
    label: Annotated[
        str | None,
        typer.Option(
            help=(
                "Column of the label in FILE and in --reference. Default: that of the"
                " run, if the file has it."
            ),
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    max_rows: Annotated[
        int,
        typer.Option(
            min=10, help="Draw at most this many rows of each side, with a fixed seed."
        ),
    ] = 20_000,
    alpha: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help=(
                "Significance level of all tests together, for p-values after Holm's"
                " correction."
            ),
        ),
    ] = 0.01,
    min_effect: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="The smallest effect that counts as drift, if it is significant too.",
        ),
    ] = 0.1,
    fail_on_drift: Annotated[
        bool,
        typer.Option(
            "--fail-on-drift", help="Exit with code 1 if anything has drifted."
        ),
    ] = False,
    html: PlotPageOption = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Compare a file with the validation rows of a run: is it like the training data?

    Compares lengths, unknown words, predicted labels, confidence, pooled states, and
    true labels if the file has them. Row 1 is the first row after the header.
    """
    source = _choose_file(run_folder, file)
    if str(reference) == STDIN:
        raise ConfigError("--reference: expected a file: only FILE can be stdin")
    check_page("--html", html, DRIFT, HTML)
    with fast_imports():
        from rnncls.evaluation.drift import measure_drift
        from rnncls.evaluation.drift_result import DriftBounds
        from rnncls.evaluation.drift_sample import draw_validation_rows
        from rnncls.machine.device import resolve_run_device
        from rnncls.runs.run import load_run

    path = choose_run(None if file is None else run_folder, run)
    loaded = load_run(path)
    if html is not None:
        named = [source, None if reference is None else str(reference)]
        check_output("--html", html, find_files(named), find_data(loaded.config.data))
    columns = _Columns(text or [], label)
    sample = _draw_file(loaded, source, columns, form, max_rows)
    loaded.classifier.model.to(resolve_run_device(device, loaded.config.device))
    if reference is None:
        expected = draw_validation_rows(loaded, max_rows, use_cache=not no_cache)
    else:
        expected = _draw_file(loaded, str(reference), columns, None, max_rows)
    result = measure_drift(loaded, expected, sample, DriftBounds(alpha, min_effect))
    if html is not None:
        _save_page(html, result)
    if json_:
        typer.echo(json.dumps(result.to_dict()))
    else:
        print_drift(result)
    if fail_on_drift and result.has_drifted:
        raise typer.Exit(1)


def _choose_file(run_folder: Path | None, file: str | None) -> str:
    """Return the file: the second argument, or the only one.

    Raises:
        ConfigError: There is none, or the only argument is a run folder.
    """
    from rnncls.runs.folder import RunFolder

    if file is not None:
        return file
    if run_folder is None or RunFolder(run_folder).is_run():
        raise ConfigError(
            "no file: expected one after the run, as in rnncls drift RUN FILE, or - to"
            " read texts from stdin"
        )
    return str(run_folder)


def _draw_file(
    run: "Run", source: str, columns: _Columns, form: str | None, max_rows: int
) -> "TextSample":
    """Draw rows of a file or of a stream.

    Args:
        run: The run.
        source: The file, or `-` for stdin.
        columns: Its columns.
        form: The format of a stream; None: the file decides.
        max_rows: How many rows to draw at most.

    Raises:
        ConfigError: The columns are not different ones.
        DataError: A row is wrong, or there are too few.
    """
    from rnncls.cli.drift_input import read_labelled_rows
    from rnncls.evaluation.drift_sample import draw_rows

    section = run.config.data
    rows = read_labelled_rows(source, section, columns.text, columns.label, form)
    sample = draw_rows(rows, "stdin" if source == STDIN else source, max_rows)
    return replace(sample, used_for=_find_file_use(run, source))


def _find_file_use(run: "Run", source: str) -> str | None:
    """Return what a run used the rows of a file for; None: nothing that is known."""
    from rnncls.data.checksums import checksum
    from rnncls.runs.data_check import find_use

    path = Path(source)
    if not path.exists() or is_special(path):
        return None
    sha256 = checksum(path, "sha256")
    origin = {"path": source, "sha256": sha256, "split": None}
    return find_use(run.path, run.config.data, origin)


def _save_page(path: Path, result: "DriftResult") -> None:
    """Write the page and report it on stderr; stdout may be JSON.

    Raises:
        RunError: The file cannot be written.
    """
    from rnncls.cli.reporting.drift_page import save_drift_page

    save_drift_page(path, result)
    typer.echo(f"{path}: written", err=True)


def print_drift(result: "DriftResult") -> None:
    """Print the tests, a summary, and what drives the differences."""
    from rich.console import Console

    from rnncls.cli.reporting.drift_tables import (
        NO_WORDS,
        UNLIKE_TEXTS,
        drift_table,
        drift_title,
        note_lines,
        share_tables,
        unlike_table,
    )
    from rnncls.cli.reporting.insight_tables import print_sentence

    console = Console(highlight=False)
    print_sentence(console, drift_title(result))
    print_tables([], [drift_table(result)])
    for sentence in (*note_lines(result), result.meaning()):
        print_sentence(console, sentence)
    for title, table in share_tables(result, NUM_PRINTED_SHARES).items():
        print_tables(["", title], [table])
    if not result.words:
        console.print()
        print_sentence(console, NO_WORDS)
    if result.unlike_texts:
        table = unlike_table(result, NUM_PRINTED_TEXTS)
        print_tables(["", UNLIKE_TEXTS], [table], fit=True)
