"""Resume a training exactly: compare the saved run with this one, and restore it.

What must be the same: the config (except a few keys), the data, the precision, the
words and the classes. `--with-changes` accepts other values of the first three.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rnncls import ConfigError, RunError
from rnncls.data.loading import TrainingData
from rnncls.runs.companions import load_labels, load_run_config, load_vocab
from rnncls.runs.folder import RunFolder
from rnncls.runs.metric_rows import keep_rows
from rnncls.runs.weights import drop_calibration, load_verified
from rnncls.training.saved_state import SavedState, without_paths
from rnncls.training.trainer import Trainer

logger = logging.getLogger(__name__)

_LENGTH_KEYS = (
    *("train.max_epochs", "pretrain.max_epochs", "train.patience"),
    *("train.save_every", "train.tensorboard"),
)
"""Config keys for how long a run is trained, and what is saved meanwhile."""
_FILE_KEYS = ("data.name", "data.root", "data.train", "data.valid")
FREE_KEYS = (*_LENGTH_KEYS, "train.calibrate")
"""Config keys that may always change: also what is done at the end."""


@dataclass(frozen=True)
class ResumeOptions:
    """Whether and how a training continues the run in its folder.

    Attributes:
        resume: Whether to continue exactly where the run stopped; if not, the folder
            must be empty or missing.
        may_change: Whether to continue, not exactly, if the config, the data or the
            precision differs; some keys of the config may always differ.
        overridden: The keys that the user set apart from the config file: a later
            resume keeps their values.
    """

    resume: bool = False
    may_change: bool = False
    overridden: Sequence[str] = ()


NEW_RUN = ResumeOptions()
"""Starts a new run, of which a later resume keeps no values."""


@dataclass(frozen=True)
class Snapshot:
    """What a resume compares; attributes that are None are not compared.

    Attributes:
        config: Key, as in `train.lr` → value.
        fingerprint: The data fingerprint, flat, without the paths of the files.
        precision: The dtype of the forward pass.
        words: The vocabulary.
        label_names: The classes.
        first_rows: Class → where its first row is, for the error message.
    """

    config: Mapping[str, Any]
    fingerprint: Mapping[str, Any] | None = None
    precision: str | None = None
    words: list[str] | None = None
    label_names: list[str] | None = None
    first_rows: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A difference between a saved run and the present one.

    Attributes:
        part: What differs.
        text: How, for the error message.
        keys: The keys of the config, or of the data fingerprint, that differ.
    """

    part: Literal["config", "data", "precision", "words", "classes"]
    text: str
    keys: tuple[str, ...] = ()

    @property
    def can_be_accepted(self) -> bool:
        """Whether `--with-changes` accepts it."""
        return self.part in {"config", "data", "precision"}

    @property
    def has_other_data(self) -> bool:
        """Whether the rows differ, so that another run can be trained on them."""
        if self.part == "classes":
            return True
        return any(key in _FILE_KEYS or key.startswith("files.") for key in self.keys)


def find_differences(saved: Snapshot, present: Snapshot) -> list[Difference]:
    """Return all differences that prevent an exact resume."""
    differences = []
    all_keys = _differing_keys(saved.config, present.config)
    keys = [key for key in all_keys if key not in FREE_KEYS]
    if keys:
        text = f"the config differs in {_list_values(saved, present, keys)}"
        differences.append(Difference("config", text, tuple(keys)))
    if _differs(saved.fingerprint, present.fingerprint):
        names = _differing_keys(saved.fingerprint or {}, present.fingerprint or {})
        text = f"the data differs in {', '.join(sorted(names))}"
        differences.append(Difference("data", text, tuple(names)))
    if _differs(saved.precision, present.precision):
        text = (
            f"it was trained in {saved.precision}, but this machine uses"
            f" {present.precision}"
        )
        differences.append(Difference("precision", text))
    if _differs(saved.words, present.words):
        text = "vocab.txt has other words than this version finds in the data"
        differences.append(Difference("words", text))
    if _differs(saved.label_names, present.label_names):
        differences.append(Difference("classes", _describe_classes(saved, present)))
    return differences


def _list_values(saved: Snapshot, present: Snapshot, keys: Sequence[str]) -> str:
    """Return keys of the config with their saved and their present values."""
    values = [
        f"{key} ({saved.config.get(key)} in the run, {present.config.get(key)} now)"
        for key in keys
    ]
    return ", ".join(values)


def _describe_classes(saved: Snapshot, present: Snapshot) -> str:
    """Return how the classes of a run and of the data differ."""
    text = (
        f"labels.json has the classes {saved.label_names}, the data has"
        f" {present.label_names}"
    )
    known = set(saved.label_names or [])
    new_names = [name for name in present.label_names or [] if name not in known]
    if not new_names:
        return text
    shown = [f"'{name}'{present.first_rows.get(name, '')}" for name in new_names[:5]]
    noun = "class is" if len(new_names) == 1 else "classes are"
    return f"{text}: a run keeps its classes, and the new {noun} {', '.join(shown)}"


def _advise_continuation(path: Path) -> str:
    """Return how to train on other rows; empty for a language model."""
    if not RunFolder(path).labels.is_file():
        return ""
    return (
        "; to train it on new rows and classes, in a new run: rnncls train --config"
        f" CONFIG --from {path}"
    )


