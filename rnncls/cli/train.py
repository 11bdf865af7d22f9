"""`rnncls train`: from a config to a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from rnncls.cli.options import (
    ConfigArgument,
    ConfigOption,
    DeviceOption,
    NoCacheOption,
    OutOption,
    ResumeOption,
    SetOption,
    WithChangesOption,
    check_changes,
    choose_config,
)
from rnncls.machine.imports import fast_imports


def train_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    device: DeviceOption = None,
    resume: ResumeOption = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Train a classifier; Ctrl-C saves, --resume continues."""
    from rnncls.config.loading import load_config

    config = choose_config(config_file, config)
    check_changes(resume=resume, with_changes=with_changes)
    overrides = [*(set_ or []), *([f"device={device}"] if device else [])]
    checked = load_config(config, overrides)

    with fast_imports():
        from rnncls.machine.processes import init_process_group
        from rnncls.runs.folder import release_if_empty
        from rnncls.training.run import train

    name, resume = init_process_group().broadcast_from_main(
        lambda: resolve_run_dir(config, checked.model_dump(), out, resume=resume)
    )
    path = Path(name)
    try:
        summary = train(
            checked,
            path,
            resume=resume,
            may_change=with_changes,
            use_cache=not no_cache,
        )
    except BaseException:
        if out is None:
            release_if_empty(path)
        raise
    valid = summary["valid"]
    low, high = valid["accuracy_interval"]
    typer.echo(
        f"{path}: best epoch {summary['best_epoch']} of {summary['num_epochs']},"
        f" accuracy {valid['accuracy']:.2%} on {summary['data']['num_valid_rows']:,}"
        f" validation rows (95% interval {low:.2%} to {high:.2%}), macro-F1"
        f" {valid['macro_f1']:.2%}, {summary['num_parameters']:,} parameters, trained"
        f" in {summary['train_s']:.0f} s"
    )


def resolve_run_dir(
    file: Path, settings: Mapping[str, Any], out: Path | None, *, resume: bool
) -> tuple[str, bool]:
    """Return the run folder, and whether to resume the run in it.

    The folder of a new run is created, so that no other training gets the same one.
    After a restart by torchrun, it is the run that the same call of torchrun started.

    Args:
        file: The config file, which gives a new run its name.
        settings: The values of the config, by section and key.
        out: The value of --out, if given.
        resume: Whether --resume was given.

    Raises:
        RunError: There is no run to resume.
    """
    from rnncls.machine.processes import torchrun_id
    from rnncls.runs.folder import RUNS_DIR, claim_new_folder, find_launched
    from rnncls.runs.unfinished import find_unfinished

    launched = find_launched(torchrun_id(), out)
    if launched is not None:
        return str(launched), True
    if out is not None:
        return str(out), resume
    if resume:
        return str(find_unfinished(settings)), True
    return str(claim_new_folder(file.stem, RUNS_DIR)), False
