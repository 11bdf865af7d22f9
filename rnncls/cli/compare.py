"""`rnncls compare`: compare runs on the same rows, with significance tests."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.eval import (
    DataOption,
    IdOption,
    LabelColumnOption,
)
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    NoCacheOption,
    PlotPageOption,
    RunsOption,
    TextColumnOption,
    choose_runs,
)
from rnncls.cli.replaced_pages import COMPARISON, check_page
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.evaluation.run_evaluation import Evaluation

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
    text: TextColumnOption = None,
    label: LabelColumnOption = None,
    id_: IdOption = None,
    json_: JsonOption = False,
    html: PlotPageOption = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Compare runs, with significance tests: scores, sizes, speeds and configs."""
    check_page("--html", html, COMPARISON)
    runs = choose_runs(runs, run)
    if len(runs) < 2:
        raise ConfigError("expected two runs or more: rnncls compare RUN RUN")

    with fast_imports():
        from rnncls.evaluation.columns import name_columns
        from rnncls.evaluation.compared_runs import (
            evaluate_on_same_rows,
            load_finished_run,
        )
        from rnncls.runs.folder import find_run

    paths = [find_run(run) for run in runs]
    _note_same_runs(paths)
    loaded = [
        name_columns(load_finished_run(path), data, text or [], label, prefix="--")
        for path in paths
    ]
    evaluations = evaluate_on_same_rows(
        loaded,
        split=split,
        data=data,
        device=device,
        use_cache=not no_cache,
    )
    if evaluations[0].run.classifier.has_several_labels:
        show_label_comparison(paths, evaluations, id_, html, as_json=json_)
    else:
        show_comparison(paths, evaluations, id_, html, as_json=json_)


def _note_same_runs(paths: list[Path]) -> None:
    """Print a note for each run that is given more than once."""
    counts = Counter(path.resolve() for path in paths)
    noted = set()
    for path in paths:
        resolved = path.resolve()
        if counts[resolved] > 1 and resolved not in noted:
            noted.add(resolved)
            typer.echo(
                f"note: {path} is given {counts[resolved]} times: a run does not differ"
                " from itself",
                err=True,
            )


def show_comparison(
    paths: list[Path],
    evaluations: "list[Evaluation]",
    id_column: str | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compare evaluations of runs on the same rows, and print the comparison.

    Args:
        paths: The run folders.
        evaluations: Their evaluations, the baseline first.
        id_column: A column of the file that names the rows of disagreements.
        html: A page to write too; None: none.
        as_json: Whether to print JSON.

    Raises:
        RnnclsError: A file of a run is damaged, a text cannot be read, or the page
            cannot be written.
    """
    with fast_imports():
        from rnncls.cli.reporting.comparison_report import (
            comparison_details,
            comparison_tables,
            save_comparison,
            use_lines,
        )
        from rnncls.evaluation.comparison import compare_evaluations

    comparison = compare_evaluations(paths, evaluations, id_column)
    if html is not None:
        save_comparison(html, comparison)
        typer.echo(f"{html}: written", err=True)
    if as_json:
        typer.echo(json.dumps(comparison.to_dict()))
    else:
        uses = use_lines(comparison.origin, comparison.contenders)
        print_tables(uses, comparison_tables(comparison))
        details = comparison_details(comparison, NUM_PRINTED_DISAGREEMENTS)
        print_tables(*details, fit=True)


def show_label_comparison(
    paths: list[Path],
    evaluations: "list[Evaluation]",
    id_column: str | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compare runs with several labels a text; see `show_comparison`."""
    with fast_imports():
        from rnncls.cli.reporting.comparison_report import use_lines
        from rnncls.cli.reporting.label_comparison_report import (
            label_comparison_details,
            label_comparison_tables,
            save_label_comparison,
        )
        from rnncls.evaluation.label_comparison import compare_label_runs

    comparison = compare_label_runs(paths, evaluations, id_column)
    if html is not None:
        save_label_comparison(html, comparison)
        typer.echo(f"{html}: written", err=True)
    if as_json:
        typer.echo(json.dumps(comparison.to_dict()))
    else:
        uses = use_lines(comparison.origin, comparison.contenders)
        print_tables(uses, label_comparison_tables(comparison))
        details = label_comparison_details(comparison, NUM_PRINTED_DISAGREEMENTS)
        print_tables(*details, fit=True)
