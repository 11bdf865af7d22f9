"""The end of a training: temperature, summary, model card, and the link to the run.

Shapes: N texts, C classes.
"""

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import rnncls
from rnncls import RunError
from rnncls.config.sections import ModelSection, TrainSection
from rnncls.data.checksums import checksum
from rnncls.evaluation.metrics import wilson_interval
from rnncls.machine.files import read_json, write_atomic, write_json
from rnncls.runs.folder import RunFolder, point_latest_at
from rnncls.runs.metric_rows import read_rows
from rnncls.runs.model_card import model_card
from rnncls.runs.weights import save_temperature
from rnncls.training.calibration import Calibration, calibrate
from rnncls.training.continuation import describe_continuation
from rnncls.training.trainer import Trainer

_LIBRARIES = ("torch", "torchtext", "numpy", "pyarrow", "safetensors")


def finish_run(  # noqa: PLR0913 - all but the first four are named
    trainer: Trainer[Any],
    section: ModelSection,
    train: TrainSection,
    path: Path,
    *,
    was_finished: bool,
    has_current_results: bool = False,
    becomes_latest: bool = True,
) -> dict[str, Any]:
    """Write the summary and the model card, and make this run the latest.

    Args:
        trainer: A trainer at the end of its training.
        section: Its network.
        train: How it was trained.
        path: The run folder.
        was_finished: Whether the training had already finished when it was resumed: the
            run is not newer, and the results of other commands remain true.
        has_current_results: Whether the results of other commands describe the best
            weights so far, of a run that had finished before with the same data.
        becomes_latest: Whether `runs/latest` becomes a link to it.

    Returns:
        The summary. Processes other than the main one read it.

    Raises:
        RunError: A file is damaged, or cannot be written.
    """
    folder = RunFolder(path)
    with trainer.processes.main_first():
        if not trainer.processes.is_main:
            return read_json(folder.summary)
        earlier_weights = None
        if has_current_results:  # before the calibration rewrites the file
            earlier_weights = checksum(path / trainer.file, "sha256")
        calibration = calibrate(trainer, section, train, path)
        save_temperature(
            path,
            calibration.temperature,
            calibration.ngrams,
            calibration.thresholds,
            calibration.scope_rule,
        )
        summary = summarise_classifier(trainer, path, calibration)
        is_same = summary["weights_sha256"] == earlier_weights
        if not was_finished and not is_same:
            folder.delete_results()  # of commands that did not wait for the end
        card = model_card(section, summary, path)
        write_atomic(folder.card, card.encode())
        try:
            if becomes_latest and not was_finished:
                point_latest_at(path)
        finally:  # the summary comes last: a run that has one is finished
            write_json(folder.summary, summary)
        return summary


def summarise_classifier(
    trainer: Trainer[Any], path: Path, calibration: Calibration
) -> dict[str, Any]:
    """Return the summary of a classifier's training.

    The validation scores include the n-gram part; `ngrams` has those of each part.

    Raises:
        RunError: The metric row of the best epoch is damaged.
    """
    scores: tuple[str, ...] = ("accuracy", "macro_f1", "loss")
    if calibration.thresholds is not None:
        scores = ("accuracy", "micro_f1", "macro_f1", "loss")
    summary = summarise(trainer, path, scores)
    valid: dict[str, Any] = {**(calibration.valid or summary["valid"])}
    num_rows = len(trainer.data.valid.labels)
    num_right = round(valid["accuracy"] * num_rows)
    valid["accuracy_interval"] = wilson_interval(num_right, num_rows)
    scope_rule = calibration.scope_rule
    label_names = trainer.data.label_names
    values = {
        **summary,
        "valid": valid,
        "temperature": calibration.temperature,
        "scope_rule": None if scope_rule is None else scope_rule._asdict(),
        "ngrams": calibration.ngrams_summary,
        "label_names": label_names,
    }
    continuation, logits = trainer.data.continuation, calibration.logits
    if continuation is not None and logits is not None:
        values["from"] = describe_continuation(trainer.data, continuation, logits)
    if calibration.thresholds is not None:
        thresholds = calibration.thresholds.tolist()
        values["thresholds"] = dict(zip(label_names, thresholds, strict=True))
    return values


def summarise(
    trainer: Trainer[Any], path: Path, scores: Sequence[str]
) -> dict[str, Any]:
    """Return the summary of a training, with these scores of its best epoch.

    Raises:
        RunError: The metric row of that epoch is damaged.
    """
    num_parameters = sum(weight.numel() for weight in trainer.model.parameters())
    return {
        "best_epoch": trainer.best_epoch,
        "num_epochs": trainer.num_validations,
        "valid": _best_scores(trainer.best_epoch, path, scores),
        "num_parameters": num_parameters,
        "train_s": round(trainer.elapsed_s, 3),
        "data": trainer.data.fingerprint,
        "weights_sha256": checksum(path / trainer.file, "sha256"),
        "seed": trainer.seed,
        "precision": str(trainer.task.dtype).removeprefix("torch."),
        "device": str(trainer.device),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "num_processes": trainer.processes.world_size,
        "num_threads": trainer.workers.num_threads,
        "versions": _versions(),
        "git_revision": _git_revision(),
    }


def _best_scores(
    best_epoch: int, path: Path, scores: Sequence[str]
) -> dict[str, float]:
    file = RunFolder(path).metrics
    row = read_rows(file)[best_epoch - 1]
    keys = {name: f"valid_{name}" for name in scores}
    if not isinstance(row, dict) or not row.keys() >= set(keys.values()):
        raise RunError(
            f"{file}: damaged: row {best_epoch} lacks the validation's scores"
        )
    return {name: row[key] for name, key in keys.items()}


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES}
    python = platform.python_version()
    return {"rnncls": rnncls.__version__, "python": python, **libraries}


def _git_revision() -> str | None:
    """Return the revision of the checkout that this package runs from, or None."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
