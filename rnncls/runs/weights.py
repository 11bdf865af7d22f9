"""The weights of a run as torch tensors, read and verified."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rnncls import RunError
from rnncls.config.sections import Config
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.scope import ScopeRule
from rnncls.runs.companions import load_run_config, read_vocab
from rnncls.runs.folder import MODEL, RunFolder
from rnncls.runs.manifest import COMPANIONS, Manifest
from rnncls.runs.thresholds import (
    SCOPE_RULE,
    THRESHOLDS,
    check_scope_rule,
    check_thresholds,
)
from rnncls.runs.vector_words import (
    EMBEDDING,
    VECTOR_WORDS,
    join_embedding,
    split_embedding,
)
from rnncls.text.ngram_table import PREFIX
from rnncls.text.vocab import Vocab

TEMPERATURE = "temperature"
"""The name of a scalar tensor beside the weights: the logits are divided by it."""


def save_model(
    path: Path, model: nn.Module, file: str = MODEL, *, num_vector_words: int = 0
) -> None:
    """Save weights in a run folder, with a manifest of its config, words and labels.

    Args:
        path: The run folder.
        model: The network.
        file: The name of the file.
        num_vector_words: How many of its words are from a file of vectors.

    Raises:
        RunError: One of these files is missing, or the weights cannot be written.
    """
    manifest = Manifest.of(path, COMPANIONS[file])
    tensors: dict[str, torch.Tensor] = dict(model.state_dict())
    if num_vector_words:
        matrix = tensors[EMBEDDING].detach().cpu().numpy()
        for name, array in split_embedding(matrix, num_vector_words).items():
            tensors[name] = torch.from_numpy(array)
    save_tensors(path / file, tensors, {"files": manifest.to_metadata()})


def save_temperature(
    path: Path,
    temperature: float,
    ngrams: Mapping[str, npt.NDArray[Any]] | None = None,
    thresholds: npt.NDArray[np.float64] | None = None,
    scope_rule: ScopeRule | None = None,
) -> None:
    """Save the temperature beside the weights of a run, which do not change.

    Args:
        path: The run folder.
        temperature: The number that calibrates the network's logits.
        ngrams: The packed n-gram part; None: the run has none.
        thresholds: [C], from which probability on a text has a label; None: the run has
            one label a text.
        scope_rule: By which a text fits one of the classes, or none; None: the
            run has several labels a text.

    Raises:
        RunError: The weights are missing or damaged, or cannot be written.
    """
    weights = RunFolder(path).model
    tensors, metadata = load_tensors(weights)
    pop_ngrams(tensors)
    tensors[TEMPERATURE] = torch.tensor(temperature, dtype=torch.float64)
    for name, array in (ngrams or {}).items():
        tensors[name] = torch.from_numpy(array)
    if thresholds is not None:
        tensors[THRESHOLDS] = torch.from_numpy(thresholds)
    tensors.pop(SCOPE_RULE, None)
    if scope_rule is not None:
        tensors[SCOPE_RULE] = torch.tensor(scope_rule, dtype=torch.float64)
    save_tensors(weights, tensors, metadata)


def load_verified(
    path: Path, file: str
) -> tuple[dict[str, torch.Tensor], Config, Vocab]:
    """Load weights, config and words of a run folder, verified by the manifest.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    tensors, metadata = load_tensors(path / file)
    Manifest.from_metadata(metadata).verify(path, file, COMPANIONS[file])
    _join_embedding(tensors, path / file)
    config = load_run_config(path)
    return tensors, config, read_vocab(path, config.text)


def _join_embedding(tensors: dict[str, torch.Tensor], source: Path) -> None:
    """Give the embedding the rows of words that are stored apart, in place."""
    if VECTOR_WORDS not in tensors:
        return
    names = [name for name in (EMBEDDING, VECTOR_WORDS) if name in tensors]
    arrays = {name: tensors.pop(name).numpy() for name in names}
    join_embedding(arrays, source)
    tensors[EMBEDDING] = torch.from_numpy(arrays[EMBEDDING])


def pop_temperature(tensors: dict[str, torch.Tensor], path: Path) -> float:
    """Remove the temperature from loaded tensors; return it, or 1 if there is none.

    Raises:
        RunError: The temperature is not a positive number.
    """
    temperature = tensors.pop(TEMPERATURE, torch.ones(()))
    if temperature.numel() != 1 or not 0.0 < temperature.item() < math.inf:
        raise RunError(
            f"{RunFolder(path).model}: damaged: the temperature is not a positive"
            " number"
        )
    return temperature.item()


def pop_thresholds(
    tensors: dict[str, torch.Tensor], num_labels: int, path: Path
) -> list[float]:
    """Remove the thresholds from loaded tensors; return them, or 0.5 for each label.

    Raises:
        RunError: There is not one probability for each label.
    """
    stored = tensors.pop(THRESHOLDS, None)
    thresholds = None if stored is None else stored.numpy()
    return check_thresholds(thresholds, num_labels, RunFolder(path).model)


def pop_scope_rule(tensors: dict[str, torch.Tensor], path: Path) -> ScopeRule | None:
    """Remove the rule by which texts fit a class from tensors; return it, or None.

    Raises:
        RunError: It is not two numbers.
    """
    stored = tensors.pop(SCOPE_RULE, None)
    rule = None if stored is None else stored.numpy()
    return check_scope_rule(rule, RunFolder(path).model)


def drop_calibration(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Remove from loaded tensors what `save_temperature` added to the weights.

    Raises:
        RunError: The temperature is not a positive number.
    """
    pop_temperature(tensors, path)
    pop_ngrams(tensors)
    tensors.pop(THRESHOLDS, None)
    tensors.pop(SCOPE_RULE, None)


def pop_ngrams(tensors: dict[str, torch.Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Remove the n-gram part from loaded tensors; return its arrays, if there are any.

    See `rnncls.runs.ngram_arrays`.
    """
    names = [name for name in tensors if name.startswith(PREFIX)]
    return {name: tensors.pop(name).numpy() for name in names}


def load_weights(
    model: nn.Module, tensors: Mapping[str, torch.Tensor], source: Path
) -> None:
    """Copy weights into a model.

    Raises:
        RunError: The names or shapes of the weights are not those of the model.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunError(
            f"{source}: the weights do not fit the config: {reason}"
        ) from error
