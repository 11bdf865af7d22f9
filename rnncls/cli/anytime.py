"""`rnncls anytime`: accuracy when only the first tokens of a text are read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rnncls.cli.eval import SplitName
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    NoCacheOption,
    PlotOption,
    RunArgument,
    RunOption,
    choose_run,
)
from rnncls.cli.replaced_pages import check_picture
from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports


def anytime_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: Annotated[SplitName, typer.Option(help="Split of the run's data.")] = "test",
    plot: PlotOption = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Print the accuracy after 1, 2, 4, 8, … tokens of each text, with intervals."""
    from rich.console import Console

    check_picture("--plot", plot, "anytime")
    with fast_imports():
        from rnncls.cli.reporting.evaluation_notes import describe_use
        from rnncls.cli.reporting.insight_tables import anytime_table, print_sentence
        from rnncls.evaluation.loading import load_run_and_split
        from rnncls.inference.insight.anytime import (
            describe_anytime,
            measure_anytime,
        )

    loaded, rows, origin = load_run_and_split(
        choose_run(run_folder, run), split=split, device=device, use_cache=not no_cache
    )
    classifier = loaded.classifier
    points = measure_anytime(classifier.model, rows, classifier.thresholds)
    title = (
        f"{loaded.path.name} on {Path(origin['path']).name}: {origin['num_rows']:,}"
        " rows"
    )
    if plot is not None:
        from rnncls.cli.reporting.insight_plots import plot_anytime

        save_plot(plot, plot_anytime(points, title), "anytime")
    if json_:
        found = {
            "points": [asdict(point) for point in points],
            "data": origin,
            "meaning": describe_anytime(points),
        }
        typer.echo(json.dumps(found))
    else:
        console = Console(highlight=False)
        if describe_use(origin):
            print_sentence(console, describe_use(origin))
        console.print(anytime_table(points, title))
        print_sentence(console, describe_anytime(points))
