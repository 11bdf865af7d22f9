"""`rnncls plot`: the learning curves of runs, in the terminal and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.reporting.terminal_chart import Curve


def plot_command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Run folders; default: the newest finished run.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Draw them into this PNG too.", metavar="FILE.png", show_default=False
        ),
    ] = None,
) -> None:
    """Show loss and score over the epochs, of one run or of several, finished or not."""
    from rnncls.reporting.terminal_chart import chart_lines

    curves = load_curves(runs or [])
    for line in chart_lines(curves):
        typer.echo(line)
    if output is not None:
        from rnncls.reporting.evaluation_plots import draw_curves

        save_plot(output, draw_curves(curves))


def load_curves(runs: list[Path]) -> "list[Curve]":
    """Return the metric rows of run folders, or of the newest finished run.

    Raises:
        RunError: A folder has no rows, or they are damaged.
    """
    from rnncls import RunError

    with fast_imports():
        from rnncls.reporting.comparison_report import shorten
        from rnncls.reporting.terminal_chart import Curve
        from rnncls.runs.folder import RunFolder, find_run
        from rnncls.runs.metric_rows import read_rows

    paths = runs or [find_run(None)]
    found = [read_rows(RunFolder(path).metrics) for path in paths]
    for path, rows in zip(paths, found, strict=True):
        if not rows:
            raise RunError(
                f"{path}: has no row in metrics.jsonl yet: wait for the end of the first"
                " epoch"
            )
    names = shorten([str(path) for path in paths])
    return [Curve(name, rows) for name, rows in zip(names, found, strict=True)]