def check_compatible(
    path: Path, differences: list[Difference], *, may_change: bool
) -> None:
    """Reject a resume because of the differences that are not accepted.

    Args:
        path: The run folder, for the error message.
        differences: What `find_differences` returned.
        may_change: Whether `--with-changes` was given.

    Raises:
        ConfigError: The config differs.
        RunError: Something else differs.
    """
    refused = [
        difference
        for difference in differences
        if not (may_change and difference.can_be_accepted)
    ]
    if not refused:
        return
    message = f"{path}: cannot resume exactly: "
    message += "; ".join(difference.text for difference in refused)
    if any(difference.has_other_data for difference in refused):
        message += _advise_continuation(path)
    suggestions: dict[str, str] = {}
    if any(difference.can_be_accepted for difference in refused):
        message += "; the command line can resume anyway"
        suggestions = {"with_changes": ""}
    if any(difference.part == "config" for difference in refused):
        raise ConfigError(message, suggestions)
    raise RunError(message, suggestions)


def changes_results(saved: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """Return whether a finished run is another one with another config.

    Args:
        saved: The values of its config, by section and key.
        present: Those of the new config.
    """
    keys = _differing_keys(flatten(saved), flatten(present))
    return any(key not in _LENGTH_KEYS for key in keys)


def check_config(settings: Mapping[str, Any], path: Path, *, may_change: bool) -> None:
    """Check the config of a run to resume, before any data is read.

    The log names the keys whose values change.

    Raises:
        ConfigError: It differs from `settings` in a key that must not change.
        RunError: The config of the run is damaged.
    """
    saved = Snapshot(flatten(load_run_config(path).model_dump()))
    present = Snapshot(flatten(settings))
    differences = find_differences(saved, present)
    check_compatible(path, differences, may_change=may_change)
    keys = _differing_keys(saved.config, present.config)
    if keys:
        changes = _list_values(saved, present, keys)
        logger.info("%s: the config has changed: %s", path, changes)


def restore_trainer(
    trainer: Trainer[Any], path: Path, saved: SavedState, *, may_change: bool
) -> bool:
    """Restore a trainer from the saved state of a run.

    Args:
        trainer: A trainer of the same data and network.
        path: The run folder.
        saved: Its state.
        may_change: Whether the data or the precision may differ.

    Returns:
        Whether the data differs.

    Raises:
        RunError: A file is missing or damaged, or something differs that must be
            the same.
    """
    metadata, folder = saved.metadata, RunFolder(path)
    if metadata.precision == str(torch.float32) and not may_change:
        # With `auto`, this machine or this version may use another one.
        trainer.task.dtype = torch.float32
    differences = find_differences(
        _snapshot_of_run(trainer, path, saved), _snapshot_of_trainer(trainer)
    )
    check_compatible(path, differences, may_change=may_change)
    trainer.load_state_dict(saved.tensors, metadata.place.model_dump(), folder.state)
    if metadata.place.best_epoch:
        _check_best_weights(trainer, path)
    keep_rows(folder.metrics, trainer.num_validations, metadata.metrics_sha256)
    data_differs = any(difference.part == "data" for difference in differences)
    if data_differs or trainer.steps_per_epoch != metadata.steps_per_epoch:
        trainer.restart_epoch()
        if not trainer.is_finished:
            logger.info(
                "the data or the batches have changed: epoch %d starts again",
                trainer.num_validations + 1,
            )
    return data_differs


def _snapshot_of_run(trainer: Trainer[Any], path: Path, saved: SavedState) -> Snapshot:
    has_labels = trainer.label_names is not None
    return Snapshot(
        config={},
        fingerprint=flatten(saved.metadata.fingerprint),
        precision=saved.metadata.precision,
        words=load_vocab(path).words,
        label_names=load_labels(path) if has_labels else None,
    )


def _snapshot_of_trainer(trainer: Trainer[Any]) -> Snapshot:
    return Snapshot(
        config={},
        fingerprint=flatten(without_paths(trainer.data.fingerprint)),
        precision=str(trainer.task.dtype),
        words=trainer.data.vocab.words,
        label_names=trainer.label_names,
        first_rows=_find_first_rows(trainer.data) if trainer.label_names else {},
    )


def _find_first_rows(data: TrainingData) -> dict[str, str]:
    """Return in words where each class first occurs among the training rows."""
    path = data.fingerprint["files"]["train"]["path"]
    labels = data.train.labels
    if labels.ndim > 1:
        classes = np.flatnonzero(labels.any(axis=0))
        first = labels[:, classes].argmax(axis=0)
    else:
        classes, first = np.unique(labels, return_index=True)
    rows = (data.train.rows[first] + 1).tolist()
    return {
        data.label_names[index]: f" (first in row {row:,} of {path})"
        for index, row in zip(classes.tolist(), rows, strict=True)
    }


def _check_best_weights(trainer: Trainer[Any], path: Path) -> None:
    """Check that the best weights so far, which the state lacks, can be loaded."""
    tensors, *_ = load_verified(path, trainer.file)
    drop_calibration(tensors, path)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    weights = trainer.model.state_dict()
    if shapes != {name: tensor.shape for name, tensor in weights.items()}:
        raise RunError(
            f"{path / trainer.file}: damaged, or not the weights of this run"
        )


def _differing_keys(saved: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """Return the keys with different values, in the order of `present`."""
    keys = list(dict.fromkeys([*present, *saved]))
    return [key for key in keys if saved.get(key) != present.get(key)]


def _differs(saved: object, present: object) -> bool:
    return saved is not None and present is not None and saved != present


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values by their path, as in `train.lr`."""
    return dict(_walk(values, ""))


def _walk(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
