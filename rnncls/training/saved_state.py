"""The state file of a run: all that an exact resume needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from rnncls import RunError
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.runs.folder import STATE, RunFolder
from rnncls.runs.manifest import COMPANIONS, Manifest
from rnncls.runs.metric_rows import checksum_of_rows
from rnncls.training.state import TrainerState
from rnncls.training.trainer import Trainer


class StateMetadata(BaseModel):
    """What the state file contains besides the tensors.

    Attributes:
        place: The state of the trainer that is not in tensors.
        steps_per_epoch: Optimiser steps per epoch.
        fingerprint: The data fingerprint, without the paths of the files.
        precision: The dtype of the forward pass.
        metrics_sha256: The checksum of the metric rows up to here.
    """

    model_config = ConfigDict(strict=True)

    place: TrainerState
    steps_per_epoch: PositiveInt
    fingerprint: dict[str, Any]
    precision: str
    metrics_sha256: str


@dataclass(frozen=True)
class SavedState:
    """A state file in memory.

    Attributes:
        tensors: Weights, optimiser state and sums over the epoch, on the CPU.
        metadata: The rest.
    """

    tensors: dict[str, torch.Tensor]
    metadata: StateMetadata


def save_state(trainer: Trainer[Any], path: Path) -> None:
    """Save all that an exact resume needs.

    Raises:
        DivergedError: A number in it is not finite; the state that was saved before is
        kept.
        RunError: The file cannot be written.
    """
    trainer.check_weights()
    folder = RunFolder(path)
    tensors, values = trainer.state_dict()
    rows_sha256 = checksum_of_rows(folder.metrics, trainer.num_validations)
    metadata = {
        "files": Manifest.of(path, COMPANIONS[trainer.file]).to_metadata(),
        "place": values,
        "steps_per_epoch": trainer.steps_per_epoch,
        "fingerprint": without_paths(trainer.data.fingerprint),
        "precision": str(trainer.task.dtype),
        "metrics_sha256": rows_sha256,
    }
    save_tensors(folder.state, tensors, metadata)


def load_saved_state(path: Path, weights: str) -> SavedState:
    """Load the state of a run, verified with the files that belong to it.

    Args:
        path: The run folder.
        weights: The name of the file with its best weights.

    Raises:
        RunError: A file is missing or damaged.
    """
    source = RunFolder(path).state
    tensors, metadata = load_tensors(source)
    Manifest.from_metadata(metadata).verify(path, STATE, COMPANIONS[weights])
    try:
        return SavedState(tensors, StateMetadata.model_validate(metadata))
    except ValidationError as error:
        raise RunError(
            f"{source}: damaged: not the state of a training: {error}"
        ) from error


def without_paths(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Return a data fingerprint that is the same wherever the files are."""
    files = {
        split: {**file, "path": None} for split, file in fingerprint["files"].items()
    }
    return {**fingerprint, "files": files}
