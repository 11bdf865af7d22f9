"""`rnncls train`: from a config to a run folder."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rnncls.cli.options import (
    ConfigOption,
    DeviceOption,
    NoCacheOption,
    OutOption,
    ResumeOption,
    SetOption,
    WithChangesOption,
    check_changes,
)
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.config.sections import Config


def train_command(
    config: ConfigOption,
    set_: SetOption = None,
    out: OutOption = None,
    device: DeviceOption = None,
    resume: ResumeOption = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Train a classifier; Ctrl-C saves and leaves, --resume goes on."""
    from rnncls.config.loading import load_config

    check_changes(resume=resume, with_changes=with_changes)
    overrides = [*(set_ or []), *([f"device={device}"] if device else [])]
    checked = load_config(config, overrides)

    with fast_imports():
        from rnncls.machine.processes import init_process_group
        from rnncls.training.run import train

    name, resume = init_process_group().broadcast_from_main(
        lambda: find_place(config, checked, out, resume=resume)
    )
    path = Path(name)
    summary = train(
        checked, path, resume=resume, may_change=with_changes, use_cache=not no_cache
    )
    valid = summary["valid"]
    low, high = valid["accuracy_interval"]
    typer.echo(
        f"{path}: best epoch {summary['best_epoch']} of {summary['num_epochs']},"
        f" validation accuracy {valid['accuracy']:.2%} ({low:.2%} to {high:.2%}) of"
        f" {summary['data']['num_valid_rows']:,} rows, macro-F1"
        f" {valid['macro_f1']:.2%}, {summary['num_parameters']:,} parameters, trained"
        f" in {summary['train_s']:.0f} s"
    )


def find_place(
    file: Path, config: "Config", out: Path | None, *, resume: bool
) -> tuple[str, bool]:
    """Return the folder to train in, and whether to go on there: also where torchrun
    has
    started this training anew.

    Raises:
        RunError: There is nothing to go on with.
    """
    from rnncls.machine.processes import torchrun_id
    from rnncls.runs.folder import find_launched
    from rnncls.runs.unfinished import find_unfinished

    begun = find_launched(torchrun_id(), out)
    if begun is not None:
        return str(begun), True
    return (
        str(out or (find_unfinished(config) if resume else new_run_path(file))),
        resume,
    )


def new_run_path(config: Path, folder: Path = Path("runs")) -> Path:
    """Return a readable name for a new run that nothing in the folder has yet."""
    name = f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    candidates = (
        folder / (name if number == 1 else f"{name}-{number}")
        for number in range(1, 1000)
    )
    return next(path for path in candidates if not path.exists())
