"""`rnncls distill`: train one small model on the predictions of several runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError
from rnncls.cli.options import (
    ConfigOption,
    DeviceOption,
    NoCacheOption,
    OutOption,
    ResumeOption,
    SetOption,
    WithChangesOption,
    choose_config,
    split_arguments,
)
from rnncls.cli.train import train_command


def distill_command(
    teachers: Annotated[
        list[Path],
        typer.Argument(
            help=(
                "The run folders of the teachers, and the config (.yaml), which can"
                " also be given as --config."
            ),
            metavar="RUN|CONFIG",
            show_default=False,
        ),
    ],
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    device: DeviceOption = None,
    resume: ResumeOption = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Train one classifier on the predictions of several runs, and on the labels."""
    teachers, config = split_arguments(teachers, config)
    if not teachers:
        raise ConfigError("no teachers: expected at least one run folder")
    # The link runs/latest will point to another run once this one is finished.
    paths = [
        str(teacher.resolve() if teacher.is_symlink() else teacher)
        for teacher in teachers
    ]
    named = json.dumps(paths, ensure_ascii=False)
    overrides = [*(set_ or []), f"train.teachers={named}"]
    config = choose_config(None, config)
    train_command(None, config, overrides, out, device, resume, with_changes, no_cache)
