"""`rnncls order`: how much the order of words counts on a run's data."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncls import ConfigError
from rnncls.cli.eval import SplitName
from rnncls.cli.options import JsonOption, NoCacheOption, PlotOption, SetOption
from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.config.sections import Config
    from rnncls.inference.insight.word_order import WordOrderResult
    from rnncls.runs.run import Run

BAG_FOLDER = "bag-of-words"
TIMES_THE_TEXTS = 4
"""How many times the run's texts a step of its bag of words takes, and at the square
root of it times the rate, …"""
FEWEST_STEPS = 100
"""… where so many steps an epoch are left."""


def order_command(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="The run folder; default: the newest finished run.", show_default=False
        ),
    ] = None,
    split: Annotated[
        SplitName, typer.Option(help="Which rows of the run's own data.")
    ] = "test",
    draws: Annotated[
        int, typer.Option(min=1, help="How often the words are shuffled.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Draws the orders.")] = 0,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="A run with cell: none; default: one is trained, and kept in RUN.",
            show_default=False,
        ),
    ] = None,
    set_: SetOption = None,
    plot: PlotOption = None,
    json_: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Print the accuracy with the words as written, reversed, sorted and shuffled, and
    that of a bag of words.

    The bag of words is trained from the run's own config with model.cell: none, and
    what --set changes.

    Where an epoch has 400 steps or more, the bag takes four at once at twice the rate,
    unless --set names either.
    """
    if baseline is not None and set_:
        raise ConfigError(
            "--set changes the config of the bag of words that is trained: leave it out"
            " with --baseline"
        )

    with fast_imports():
        from rnncls.runs.folder import find_run
        from rnncls.runs.run import load_run

    loaded = load_run(find_run(run))
    if loaded.config.model.cell == "none":
        raise ConfigError(
            f"{loaded.path}: is a bag of words itself: give a run of a recurrent"
            " network"
        )
    bag = (
        load_run(find_run(baseline))
        if baseline
        else find_bag(loaded, set_ or [], use_cache=not no_cache)
    )
    readings, origin = audit_order(
        loaded, bag, split, draws=draws, seed=seed, use_cache=not no_cache
    )
    if plot is not None:
        from rnncls.reporting.insight_plots import plot_word_order

        save_plot(plot, plot_word_order(readings))
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
        print_order(
            readings,
            f"{loaded.path.name} on {origin['path']}: {origin['num_rows']:,} rows",
        )


def audit_order(
    run: "Run",
    bag: "Run",
    split: SplitName,
    *,
    draws: int = 3,
    seed: int = 0,
    use_cache: bool = True,
) -> "tuple[list[WordOrderResult], dict[str, Any]]":
    """Return how a run judges the rows of a split in each order, and how a bag of words
    does; and which rows these are.

    Raises:
        ConfigError: The baseline is no bag of words, or has other rows or classes.
        RnnclsError: The data is wrong.
    """
    from rnncls.data.loading import load_split
    from rnncls.inference.insight.word_order import evaluate_word_orders, is_right

    if bag.config.model.cell != "none":
        raise ConfigError(
            f"{bag.path}: has the cell {bag.config.model.cell}: a bag of words has none"
        )
    rows, origin = load_split(
        run.config,
        split,
        run.classifier.vocab,
        run.classifier.label_names,
        use_cache=use_cache,
    )
    own_rows, own = load_split(
        bag.config,
        split,
        bag.classifier.vocab,
        bag.classifier.label_names,
        use_cache=use_cache,
    )
    if (own["sha256"], bag.classifier.label_names) != (
        origin["sha256"],
        run.classifier.label_names,
    ) or len(rows.labels) != len(own_rows.labels):
        raise ConfigError(
            f"{bag.path}: has other rows or classes than {run.path}: {own['path']}"
        )
    right = is_right(bag.classifier.model, own_rows)
    return (
        evaluate_word_orders(
            run.classifier.model,
            rows,
            run.classifier.vocab,
            bag=right,
            num_draws=draws,
            seed=seed,
        ),
        origin,
    )


def find_bag(run: "Run", overrides: list[str], *, use_cache: bool = True) -> "Run":
    """Return the bag of words that is kept in a run's folder, trained first where none
    of
    that config is there.

    Raises:
        RnnclsError: The config or the data is wrong, or the folder cannot be written
            to.
    """
    from rnncls.config.loading import load_config
    from rnncls.runs.folder import RunFolder
    from rnncls.runs.run import load_run

    config = bag_config(run, overrides)
    may_hurry = not {each.partition("=")[0].strip() for each in overrides} & {
        "train.batch_size",
        "train.lr",
    }
    path = run.path / BAG_FOLDER
    if RunFolder(path).model.exists() and load_config(RunFolder(path).config) in (
        [config, hurry(config)] if may_hurry else [config]
    ):
        return load_run(path)
    train_bag(config, path, may_hurry=may_hurry, use_cache=use_cache)
    return load_run(path)


