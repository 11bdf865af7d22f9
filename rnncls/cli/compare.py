"""`rnncls compare`: compare runs on the same rows, with significance tests."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.eval import DataOption, IdOption
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    NoCacheOption,
    RunsOption,
    choose_runs,
)
from rnncls.cli.outputs import HTML, check_target
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.evaluation.comparison import Comparison

NUM_PRINTED_DISAGREEMENTS = 5
"""Rows in the terminal; --json and --html have more."""


def compare_command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help=(
                "The run folders, the baseline first. They can also be given as --run."
            ),
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    run: RunsOption = None,
    split: Annotated[
        Literal["valid", "test"], typer.Option(help="The split of the runs' data.")
    ] = "test",
    data: DataOption = None,
    id_: IdOption = None,
    json_: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page with a plot to this file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Compare runs, with significance tests: scores, sizes, speeds and configs."""
    check_target("--html", html, (*HTML, ""))
    runs = choose_runs(runs, run)
    if len(runs) < 2:
        raise ConfigError("expected two runs or more: rnncls compare RUN RUN")

    with fast_imports():
        from rnncls.cli.reporting.comparison_report import save_comparison
        from rnncls.evaluation.comparison import compare_runs
        from rnncls.runs.folder import find_run

    paths = [find_run(run) for run in runs]
    comparison = compare_runs(
        paths,
        split=split,
        data=data,
        id_column=id_,
        device=device,
        use_cache=not no_cache,
    )
    if html is not None:
        save_comparison(html, comparison)
    if json_:
        typer.echo(json.dumps(comparison.to_dict()))
    else:
        print_comparison(comparison)


def print_comparison(comparison: "Comparison") -> None:
    """Print scores, differences, differing config keys and some disagreements."""
    from rnncls.cli.reporting.comparison_report import (
        DIFFERENCE_NOTES,
        comparison_tables,
        disagreement_table,
        setting_table,
        summary_lines,
    )

    print_tables([], comparison_tables(comparison))
    tables = [disagreement_table(comparison, NUM_PRINTED_DISAGREEMENTS)]
    if comparison.settings:
        tables.insert(0, setting_table(comparison))
    lines = [*DIFFERENCE_NOTES, *summary_lines(comparison)]
    print_tables(lines, tables, fit=True)
