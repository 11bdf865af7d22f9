"""`rnncls order`: how much a run depends on word order."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncls import ConfigError
from rnncls.cli.eval import SplitName
from rnncls.cli.options import (
    JsonOption,
    NoCacheOption,
    PlotOption,
    RunArgument,
    RunOption,
    SetOption,
    choose_run,
)
from rnncls.cli.replaced_pages import check_picture
from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports
from rnncls.text.display import format_count

if TYPE_CHECKING:
    from rnncls.inference.insight.word_order import WordOrderResult


def order_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: Annotated[SplitName, typer.Option(help="Split of the run's data.")] = "test",
    draws: Annotated[
        int, typer.Option(min=1, help="Number of times the words are shuffled.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the shuffles.")] = 0,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="A run with model.cell: none; default: train one and save it in the"
            " run folder.",
            show_default=False,
        ),
    ] = None,
    set_: SetOption = None,
    plot: PlotOption = None,
    json_: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Print the accuracy for words as written, reversed, sorted and shuffled.

    The last row is a bag of words (model.cell: none), trained with the run's config and
    the changes of --set. Unless --set gives them, it has train.monitor: loss and
    train.patience: null.

    If an epoch has at least 400 steps, the bag of words is trained with four times the
    batch size and twice the learning rate, unless --set gives either.
    """
    if baseline is not None and set_:
        raise ConfigError(
            "--set changes the config of the bag of words that is trained: leave it out"
            " with --baseline"
        )
    check_picture("--plot", plot, "order")

    with fast_imports():
        from rnncls.inference.insight.word_order import compare_with_bag
        from rnncls.runs.folder import find_run
        from rnncls.runs.run import load_run
        from rnncls.training.bag_of_words import train_or_load_bag

    loaded = load_run(choose_run(run_folder, run))
    if loaded.config.model.cell == "none":
        raise ConfigError(
            f"{loaded.path}: is a bag of words itself: give a run of a recurrent"
            " network"
        )
    bag = (
        load_run(find_run(baseline))
        if baseline
        else train_or_load_bag(loaded, set_ or [], use_cache=not no_cache)
    )
    readings, origin = compare_with_bag(
        loaded, bag, split, draws=draws, seed=seed, use_cache=not no_cache
    )
    if plot is not None:
        from rnncls.cli.reporting.insight_plots import plot_word_order

        save_plot(plot, plot_word_order(readings), "order")
    if json_:
        typer.echo(
            json.dumps(
                {
                    "run": str(loaded.path),
                    "baseline": str(bag.path),
                    **describe_order(readings, origin),
                }
            )
        )
    else:
        from rnncls.cli.reporting.evaluation_notes import describe_use

        rows = format_count(origin["num_rows"], "row")
        title = f"{loaded.path.name} on {origin['path']}: {rows}"
        print_order(readings, title, describe_use(origin))


def describe_order(
    readings: "list[WordOrderResult]", origin: dict[str, Any]
) -> dict[str, Any]:
    """Return the results as plain values."""
    from rnncls.inference.insight.word_order import describe_word_order

    return {
        "data": origin,
        "num_rows": origin["num_rows"],
        "readings": [asdict(reading) for reading in readings],
        "meaning": describe_word_order(readings),
    }


def print_order(readings: "list[WordOrderResult]", title: str, note: str) -> None:
    """Print a title, a note on the rows, a table of the results and a summary."""
    from rich.console import Console
    from rich.table import Table

    from rnncls.cli.reporting.display import interval_cell
    from rnncls.cli.reporting.insight_tables import print_sentence
    from rnncls.inference.insight.word_order import AS_WRITTEN, describe_word_order

    console = Console()
    num_draws = max(len(reading.draws) for reading in readings)
    draws = f", shuffled {num_draws} times" if num_draws > 1 else ""
    console.print(f"{title}{draws}", highlight=False, markup=False, soft_wrap=True)
    if note:
        print_sentence(console, note)
    table = Table("words")
    for name in ("accuracy", "95% interval", "lost, points", "95% interval"):
        table.add_column(name, justify="right")
    for reading in readings:
        low, high = reading.interval
        cells = [f"{reading.accuracy:.2%}", f"{low:.2%} to {high:.2%}"]
        if reading.name != AS_WRITTEN:
            low, high = reading.loss_interval
            cells += [
                f"{100 * reading.loss:.1f}",
                interval_cell(f"{100 * low:.1f} to {100 * high:.1f}", (low, high)),
            ]
        table.add_row(reading.name, *cells)
    console.print(table)
    for line in describe_word_order(readings):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