def bag_config(run: "Run", overrides: list[str]) -> "Config":
    """Return a run's config as one of a bag of words: no cell, no language model to
    start from, no teachers.
    """
    from rnncls.config.loading import parse_config
    from rnncls.config.yaml_format import dump_config

    own = [
        "model.cell=none",
        "model.pretrained=null",
        "train.teachers=[]",
        "train.precision=float32",
    ]
    return parse_config(
        dump_config(run.config),
        str(run.path / "config.yaml"),
        [*own, *overrides, "model.cell=none"],
    )


def hurry(config: "Config") -> "Config":
    """Return the config of a bag of words with more texts a step, at a higher rate.

    A step of a bag is little but the moving of word vectors: so it takes a third of the
    time, and the bag is no weaker (docs/results/performance.md).
    """
    section = config.train
    pace = {
        "batch_size": TIMES_THE_TEXTS * section.batch_size,
        "lr": TIMES_THE_TEXTS**0.5 * section.lr,
    }
    return config.replace(train=section.replace(**pace))


def train_bag(
    config: "Config", path: Path, *, may_hurry: bool, use_cache: bool
) -> None:
    """Train a bag of words and leave the four files that predict at `path`, in place of
    what was there.

    Raises:
        RnnclsError: The config or the data is wrong, or the folder cannot be written
            to.
    """
    import logging
    import shutil
    import tempfile

    from rnncls import RunError
    from rnncls.data.loading import load_training_data
    from rnncls.runs.run import create_run
    from rnncls.runs.weights import save_model
    from rnncls.training.classification import build_classifier_trainer
    from rnncls.training.initialization import build_model, prepare_torch

    logging.getLogger(__name__).info(
        "training a bag of words of the same embedding, kept in %s", path
    )
    device = prepare_torch(config)
    data = load_training_data(config, use_cache=use_cache)
    if (
        may_hurry
        and len(data.train.texts) >= FEWEST_STEPS * hurry(config).train.batch_size
    ):
        config = hurry(config)
    trainer = build_classifier_trainer(
        config.train, build_model(config, data).to(device), data, config.seed
    )
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".bag-") as name:
            unfinished = Path(name) / BAG_FOLDER
            create_run(unfinished, config, data.vocab, data.label_names)
            for step in trainer.steps():
                if step.validation is not None and step.validation["is_best"]:
                    save_model(unfinished, trainer.eval_model)
            shutil.rmtree(path, ignore_errors=True)
            unfinished.rename(path)
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written: {error.strerror}: train a run with cell: none"
            " elsewhere, and name it with --baseline"
        ) from error


def describe_order(
    readings: "list[WordOrderResult]", origin: dict[str, Any]
) -> dict[str, Any]:
    """Return all as plain values."""
    from rnncls.inference.insight.word_order import describe_word_order

    return {
        "data": origin,
        "num_rows": origin["num_rows"],
        "readings": [asdict(reading) for reading in readings],
        "meaning": describe_word_order(readings),
    }


def print_order(readings: "list[WordOrderResult]", title: str) -> None:
    """Print a table of the readings, and what they say."""
    from rich.console import Console
    from rich.table import Table

    from rnncls.inference.insight.word_order import AS_WRITTEN, describe_word_order

    console = Console()
    num_draws = max(len(reading.draws) for reading in readings)
    draws = f", shuffled {num_draws} times" if num_draws > 1 else ""
    console.print(f"{title}{draws}", highlight=False, markup=False, soft_wrap=True)
    table = Table("words")
    for name in ("accuracy", "95 % interval", "lost, points", "95 % interval"):
        table.add_column(name, justify="right")
    for reading in readings:
        low, high = reading.interval
        cells = [f"{reading.accuracy:.2%}", f"{low:.2%} to {high:.2%}"]
        if reading.name != AS_WRITTEN:
            low, high = reading.loss_interval
            cells += [
                f"{100 * reading.loss:.1f}",
                f"{100 * low:.1f} to {100 * high:.1f}",
            ]
        table.add_row(reading.name, *cells)
    console.print(table)
    for line in describe_word_order(readings):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
