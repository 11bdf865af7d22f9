"""Check which rows a finished run was trained on.

A teacher or a language model that was trained on the validation or test rows of a new
run would make the scores of that run too optimistic, and so does an evaluation of a run
on its own training rows.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rnncls import ConfigError, DataError, RunError
from rnncls.config.sections import DataSection
from rnncls.machine.files import read_bytes, read_json, sha256_of
from rnncls.runs.folder import RunFolder

logger = logging.getLogger(__name__)


def load_data_fingerprint(path: Path) -> tuple[dict[str, str], dict[str, int | float]]:
    """Return which files a finished run was trained on and how its rows were split.

    Returns:
        Split → SHA-256 of its file; and the settings of the split, if it was drawn.

    Raises:
        RunError: The summary is missing, is damaged, or belongs to other weights.
    """
    folder = RunFolder(path)
    has_language_model = folder.language_model.exists()
    weights = folder.language_model if has_language_model else folder.model
    summary = read_json(folder.summary)
    try:
        files = summary["data"]["files"]
        checksums = {split: str(file["sha256"]) for split, file in files.items()}
        split_settings = dict(summary["data"].get("split", {}))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder.summary}: damaged: not the summary of a run"
        ) from error
    if summary.get("weights_sha256") != sha256_of(read_bytes(weights)):
        raise RunError(
            f"{folder.summary}: damaged, or not from the run that wrote {weights.name}"
        )
    return checksums, split_settings


def check_not_trained_on(
    path: Path,
    fingerprint: Mapping[str, Any],
    test_file: Path | None = None,
    *,
    may_differ: bool,
) -> None:
    """Check that a run was not trained on rows for validation or testing here.

    Args:
        path: The folder of a finished run: a teacher or a language model.
        fingerprint: The data fingerprint of the new run.
        test_file: The test file of the new run, which is not read.
        may_differ: Whether it may have been trained on another file altogether, whose
            rows cannot be compared.

    Raises:
        RunError: The run is not finished.
        ConfigError: It has another split of the same file, or other files, or was
            pretrained on one of these.
    """
    if not RunFolder(path).summary.is_file():
        raise RunError(
            f"{path}: not finished: resume its training first",
            {"resume": "", "out": str(path)},
        )
    their_files, their_split = load_data_fingerprint(path)
    files = fingerprint["files"]
    train, valid = (files.get(name, {}).get("sha256") for name in ("train", "valid"))
    _check_unlabelled(path, their_files, [train, valid], test_file)
    their_train, their_valid = their_files.get("train"), their_files.get("valid")
    has_same_rows = (train, valid, fingerprint["split"]) == (
        their_train,
        their_valid,
        their_split,
    )
    if train != their_train and may_differ:
        logger.info(
            "%s was trained on another file: make sure that it does not contain the"
            " validation rows",
            path,
        )
    elif RunFolder(path).continuation.is_file():
        raise ConfigError(
            f"{path} continues another run, so it may have been trained on the"
            " validation or test rows of this config: use a run that continues no other"
            " one"
        )
    elif not has_same_rows:
        raise ConfigError(
            f"{path} may have been trained on the validation or test rows of this"
            " config: train it on the same files, with the same data.label,"
            " data.valid_fraction, data.test_fraction, data.split and data.split_seed"
            " (or seed)"
        )


def _check_unlabelled(
    path: Path,
    their_files: Mapping[str, str],
    labelled: list[str | None],
    test_file: Path | None,
) -> None:
    """Check that no file of `data.unlabelled` was one with labels here.

    Args:
        path: The run folder.
        their_files: Split, or `unlabelled:FILE`, → SHA-256, of that run.
        labelled: The SHA-256 of the training and validation files here.
        test_file: The test file here.
    """
    for name, sha256 in their_files.items():
        kind, _, file = name.partition(":")
        is_test = test_file is not None and Path(file).resolve() == test_file.resolve()
        if kind == "unlabelled" and (is_test or sha256 in labelled):
            role = "test" if is_test else "training or validation"
            raise ConfigError(
                f"{path} was trained on {file} (data.unlabelled), which is the {role}"
                " file of this config: pretrain without it"
            )


def check_file_is_unchanged(path: Path, origin: dict[str, Any]) -> None:
    """Raise if a file that splits are drawn from has changed since the training."""
    if not RunFolder(path).summary.exists():
        return
    checksums = load_data_fingerprint(path)[0].values()
    if origin["sha256"] not in checksums:
        raise DataError(
            f"{origin['path']}: the file has changed since {path} was trained, so its"
            " splits cannot be reproduced: restore the file, or name another one",
            {"data": "FILE"},
        )


def find_use(
    path: Path, section: DataSection, origin: Mapping[str, Any]
) -> Literal["training", "validation"] | None:
    """Return what a run used the rows of an evaluation for.

    A file is recognised by its checksum or by its path.

    Args:
        path: The run folder.
        section: The data section of the run's config.
        origin: Where the rows are from: the file, its checksum and the split.

    Returns:
        What the rows, or some rows of their file, were used for; None: for nothing, as
        far as the run folder tells.

    Raises:
        RunError: The summary of the run is damaged.
    """
    split = origin["split"]
    if split == "train":
        return "training"
    if split == "valid":
        return "validation"
    if split == "test" and section.test_fraction is not None:
        return None  # other rows of the training file
    files = load_used_files(path, section)
    for name, file in files.items():
        is_training_file = name == "train" or name.startswith("earlier:")
        if is_training_file and _is_same_file(file, origin):
            return "training"
    if "valid" in files and _is_same_file(files["valid"], origin):
        return "validation"
    return None


def load_used_files(
    path: Path, section: DataSection
) -> dict[str, Mapping[str, object]]:
    """Return path, checksum and number of rows of a run's files, as far as known.

    Args:
        path: The run folder.
        section: The data section of its config.

    Returns:
        Split, `train` or `valid`, → its file.

    Raises:
        RunError: The summary of the run is damaged.
    """
    files: dict[str, Mapping[str, object]] = {}
    for split, name in (("train", section.train), ("valid", section.valid)):
        if name is not None:
            files[split] = {"path": name}
    summary = RunFolder(path).summary
    if summary.exists():
        data = read_json(summary).get("data", {})
        files |= data.get("files", {})
    return files


def _is_same_file(file: Mapping[str, object], origin: Mapping[str, Any]) -> bool:
    if file.get("sha256") == origin["sha256"]:
        return True
    return Path(str(file["path"])).resolve() == Path(origin["path"]).resolve()
