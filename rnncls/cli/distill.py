"""`rnncls distill`: train one small model on the predictions of several runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rnncls.cli.options import (
    ConfigOption,
    DeviceOption,
    NoCacheOption,
    OutOption,
    ResumeOption,
    SetOption,
    WithChangesOption,
)
from rnncls.cli.train import train_command


def distill_command(
    teachers: Annotated[
        list[Path],
        typer.Argument(help="The run folders of the teachers.", show_default=False),
    ],
    config: ConfigOption,
    set_: SetOption = None,
    out: OutOption = None,
    device: DeviceOption = None,
    resume: ResumeOption = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Train one classifier on the predictions of several runs, and on the labels."""
    # The link runs/latest will point to another run once this one is finished.
    paths = [
        str(teacher.resolve() if teacher.is_symlink() else teacher)
        for teacher in teachers
    ]
    named = json.dumps(paths, ensure_ascii=False)
    overrides = [*(set_ or []), f"train.teachers={named}"]
    train_command(config, overrides, out, device, resume, with_changes, no_cache)
