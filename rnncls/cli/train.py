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
    """Train a classifier; Ctrl-C saves, --resume continues."""
    from rnncls.config.loading import load_config

    check_changes(resume=resume, with_changes=with_changes)
    overrides = [*(set_ or []), *([f"device={device}"] if device else [])]
    checked = load_config(config, overrides)

    with fast_imports():
        from rnncls.machine.processes import init_process_group
        from rnncls.training.run import train

    name, resume = init_process_group().broadcast_from_main(
        lambda: resolve_run_dir(config, checked, out, resume=resume)
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


def resolve_run_dir(
    file: Path, config: "Config", out: Path | None, *, resume: bool
) -> tuple[str, bool]:
    """Return the run folder, and whether to resume the run in it.

    After a restart by torchrun, it is the run that the same call of torchrun started.

    Args:
        file: The config file, which gives a new run its name.
        config: The settings.
        out: The value of --out, if given.
        resume: Whether --resume was given.

    Raises:
        RunError: There is no run to resume.
    """
    from rnncls.machine.processes import torchrun_id
    from rnncls.runs.folder import find_launched
    from rnncls.runs.unfinished import find_unfinished

    launched = find_launched(torchrun_id(), out)
    if launched is not None:
        return str(launched), True
    if out is not None:
        return str(out), resume
    path = find_unfinished(config) if resume else new_run_path(file)
    return str(path), resume


def new_run_path(config: Path, folder: Path = Path("runs")) -> Path:
    """Return a path in a folder that does not exist yet: CONFIG-DATE-TIME."""
    name = f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    candidates = (
        folder / (name if number == 1 else f"{name}-{number}")
        for number in range(1, 1000)
    )
    return next(path for path in candidates if not path.exists())
