"""`rnncls plot`: plot the learning curves of runs in the terminal and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls.cli.options import RunsOption, choose_runs, find_run_or_newest
from rnncls.cli.replaced_pages import check_picture
from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.cli.reporting.terminal_chart import LearningCurve


def plot_command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help=(
                "Run folders; default: the newest finished run. They can also be given"
                " as --run."
            ),
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    run: RunsOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Also save the plot to this PNG file.",
            metavar="FILE.png",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Plot loss and score by epoch, of one or several runs, finished or not."""
    from rnncls.cli.reporting.terminal_chart import chart_lines

    check_picture("--output", output, "learning curves")
    curves = load_curves(choose_runs(runs, run))
    for line in chart_lines(curves):
        typer.echo(line)
    if output is not None:
        from rnncls.cli.reporting.evaluation_plots import plot_learning_curves

        save_plot(output, plot_learning_curves(curves), "learning curves")


def load_curves(runs: list[Path]) -> "list[LearningCurve]":
    """Load the metric rows of run folders, or of the newest finished run.

    Raises:
        RunError: A folder has no rows, or they are damaged.
    """
    from rnncls import RunError

    with fast_imports():
        from rnncls.cli.reporting.display import short_names
        from rnncls.cli.reporting.terminal_chart import LearningCurve
        from rnncls.runs.folder import RunFolder
        from rnncls.runs.metric_rows import read_rows
        from rnncls.runs.wrong_paths import build_no_run_error

    paths = runs or [find_run_or_newest(None)]
    names = short_names([str(path) for path in paths])
    curves = []
    for path, name in zip(paths, names, strict=True):
        if not path.is_dir():
            raise build_no_run_error(path)
        metrics = RunFolder(path).metrics
        if not metrics.exists():
            raise RunError(
                f"{path}: has no {metrics.name}: not a run folder, or its first epoch"
                " has not ended"
            )
        rows = read_rows(metrics)
        if not rows:
            raise RunError(
                f"{path}: metrics.jsonl has no rows yet: wait for the end of the first"
                " epoch"
            )
        curves.append(LearningCurve(name, rows))
    return curves
