"""The options of `rnncls train` that continue an earlier run in a new one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError
from rnncls.cli.options import complete_runs

FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help=(
            "Continue this run in a new one, on the rows of CONFIG: its words, classes"
            " and weights are kept, and new words and classes are added."
        ),
        show_default=False,
        autocompletion=complete_runs,
        metavar="RUN",
    ),
]
ReplayOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help=(
            "With --from: the share of the training rows of that run to train on"
            " again, from 0 to 1, an error if their files are missing; default: the"
            " config's train.replay."
        ),
        show_default=False,
        metavar="FRACTION",
    ),
]


def list_overrides(
    earlier: Path | None, replay: float | None, *, resume: bool
) -> list[str]:
    """Return what --from and --replay override in the config, as for --set.

    Args:
        earlier: The value of --from.
        replay: The value of --replay.
        resume: Whether --resume is given.

    Raises:
        ConfigError: --replay is given without --from, or --from with --resume.
        RunError: There is no such run.
    """
    if earlier is None:
        if replay is not None:
            raise ConfigError("--replay is only allowed with --from")
        return []
    if resume:
        raise ConfigError(
            "--from starts a new run, --resume continues one in its own folder: use"
            " only one of them; a run that was started with --from is resumed without"
            " it"
        )
    from rnncls.runs.earlier_run import name_earlier_run

    keys = name_earlier_run(earlier, replay)
    return [
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()
    ]
