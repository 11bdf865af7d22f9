"""`rnncls pretrain`: train a language model, from which a classifier can start."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rnncls.cli.options import (
    ConfigArgument,
    ConfigOption,
    DeviceOption,
    NoCacheOption,
    SetOption,
    WithChangesOption,
    check_changes,
    choose_resumed_config,
)
from rnncls.cli.train import name_resume_command
from rnncls.machine.imports import fast_imports
from rnncls.text.display import format_count


def pretrain_command(
    out: Annotated[
        Path,
        typer.Option(
            help="The folder to write, for model.pretrained.", show_default=False
        ),
    ],
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    device: DeviceOption = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run at --out exactly where it stopped; CONFIG: its own.",
        ),
    ] = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Train a language model on the training texts and on data.unlabelled."""
    from rnncls.runs.overrides import load_training_config, name_overridden_keys

    config = choose_resumed_config(config_file, config, out, resume=resume)
    check_changes(resume=resume, with_changes=with_changes)
    overrides = [*(set_ or []), *([f"device={device}"] if device else [])]
    checked = load_training_config(config, overrides, out if resume else None)

    with fast_imports():
        from rnncls.training.pretraining import pretrain
        from rnncls.training.resume import ResumeOptions

    options = ResumeOptions(
        resume=resume,
        may_change=with_changes,
        overridden=name_overridden_keys(overrides),
    )
    with name_resume_command("pretrain", out):
        summary = pretrain(checked, out, options, use_cache=not no_cache)
    rows = format_count(summary["data"]["num_valid_rows"], "validation row")
    again = shlex.join(
        [
            str(config),
            *(
                part
                for each in [*(set_ or []), f"model.pretrained={out}"]
                for part in ("--set", each)
            ),
        ]
    )
    typer.echo(
        f"{out}: best epoch {summary['best_epoch']} of {summary['num_epochs']},"
        f" perplexity {summary['valid']['perplexity']:.4g} per word on {rows},"
        f" {summary['num_parameters']:,} parameters, trained in"
        f" {summary['train_s']:.0f} s; now: rnncls train --config {again}"
    )
