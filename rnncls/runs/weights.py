"""The files of a run, read and verified one by one: weights, words, labels."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config, TextSection
from rnncls.machine.files import read_bytes, read_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.runs.folder import MODEL, RunFolder
from rnncls.runs.manifest import COMPANIONS, Manifest
from rnncls.text.tokenizer_json import parse_subwords
from rnncls.text.vocab import Vocab

TEMPERATURE = "temperature"
"""The name of a scalar tensor beside the weights: the logits are divided by it."""


def save_model(path: Path, model: nn.Module, file: str = MODEL) -> None:
    """Save weights in a run folder, with a manifest of its config, words and labels.

    Raises:
        RunError: One of these files is missing, or the weights cannot be written.
    """
    manifest = Manifest.of(path, COMPANIONS[file])
    save_tensors(path / file, model.state_dict(), {"files": manifest.to_metadata()})


def save_temperature(path: Path, temperature: float) -> None:
    """Save the temperature beside the weights of a run, which do not change.

    Raises:
        RunError: The weights are missing or damaged, or cannot be written.
    """
    weights = RunFolder(path).model
    tensors, metadata = load_tensors(weights)
    tensors[TEMPERATURE] = torch.tensor(temperature, dtype=torch.float64)
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
    config = load_run_config(path)
    return tensors, config, _read_vocab(path, config.text)


def load_run_config(path: Path) -> Config:
    """Load the config of a run folder.

    Raises:
        RunError: The file is missing, or this version of rnncls rejects it.
    """
    try:
        return load_config(RunFolder(path).config)
    except ConfigError as error:
        raise RunError(
            f"{path}: cannot be used with this version of rnncls: {error}"
        ) from error


def load_vocab(path: Path) -> Vocab:
    """Load the words of a run folder.

    Raises:
        RunError: The file is missing or damaged.
    """
    return _read_vocab(path, load_run_config(path).text)


def _read_vocab(path: Path, section: TextSection) -> Vocab:
    """Return the words of a run folder, or the pieces of `text.tokenizer: subwords`.

    Raises:
        RunError: A file is missing or damaged.
    """
    folder = RunFolder(path)
    data = read_bytes(folder.vocab)
    try:
        words = data.decode().removesuffix("\n").split("\n")
        if section.tokenizer == "subwords":
            return parse_subwords(read_bytes(folder.tokenizer).decode(), words)
        return Vocab(words)
    except ValueError as error:
        raise RunError(
            f"{path}: cannot be used with this version of rnncls: {error}"
        ) from error


def load_labels(path: Path) -> list[str]:
    """Load the classes of a run folder, in the order of the logits.

    Raises:
        RunError: The file is missing or damaged.
    """
    file = RunFolder(path).labels
    labels = read_json(file).get("labels")
    if (
        not isinstance(labels, list)
        or not labels
        or not all(isinstance(label, str) for label in labels)
    ):
        raise RunError(f"{file}: damaged: expected a list of class names")
    if len(set(labels)) < len(labels):
        raise RunError(f"{file}: damaged: a class appears twice")
    return labels


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
