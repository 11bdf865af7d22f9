"""`rnncls gradient`: gradient norms by distance, of runs or untrained networks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncls import ConfigError
from rnncls.cli.eval import SplitName
from rnncls.cli.options import (
    ConfigOption,
    JsonOption,
    NoCacheOption,
    PlotOption,
    RunsOption,
    SetOption,
    choose_runs,
    find_run_or_newest,
    split_arguments,
)
from rnncls.cli.replaced_pages import check_picture
from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.config.sections import Config, DataSettings, ModelSection
    from rnncls.inference.insight.gradients import Measured
    from rnncls.nn.classifier import TextClassifier
    from rnncls.runs.run import Run

SHOWN = (1, 5, 10, 20, 40)
"""The distances that the table has."""
NUM_ROWS = 1_000


def gradient_command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help=(
                "Run folders; default: the newest finished run. They can also be given"
                " as --run. With --cells, a config (.yaml)."
            ),
            metavar="RUN|CONFIG",
            show_default=False,
        ),
    ] = None,
    run: RunsOption = None,
    cells: Annotated[
        str | None,
        typer.Option(
            help="Measure untrained networks of --config, one per cell: rnn,lstm,gru.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    split: Annotated[SplitName, typer.Option(help="Split of the data.")] = "test",
    rows: Annotated[
        int, typer.Option(min=1, help="Maximum number of rows, sampled at random.")
    ] = NUM_ROWS,
    plot: PlotOption = None,
    json_: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Print how a state's gradient shrinks with its distance from the text's end."""
    runs, config = split_arguments(runs, config)
    runs = choose_runs(runs, run)
    if (cells is None) != (config is None) or (cells is not None and runs):
        raise ConfigError("give run folders, or --cells rnn,lstm,gru and --config FILE")
    if set_ and cells is None:
        raise ConfigError(
            "--set changes the config of --cells: leave it out with run folders"
        )
    check_picture("--plot", plot, "gradient")

    with fast_imports():
        from rnncls.runs.folder import find_run

    if cells is not None and config is not None:
        configs = configs_of(cells, config, set_ or [])
        sections = [each.model for each in configs]
        settings = configs[0].data_settings
        measured, origin = measure_fresh(
            sections, settings, split, rows, use_cache=not no_cache
        )
    else:
        paths = list(map(find_run, runs)) or [find_run_or_newest(None)]
        measured, origin = measure_runs(paths, split, rows, use_cache=not no_cache)
    if plot is not None:
        from rnncls.cli.reporting.insight_plots import plot_gradients

        save_plot(plot, plot_gradients(measured), "gradient")
    if json_:
        typer.echo(
            json.dumps({**origin, "networks": [each.to_dict() for each in measured]})
        )
    else:
        print_curves(measured, origin)


def configs_of(cells: str, path: Path, overrides: list[str]) -> "list[Config]":
    """Return one config per cell.

    Raises:
        ConfigError: A cell is not rnn, lstm or gru, or the config is invalid.
    """
    from rnncls.config.loading import load_config

    names = [name.strip() for name in cells.split(",")]
    for name in names:
        if name not in ("rnn", "lstm", "gru"):
            raise ConfigError(f"--cells: expected some of rnn,lstm,gru, found '{name}'")
    return [load_config(path, [*overrides, f"model.cell={name}"]) for name in names]


def measure_fresh(
    sections: "list[ModelSection]",
    settings: "DataSettings",
    split: SplitName,
    num_rows: int,
    *,
    use_cache: bool = True,
) -> "tuple[list[Measured], dict[str, Any]]":
    """Return the curves of untrained networks, and the data they were measured on.

    Raises:
        RnnclsError: The data or a config is wrong.
    """
    from rnncls.data.loading import load_split, load_training_data
    from rnncls.inference.insight.gradients import choose_rows, measure_network
    from rnncls.training.initialization import initial_model

    data = load_training_data(settings, use_cache=use_cache)
    rows, origin = load_split(
        settings, split, data.vocab, data.label_names, use_cache=use_cache
    )
    chosen = choose_rows(rows, num_rows, settings.seed)
    label_sets = data.train.labels if settings.data.has_several_labels else None
    measured = []
    for section in sections:
        model = initial_model(
            section,
            settings.text,
            settings.seed,
            data.vocab,
            data.label_names,
            label_sets,
        )
        measured += measure_network(section.cell, "first", model, chosen)
    return measured, _origin(origin, len(chosen.labels))


