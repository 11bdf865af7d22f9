"""`rnncls train`: from a config to a run folder."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rnncls import Interrupted
from rnncls.cli.earlier_run import FromOption, ReplayOption, list_overrides
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
    choose_resumed_config,
)
from rnncls.cli.processes import torchrun_int
from rnncls.cli.reporting.class_groups import group_lines
from rnncls.machine.imports import fast_imports, import_meanwhile
from rnncls.text.display import format_count

if TYPE_CHECKING:
    from rnncls.config.sections import DataSettings, ModelSection, TrainSection
    from rnncls.data.sources import Sources


def train_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    device: DeviceOption = None,
    resume: ResumeOption = False,
    with_changes: WithChangesOption = False,
    no_cache: NoCacheOption = False,
    from_: FromOption = None,
    replay: ReplayOption = None,
) -> None:
    """Train a classifier; Ctrl-C saves, --resume continues."""
    from rnncls.runs.overrides import load_training_config, name_overridden_keys

    config = choose_resumed_config(config_file, config, out, resume=resume)
    check_changes(resume=resume, with_changes=with_changes)
    overrides = [*(set_ or []), *([f"device={device}"] if device else [])]
    overrides += list_overrides(from_, replay, resume=resume)
    checked = load_training_config(config, overrides, out if resume else None)

    sources = None
    if not resume and can_read_first(checked.model, checked.device, checked.train):
        data_settings = checked.data_settings
        sources = read_during_imports(data_settings, out, use_cache=not no_cache)
    with fast_imports():
        from rnncls.runs.folder import release_if_empty
        from rnncls.runs.unfinished import choose_run_dir
        from rnncls.training.resume import ResumeOptions
        from rnncls.training.run import train

    settings = checked.model_dump()
    path, resume = choose_run_dir(config.stem, settings, out, resume=resume)
    options = ResumeOptions(
        resume=resume,
        may_change=with_changes,
        overridden=name_overridden_keys(overrides),
    )
    try:
        with name_resume_command("train", path):
            summary = train(
                checked, path, options, use_cache=not no_cache, sources=sources
            )
    except BaseException:
        if out is None:
            release_if_empty(path)
        raise
    valid = summary["valid"]
    low, high = valid["accuracy_interval"]
    rows = format_count(summary["data"]["num_valid_rows"], "validation row")
    accuracy = "accuracy"
    if "micro_f1" in valid:
        accuracy = f"micro-F1 {valid['micro_f1']:.2%}, all labels right"
    typer.echo(
        f"{path}: best epoch {summary['best_epoch']} of {summary['num_epochs']},"
        f" {accuracy} {valid['accuracy']:.2%} on {rows} (95% interval {low:.2%} to"
        f" {high:.2%}), macro-F1 {valid['macro_f1']:.2%},"
        f" {summary['num_parameters']:,} parameters, trained"
        f" in {summary['train_s']:.0f} s"
    )
    for line in [*describe_parts(summary), *describe_groups(summary)]:
        typer.echo(line)


def can_read_first(model: "ModelSection", device: str, train: "TrainSection") -> bool:
    """Return whether the rows of a new run can be read before torch is imported.

    They cannot if the run starts from another one, on which the rows depend, or if only
    torch can tell whether the config is right: that is checked before rows are read.
    With torchrun, the first process of a machine reads them for all.
    """
    if model.pretrained is not None or torchrun_int("WORLD_SIZE") > 0:
        return False
    return device in {"auto", "cpu"} and train.precision != "bfloat16"


def read_during_imports(
    settings: "DataSettings", out: Path | None, *, use_cache: bool
) -> "Sources":
    """Read the rows of a new run while another thread imports torch.

    This thread reads, so that Ctrl-C and errors of the data end the command as usual.

    Args:
        settings: Which rows are used, and how they are tokenised.
        out: The run folder, if the user has chosen it.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        ConfigError: The run folder is not empty.
        DataError: A file or one of its rows is wrong.
    """
    with fast_imports():
        from rnncls.data.sources import load_sources
        from rnncls.runs.folder import RunFolder

    if out is not None:
        RunFolder(out).check_is_free()
    data, text, seed = settings.data, settings.text, settings.seed
    with import_meanwhile("rnncls.training.run"):
        return load_sources(data, text, seed, use_cache=use_cache)


@contextlib.contextmanager
def name_resume_command(command: str, path: Path) -> Iterator[None]:
    """Name the command that resumes a run in the message that the run was stopped."""
    try:
        yield
    except Interrupted as error:
        options = f"--resume --out {shlex.quote(str(path))}"
        error.args = (f"{error}: continue with rnncls {command} {options}",)
        raise


def describe_parts(summary: Mapping[str, Any]) -> list[str]:
    """Return a line for the network, the n-grams and both together, if there are both.

    One more line says that the network is left out, if it is.

    Args:
        summary: The summary of a run.
    """
    lines = []
    ngrams = summary.get("ngrams") or {}
    parts = ngrams.get("valid", [])
    for part in parts:
        if "micro_f1" in part:
            lines.append(
                f"  {part['name']:<9} micro-F1 {part['micro_f1']:.2%}, macro-F1"
                f" {part['macro_f1']:.2%} on the validation rows"
            )
            continue
        low, high = part["interval"]
        line = (
            f"  {part['name']:<9} {part['accuracy']:.2%} of the validation rows (95%"
            f" interval {low:.2%} to {high:.2%})"
        )
        if part["gained"] or part["lost"]:
            line += (
                f"; together: {format_count(part['gained'], 'row')} gained and"
                f" {format_count(part['lost'], 'row')} lost, compared with this part"
                f" (McNemar's test: p = {part['p']:.2g})"
            )
        lines.append(line)
    if parts and not ngrams.get("is_network_used", True):
        lines.append(
            "  the network is left out: it does not lower the loss on the validation"
            " rows (model.ngrams: alone trains the n-grams without it)"
        )
    return lines


def describe_groups(summary: Mapping[str, Any]) -> list[str]:
    """Return lines on the classes of the run that this one continues, and on the new.

    Args:
        summary: The summary of a run.
    """
    start = summary.get("from")
    if start is None:
        return []
    before = start["earlier_valid"]
    is_scored = any(group["name"] == "earlier" for group in start["valid"])
    note = "  no validation row has an earlier class: what the run forgot is not known"
    return [
        "validation rows by class:",
        *([] if is_scored else [note]),
        *group_lines(start["valid"]),
        (
            f"  {start['run']} itself: accuracy {before['accuracy']:.2%}, macro-F1"
            f" {before['macro_f1']:.2%} on its own validation rows"
        ),
    ]
