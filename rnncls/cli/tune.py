"""`rnncls tune`: better settings for one's own data, found within a budget of minutes
or trials.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rnncls.cli.options import DeviceOption, JsonOption, NoCacheOption, SetOption
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rich.table import Table

DEFAULT_MINUTES = 10.0
SHOWN_TRIALS, SHOWN_KEYS = 5, 5


def tune_command(
    config: Annotated[
        Path,
        typer.Argument(
            help="The YAML config to begin with: it is the first trial.",
            show_default=False,
        ),
    ],
    set_: SetOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help=(
                "How long to search; the first trial is finished anyway. Default: 10,"
                " or no limit with --trials."
            ),
            min=0.01,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="How many configs to try; the same number finds the same again.", min=1
        ),
    ] = None,
    max_size_mb: Annotated[
        float | None,
        typer.Option(
            "--max-size-mb",
            help="The largest model, at 4 bytes a parameter.",
            min=0.001,
        ),
    ] = None,
    metric: Annotated[
        Literal["accuracy", "macro_f1", "loss"] | None,
        typer.Option(
            help="The score to look for; default: the config's train.monitor.",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Judge by so many folds, not by the validation rows: for small sets.",
            min=2,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the search.")] = Path(
        "tuning"
    ),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search at --out.")
    ] = False,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Search for better settings; Ctrl-C saves and leaves, --resume goes on. The test
    file stays closed.
    """
    from rnncls.config.loading import load_config

    checked = load_config(
        config, [*(set_ or []), *([f"device={device}"] if device else [])]
    )

    with fast_imports():
        from rnncls.training.tuning import BEST, Budget, Goal, tune

    budget = Budget(
        trials, DEFAULT_MINUTES if minutes is None and trials is None else minutes
    )
    goal = Goal(metric or checked.train.monitor, max_size_mb, folds)
    result = tune(checked, out, goal, budget, resume=resume, use_cache=not no_cache)
    if json_:
        typer.echo(json.dumps(result))
        return
    show(result, out / BEST)


def show(result: dict[str, Any], path: Path) -> None:
    """Print the best trials, what mattered, and what to do next."""
    from collections import Counter

    from rich.console import Console

    rows, best, metric = result["trials"], result["best"], result["goal"]["metric"]
    Console().print(trials_table(result))
    counts = Counter(row["ended"] for row in rows)
    ended = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    typer.echo(
        f"{len(rows):,} trial{'s' if len(rows) > 1 else ''} in {result['seconds']:.0f}"
        f" s: {ended}"
    )
    if result["importance"]:
        heaviest = list(result["importance"].items())[:SHOWN_KEYS]
        typer.echo(
            "what mattered most: "
            + ", ".join(f"{key} {share:.0%}" for key, share in heaviest)
        )
    low, high = result["accuracy_interval"]
    scored = f"{metric} {best['scores'][metric]:.4f}" + (
        f" ({low:.4f} to {high:.4f})" if metric == "accuracy" else ""
    )
    typer.echo(
        f"{path}: trial {best['trial']}, {scored} of {result['num_rows']:,} rows"
    )
    typer.echo("these rows have picked it: expect less of others")
    typer.echo(f"train it with: rnncls train --config {path}")


def trials_table(result: dict[str, Any]) -> "Table":
    """Return the best trials and the first one, and what each has that the given config
    has not.
    """
    from rich.markup import escape
    from rich.table import Table

    metric, given = result["goal"]["metric"], result["given"]
    sign = 1 if metric == "loss" else -1
    ranked = sorted(
        (row for row in result["trials"] if row["ended"] == "completed"),
        key=lambda row: sign * row["scores"][metric],
    )
    shown = ranked[:SHOWN_TRIALS]
    shown += [row for row in result["trials"][:1] if row not in shown]
    table = Table(
        "trial", title="Best trials, and the given config", title_justify="left"
    )
    for name in (metric, "MB", "s"):
        table.add_column(name, justify="right")
    table.add_column("what is changed")
    for row in shown:
        changed = ", ".join(
            f"{key.split('.')[1]} {short(value)}"
            for key, value in row["values"].items()
            if value != given[key]
        )
        scored = (
            f"{row['scores'][metric]:.4f}"
            if row["ended"] == "completed"
            else row["ended"]
        )
        size = f"{row['size_mb']:.1f}"
        table.add_row(
            str(row["trial"]),
            scored,
            size,
            f"{row['seconds']:.0f}",
            escape(changed) or "nothing",
        )
    return table


def short(value: object) -> str:
    """Return a setting as short as it can be told apart."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