def measure_runs(
    paths: list[Path], split: SplitName, num_rows: int, *, use_cache: bool = True
) -> "tuple[list[Measured], dict[str, Any]]":
    """Return each run's curves before and after training, and their data.

    Raises:
        RnnclsError: A run or its data is wrong.
        ConfigError: The runs have different rows.
    """
    from rnncls.data.loading import load_split
    from rnncls.inference.insight.gradients import choose_rows, measure_network
    from rnncls.runs.run import load_run

    measured: list[Measured] = []
    found: dict[str, Any] = {}
    for path in paths:
        run = load_run(path)
        rows, origin = load_split(
            run.data_settings,
            split,
            run.classifier.vocab,
            run.classifier.label_names,
            use_cache=use_cache,
        )
        if found and origin["sha256"] != found["sha256"]:
            raise ConfigError(
                f"{path}: its rows are from {origin['path']}, those of {paths[0]} are"
                f" from {found['path']}: give runs on the same data"
            )
        found = found or origin
        chosen = choose_rows(rows, num_rows, seed=0)
        for weights, model in (
            ("first", load_first_model(run, use_cache=use_cache)),
            ("trained", run.classifier.model),
        ):
            measured += measure_network(path.name, weights, model, chosen)
    return measured, _origin(found, len(chosen.labels))


def load_first_model(run: "Run", *, use_cache: bool = True) -> "TextClassifier":
    """Return a run's network before training.

    Several labels a text start from their frequencies in the training rows.

    Raises:
        RnnclsError: The training data no longer exists, or it changed.
    """
    from rnncls.data.loading import load_split
    from rnncls.training.initialization import initial_model_of

    classifier = run.classifier
    if not classifier.has_several_labels:
        return initial_model_of(run)
    train_rows, _ = load_split(
        run.data_settings,
        "train",
        classifier.vocab,
        classifier.label_names,
        use_cache=use_cache,
    )
    return initial_model_of(run, train_rows.labels)


def _origin(origin: dict[str, Any], num_measured: int) -> dict[str, Any]:
    from rnncls.inference.insight.gradients import FLOOR

    return {"data": origin, "num_measured": num_measured, "floor": FLOOR}


def print_curves(measured: "list[Measured]", origin: dict[str, Any]) -> None:
    """Print a table of the curves, with the effective memory of each."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    console = Console()
    data = origin["data"]
    rows = (
        f"{origin['num_measured']:,} of the {data['num_rows']:,} rows of {data['path']}"
    )
    legend = (
        "Each column k: norm of the loss's gradient with respect to the state k tokens"
        " before\nthe last one read, divided by the norm at the last token; median over"
        f" texts.\nmemory: the smallest k at which it is below {origin['floor']:.0%}."
    )
    for line in (rows, legend):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    table = Table("network", Column("weights", no_wrap=True))
    for name in ("memory", *map(str, SHOWN)):
        table.add_column(name, justify="right", no_wrap=True)
    for each in measured:
        shares = each.curve.shares
        cells = [
            f"{shares[distance]:.1g}" if distance < len(shares) else ""
            for distance in SHOWN
        ]
        table.add_row(escape(each.label), each.weights_shown, each.memory_shown, *cells)
    console.print(table)
    for line in explain_curves(measured):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def explain_curves(measured: "list[Measured]") -> list[str]:
    """Summarise the curves; warn of poolings that read each state directly."""
    ordered = sorted(
        measured, key=lambda each: (each.curve.memory is None, each.curve.memory or 0)
    )
    first, last = ordered[0], ordered[-1]
    lines = []
    if first.memory_shown != last.memory_shown:
        shortest, longest = map(_describe_memory, (first, last))
        lines.append(f"Shortest memory: {shortest}; longest: {longest}.")
    others = dict.fromkeys(each.name for each in measured if each.pooling != ("last",))
    if others:
        lines.append(
            f"The pooling of {', '.join(others)} also reads each state directly, so"
            " these curves show more than the vanishing gradient. Train with --set"
            " 'model.pooling=[last]' for that alone."
        )
    return lines


def _describe_memory(network: "Measured") -> str:
    weights = network.weights_shown
    return f"{network.memory_shown} tokens ({network.label}, {weights} weights)"
