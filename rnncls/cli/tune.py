"""`rnncls tune`: search for better settings within a budget of minutes or trials."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.options import (
    ConfigArgument,
    ConfigOption,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    SetOption,
    choose_config,
)
from rnncls.machine.imports import fast_imports
from rnncls.text.display import format_count

if TYPE_CHECKING:
    from rich.table import Table

DEFAULT_MINUTES = 10.0
_NO_BETTER = (
    "no better setting was found: trial 0, the config as it was given, is the best"
)
NUM_SHOWN_TRIALS, NUM_SHOWN_KEYS = 5, 5


def tune_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help=(
                "How long to search; the first trial is always completed. Default: 10,"
                " or no limit with --trials."
            ),
            min=0.01,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="How many configs to try; two searches with the same number find the"
            " same trials.",
            min=1,
        ),
    ] = None,
    max_size_mb: Annotated[
        float | None,
        typer.Option(
            "--max-size-mb",
            help="Largest allowed model in MB, with 4 bytes per parameter.",
            min=0.001,
        ),
    ] = None,
    metric: Annotated[
        Literal["accuracy", "micro_f1", "macro_f1", "loss"] | None,
        typer.Option(
            help="The score to optimise; default: the config's train.monitor.",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Score by cross-validation with this many folds; for small data sets.",
            min=2,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the search.")] = Path(
        "tuning"
    ),
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the search at --out.")
    ] = False,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Search for better settings; Ctrl-C saves, --resume continues.

    The first trial is the config as it is. The test file is not read.
    """
    from rnncls.config.loading import load_config

    config = choose_config(config_file, config)
    device_override = [f"device={device}"] if device else []
    checked = load_config(config, [*(set_ or []), *device_override])

    try:
        with fast_imports():
            from rnncls.training.study import Goal
            from rnncls.training.trials import Budget
            from rnncls.training.tuning import BEST, tune
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise ConfigError(
            "rnncls tune needs Optuna: install it with pip install 'optuna>=4'"
        ) from error

    if minutes is None and trials is None:
        minutes = DEFAULT_MINUTES
    started = time.monotonic()
    goal = Goal(metric or checked.train.monitor, max_size_mb, folds)
    result = tune(
        checked,
        out,
        goal,
        Budget(trials, minutes),
        resume=resume,
        use_cache=not no_cache,
    )
    if json_:
        typer.echo(json.dumps(result))
    else:
        show(result, out / BEST, time.monotonic() - started)


def show(result: dict[str, Any], path: Path, elapsed_s: float | None = None) -> None:
    """Print the best trials, the most important keys, and how to train the best config.

    Args:
        result: What `tune` returned.
        path: The best config.
        elapsed_s: The seconds of this call; None: not known.
    """
    from rich.console import Console

    Console().print(trials_table(result))
    typer.echo(count_line(result, elapsed_s))
    if result["importance"]:
        keys = list(result["importance"].items())[:NUM_SHOWN_KEYS]
        shares = ", ".join(f"{key} {share:.0%}" for key, share in keys)
        typer.echo(f"most important keys: {shares}")
    typer.echo(f"{path}: {best_line(result)}")
    if result["best"]["trial"] == 0:
        typer.echo(_NO_BETTER)
    typer.echo(
        "this score is optimistic: the same rows selected the config; expect less on"
        " other rows"
    )
    typer.echo(f"train it with: rnncls train --config {path}")


def count_line(result: dict[str, Any], elapsed_s: float | None = None) -> str:
    """Return how many trials were run, and how they ended.

    Args:
        result: What `tune` returned.
        elapsed_s: The seconds of this call, including those outside trials; None: not
            known.
    """
    rows = result["trials"]
    counts = Counter(row["ended"] for row in rows)
    ends = ", ".join(f"{count:,} {end}" for end, count in counts.items())
    trials = format_count(len(rows), "trial")
    line = f"{trials} in {result['seconds']:.0f} s: {ends}"
    if result.get("num_cut_off"):
        line += "; one more was stopped at the time limit and does not count"
    return line if elapsed_s is None else f"{line}; {elapsed_s:.0f} s in all"


def best_line(result: dict[str, Any]) -> str:
    """Return the number and the score of the best trial."""
    best, metric = result["best"], result["goal"]["metric"]
    score = f"{metric} {best['scores'][metric]:.4f}"
    if metric == "accuracy":
        low, high = result["accuracy_interval"]
        score += f" ({low:.4f} to {high:.4f})"
    return f"trial {best['trial']}, {score} of {result['num_rows']:,} rows"


def trials_table(result: dict[str, Any]) -> "Table":
    """Return a table of the best trials and of trial 0, the given config.

    The last column lists the keys whose values differ from the given config.
    """
    from rich.markup import escape
    from rich.table import Table

    metric = result["goal"]["metric"]
    table = Table("trial", title="Best trials and the given config")
    table.title_justify = "left"
    for name in (metric, "MB", "s"):
        table.add_column(name, justify="right")
    table.add_column("changed keys")
    for row in shown_trials(result["trials"], metric):
        score = row["ended"]
        if score == "completed":
            score = f"{row['scores'][metric]:.4f}"
        changed = escape(changed_keys(row["values"], result["given"]))
        size, seconds = f"{row['size_mb']:.1f}", f"{row['seconds']:.0f}"
        table.add_row(str(row["trial"]), score, size, seconds, changed)
    return table


def shown_trials(rows: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return the best completed trials, and the first trial if it is not among them."""
    sign = 1 if metric == "loss" else -1
    completed = [row for row in rows if row["ended"] == "completed"]
    completed.sort(key=lambda row: sign * row["scores"][metric])
    shown = completed[:NUM_SHOWN_TRIALS]
    return shown + [row for row in rows[:1] if row not in shown]


def changed_keys(values: dict[str, Any], given: dict[str, Any]) -> str:
    """Return the keys whose values differ from the given ones, without section."""
    changed = [
        f"{key.split('.')[1]} {display_value(value)}"
        for key, value in values.items()
        if value != given[key]
    ]
    return ", ".join(changed) or "nothing"


def display_value(value: object) -> str:
    """Return a setting as text, numbers with three significant digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
