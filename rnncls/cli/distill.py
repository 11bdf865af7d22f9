"""`rnncls distill`: several runs into one that is as small as its config says."""

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
        typer.Argument(help="The run folders to learn from.", show_default=False),
    ],
    config: ConfigOption,
    set_: SetOption = None,
    out: OutOption = None,
    device: DeviceOption = None,
    resume: ResumeOption = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Train one classifier on what several finished runs say of the training texts, and
    on their labels.
    """
    # runs/latest is another run by the time that this one is done.
    paths = [
        str(teacher.resolve() if teacher.is_symlink() else teacher)
        for teacher in teachers
    ]
    named = json.dumps(paths, ensure_ascii=False)
    overrides = [*(set_ or []), f"train.teachers={named}"]
    train_command(config, overrides, out, device, resume, with_changes, no_cache)
