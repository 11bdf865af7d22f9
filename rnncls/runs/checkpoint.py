"""Run folders: what a run leaves on disk, written atomically, verified when read, never
pickled.

    config.yaml         the resolved config        ┐
    vocab.txt           one word a line            │ these four predict, anywhere
    labels.json         the classes in their order │
    model.safetensors   the best epoch's weights   ┘
    metrics.jsonl       a row a validation
    summary.json        data, versions, scores
    README.md           a model card
    last/state.safetensors   all that an exact resume needs
    last/lock           held by the process that trains here
    events/             the rows for TensorBoard, where asked for
    last/launch         which call of torchrun trains here, if one does

A folder of `rnncls pretrain` has `language_model.safetensors` instead of the model, and
no labels or card.

The model's file names the SHA-256 of the config, the words and the labels that it was
trained with: replacing that one file, in one rename, is all that a new best epoch
takes.
"""

import contextlib
import logging
import math
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.machine.files import (
    TEMPORARY,
    load_tensors,
    read_bytes,
    read_json,
    save_tensors,
    sha256_of,
    write_atomic,
    write_json,
)
from rnncls.nn.classifier import TextClassifier, least_weights
from rnncls.text.tokenizer import Settings
from rnncls.text.vocab import Vocab

logger = logging.getLogger(__name__)

RUNS_DIR = Path("runs")
LATEST = "latest"
CONFIG, VOCAB, LABELS, MODEL = (
    "config.yaml",
    "vocab.txt",
    "labels.json",
    "model.safetensors",
)
LANGUAGE_MODEL = "language_model.safetensors"
METRICS, SUMMARY, CARD, STATE = (
    "metrics.jsonl",
    "summary.json",
    "README.md",
    "last/state.safetensors",
)
LOCK, LAUNCH, EVENTS = "last/lock", "last/launch", "events"
SEALED = {MODEL: (CONFIG, VOCAB, LABELS), LANGUAGE_MODEL: (CONFIG, VOCAB)}
"""The files that the weights are sealed together with, and the state too."""
TEMPERATURE = "temperature"
"""A tensor beside the weights: one number, what the logits are divided by."""


@dataclass(frozen=True)
class Run:
    """A trained model and all that it needs to read a text.

    Attributes:
        path: The run folder.
        config: All settings.
        vocab: The words.
        label_names: The classes, in the order of the logits.
        model: The network; that of `load_run` divides its logits by the temperature,
            for every user of a run.
        temperature: What fits the logits to the validation rows
            (rnncls.evaluation.calibration); 1: nothing was fitted.
    """

    path: Path
    config: Config
    vocab: Vocab
    label_names: list[str]
    model: TextClassifier
    temperature: float = 1.0


@dataclass(frozen=True)
class Pretrained:
    """What a classifier takes over from a language model: its words, and its weights by
    their names.
    """

    vocab: Vocab
    weights: dict[str, torch.Tensor]


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep every other process from training in a run folder, which is made where it is
    missing.

    The system lets go of the lock when the process ends, however it does. What a killed
    one has half written goes.

    Raises:
        ConfigError: The folder is the place of the link to the newest run.
        RunError: Another process is at it, or the folder cannot be made or written to.
    """
    _make_folder(path)
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunError(
            f"{path}: another process is training here: wait for it, or choose another"
            " --out"
        ) from error
    except OSError as error:
        raise RunError(f"{path / LOCK}: cannot be written: {error.strerror}") from error
    try:
        for half in [*path.glob(TEMPORARY), *(path / LOCK).parent.glob(TEMPORARY)]:
            half.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def is_untouched(path: Path) -> bool:
    """Return whether a folder has nothing but what a run has before its first save, or
    is empty.
    """
    names = {
        item.relative_to(path).as_posix()
        for item in path.rglob("*")
        if not item.match(TEMPORARY)
    }
    return path.is_dir() and names <= {
        CONFIG,
        VOCAB,
        LABELS,
        Path(LOCK).parent.as_posix(),
        LOCK,
        LAUNCH,
    }


def find_begun(launch: str | None, out: Path | None) -> Path | None:
    """Return the run that a call of torchrun has already begun, at `out` or else under
    `runs/`; None: none.
    """
    folders = RUNS_DIR.glob("*/") if out is None else [out]
    begun = [
        path / LAUNCH
        for path in folders
        if not path.is_symlink() and (path / LAUNCH).is_file()
    ]
    return next(
        (note.parent.parent for note in begun if note.read_text("utf-8") == launch),
        None,
    )


def create_run(
    path: Path, config: Config, vocab: Vocab, label_names: list[str] | None
) -> None:
    """Make a run folder with the files that do not change during training; a language
    model has no labels.

    Raises:
        ConfigError: The folder is the place of the link to the newest run.
        RunError: The folder cannot be made or written to.
    """
    _make_folder(path)
    write_atomic(path / CONFIG, dump_config(config).encode())
    write_atomic(path / VOCAB, "".join(f"{word}\n" for word in vocab.words).encode())
    if label_names is not None:
        write_json(path / LABELS, {"labels": label_names})


def _make_folder(path: Path) -> None:
    if path.absolute() == (RUNS_DIR / LATEST).absolute():
        raise ConfigError(
            f"{path}: is the link to the newest run; choose another --out"
        )
    try:
        (path / STATE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{path}: the run folder cannot be made: {error.strerror}"
        ) from error


def save_model(path: Path, model: nn.Module, file: str = MODEL) -> None:
    """Write the weights into a file of a run folder, sealed together with its config,
    words and labels.
    """
    save_tensors(path / file, model.state_dict(), {"files": seal(path, file)})


def seal(path: Path, file: str) -> dict[str, str]:
    """Return the checksums of the files that this one of a run folder is sealed
    together
    with.

    Raises:
        RunError: One is missing.
    """
    return {name: sha256_of(read_bytes(path / name)) for name in SEALED[file]}


def check_seal(
    path: Path, source: str, names: Sequence[str], meta: Mapping[str, Any]
) -> None:
    """See that the files of a run folder are those that one of them was sealed with.

    Args:
        path: The run folder.
        source: The one.
        names: The others.
        meta: What was written into the one.

    Raises:
        RunError: One is missing or damaged.
    """
    for name in names:
        accepted = _accepted(meta, name)
        if not accepted:
            raise RunError(f"{path / source}: damaged: not sealed with {name}")
        if sha256_of(read_bytes(path / name)) not in accepted:
            raise RunError(
                f"{path / name}: damaged, or not from the run that wrote {source}"
            )


def save_temperature(path: Path, temperature: float) -> None:
    """Put the temperature beside the weights of a run, which stay as they were trained.

    Raises:
        RunError: They are missing or damaged, or cannot be written.
    """
    tensors, meta = load_tensors(path / MODEL)
    tensors[TEMPERATURE] = torch.tensor(temperature, dtype=torch.float64)
    save_tensors(path / MODEL, tensors, meta)


def change_config(path: Path, config: Config, file: str) -> None:
    """Give a run another config, and take away what said that it was finished.

    What is sealed with the old one is sealed with both first, so that a crash at any
    point loses nothing.

    Args:
        path: The run folder.
        config: The new one.
        file: Where its best weights are, if there are any yet.

    Raises:
        RunError: A file is missing or damaged, or cannot be written.
    """
    data = dump_config(config).encode()
    for name in (SUMMARY, CARD):
        (path / name).unlink(missing_ok=True)
    for each in (file, STATE):
        if (path / each).exists():
            tensors, meta = load_tensors(path / each)
            both = list(dict.fromkeys([*_accepted(meta, CONFIG), sha256_of(data)]))
            save_tensors(
                path / each, tensors, {**meta, "files": {**meta["files"], CONFIG: both}}
            )
    write_atomic(path / CONFIG, data)


def _accepted(meta: Mapping[str, Any], name: str) -> list[str]:
    """Return the checksums of which a file must have one."""
    files = meta.get("files")
    found = files.get(name, []) if isinstance(files, dict) else []
    return found if isinstance(found, list) else [found]


def load_run(path: Path) -> Run:
    """Read and verify a run folder; the model is on the CPU, in evaluation mode, and
    calibrated.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    run = load_uncalibrated(path)
    run.model.temperature = run.temperature
    return run


def load_uncalibrated(path: Path) -> Run:
    """Read and verify a run folder as `load_run` does, but with the weights just as
    they
    were trained.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    tensors, config, vocab = load_sealed(path, MODEL)
    label_names = load_labels(path)
    temperature = load_temperature(tensors, path)
    least, found = (
        least_weights(config.model, len(vocab), len(label_names)),
        sum(map(torch.numel, tensors.values())),
    )
    if (
        found < least
    ):  # before memory is taken for a network as large as the config says
        raise RunError(
            f"{path / MODEL}: the weights do not fit the config: {least:,} or more"
            f" expected, {found:,} found"
        )
    model = TextClassifier(config.model, len(vocab), len(label_names))
    load_weights(model, tensors, path / MODEL)
    return Run(path, config, vocab, label_names, model.eval(), temperature)


def load_sealed(path: Path, file: str) -> tuple[dict[str, torch.Tensor], Config, Vocab]:
    """Read and verify the weights of a run folder with the files that they are sealed
    with.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    tensors, meta = load_tensors(path / file)
    check_seal(path, file, SEALED[file], meta)
    try:
        config = load_config(path / CONFIG)
    except ConfigError as error:
        raise RunError(
            f"{path}: cannot be used with this version of rnncls: {error}"
        ) from error
    return tensors, config, load_vocab(path)


def load_vocab(path: Path) -> Vocab:
    """Return the words of a run folder.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        return Vocab(read_bytes(path / VOCAB).decode().removesuffix("\n").split("\n"))
    except ValueError as error:
        raise RunError(
            f"{path}: cannot be used with this version of rnncls: {error}"
        ) from error


def load_temperature(tensors: dict[str, torch.Tensor], path: Path) -> float:
    """Take the temperature out of what stands beside the weights; 1 where there is
    none.

    Raises:
        RunError: It is no positive number.
    """
    temperature = tensors.pop(TEMPERATURE, torch.ones(()))
    if temperature.numel() != 1 or not 0.0 < temperature.item() < math.inf:
        raise RunError(
            f"{path / MODEL}: damaged: the temperature is no positive number"
        )
    return temperature.item()


def load_labels(path: Path) -> list[str]:
    """Return the classes of a run folder, in the order of the logits.

    Raises:
        RunError: The file is missing or damaged.
    """
    labels = read_json(path / LABELS).get("labels")
    if (
        not isinstance(labels, list)
        or not all(isinstance(label, str) for label in labels)
        or not labels
    ):
        raise RunError(f"{path / LABELS}: damaged: expected a list of names of classes")
    if len(set(labels)) < len(labels):
        raise RunError(f"{path / LABELS}: damaged: a class stands twice")
    return labels


def load_data_seal(path: Path) -> tuple[dict[str, str], dict[str, int | float]]:
    """Return which files a finished run was trained on, by split, as checksums, and how
    its rows were split.

    Raises:
        RunError: The summary is missing or damaged, or that of other weights.
    """
    file = LANGUAGE_MODEL if (path / LANGUAGE_MODEL).exists() else MODEL
    summary = read_json(path / SUMMARY)
    try:
        files = {
            split: str(each["sha256"])
            for split, each in summary["data"]["files"].items()
        }
        drawn = dict(summary["data"].get("split", {}))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"{path / SUMMARY}: damaged: not the summary of a run"
        ) from error
    if summary.get("weights_sha256") != sha256_of(read_bytes(path / file)):
        raise RunError(
            f"{path / SUMMARY}: damaged, or not from the run that wrote {file}"
        )
    return files, drawn


def check_rows(
    path: Path,
    fingerprint: Mapping[str, Any],
    test_file: Path | None = None,
    *,
    may_differ: bool,
) -> None:
    """See that the run at `path` has not learnt from rows that are for validation or
    testing here.

    Args:
        path: A finished run, of a teacher or a language model.
        fingerprint: That of the data at hand.
        test_file: That of the data at hand, which stays closed.
        may_differ: Whether it may have learnt from another file altogether, which
            cannot be looked into.

    Raises:
        RunError: It is not finished.
        ConfigError: It has another split of the same file, or other files, or has read
            one of these without its labels.
    """
    if not (path / SUMMARY).is_file():
        raise RunError(f"{path}: not finished: go on with --resume --out {path} first")
    files, split = load_data_seal(path)
    own = [
        fingerprint["files"].get(name, {}).get("sha256") for name in ("train", "valid")
    ]
    other = [files.get(name) for name in ("train", "valid")]
    for name, sha256 in files.items():
        kind, _, file = name.partition(":")
        is_test = test_file is not None and Path(file).resolve() == test_file.resolve()
        if kind == "unlabelled" and (is_test or sha256 in own):
            role = "test" if is_test else "training or validation"
            raise ConfigError(
                f"{path} has read {file} as data.unlabelled, which is the {role} file"
                " here: pretrain without it"
            )
    if own[0] != other[0] and may_differ:  # the training files
        logger.info(
            "%s has learnt from another file than this one's: see that no validation"
            " row is in it",
            path,
        )
    elif own != other or fingerprint["split"] != split:
        raise ConfigError(
            f"{path} may have seen the rows that are for validation or testing here:"
            " train it on the same files, with the same data.label,"
            " data.valid_fraction, data.test_fraction and data.split_seed (or seed)"
        )


def load_pretrained(config: Config) -> Pretrained:
    """Return what `model.pretrained` names.

    Raises:
        RunError: A file of the folder is missing or damaged.
        ConfigError: It was made with other settings of the text or of the network.
    """
    path = Path(config.model.pretrained or "")
    if not (path / LANGUAGE_MODEL).is_file():
        raise RunError(
            f"{path}: has no {LANGUAGE_MODEL}: make one with 'rnncls pretrain --config"
            f" … --out {path}'"
        )
    tensors, other, vocab = load_sealed(path, LANGUAGE_MODEL)
    keys = {
        "text": tuple(
            name for name in Settings._fields if name != "max_tokens"
        ),  # how much is read, not how
        "model": (
            "cell",
            "embedding_dim",
            "hidden_size",
            "num_layers",
            "bidirectional",
        ),
    }
    for section, names in keys.items():
        for name in names:
            own, found = (
                getattr(getattr(each, section), name) for each in (config, other)
            )
            if own != found:
                raise ConfigError(
                    f"{section}.{name}: {path} was pretrained with {found}, the config"
                    f" has {own}"
                )
    weights = {
        name: tensor
        for name, tensor in tensors.items()
        if name.startswith(("embedding.", "encoder."))
    }
    return Pretrained(vocab, weights)


def load_weights(
    model: nn.Module, tensors: Mapping[str, torch.Tensor], source: Path
) -> None:
    """Copy weights into a model.

    Raises:
        RunError: They have other names or shapes.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(
            f"{source}: the weights do not fit the config:"
            f" {str(error).splitlines()[-1].strip()}"
        ) from error


def find_run(path: Path | None) -> Path:
    """Return the folder of a finished run, the newest one by default.

    Raises:
        RunError: There is none, or it is not finished.
    """
    chosen = RUNS_DIR / LATEST if path is None else path
    if path is None and not chosen.exists():
        raise RunError(
            f"no finished run at {chosen}: train one with 'rnncls train --config …', or"
            " name its folder"
        )
    if not chosen.is_dir():
        raise RunError(
            f"{chosen}: no such run folder: name one, or none for the newest"
        )
    if (chosen / LANGUAGE_MODEL).is_file():
        raise RunError(
            f"{chosen}: a language model: give it to 'rnncls train --set"
            f" model.pretrained={chosen}' first"
        )
    if not (chosen / MODEL).is_file():
        raise RunError(
            f"{chosen}: has no {MODEL}: not a run folder, or stopped before its first"
            " validation"
        )
    return chosen.resolve() if path is None else chosen


def point_latest_at(path: Path) -> None:
    """Make `runs/latest` point at a run folder, wherever that is.

    Raises:
        RunError: No link can be made there.
    """
    link, temporary = RUNS_DIR / LATEST, RUNS_DIR / f".{LATEST}-{os.getpid()}"
    try:
        RUNS_DIR.mkdir(exist_ok=True)
        target = path.resolve()
        inside = target.parent == RUNS_DIR.resolve()
        try:
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(
                target.name if inside else target, target_is_directory=True
            )
            temporary.replace(link)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{link}: cannot be made to point at {path}, which is whole:"
            f" {error.strerror}"
        ) from error


def model_card(config: Config, summary: Mapping[str, Any], path: Path) -> str:
    """Return a page of Markdown on what the model is, what it was trained on, and how
    well it does.
    """
    model, data, valid = config.model, summary["data"], summary["valid"]
    files = "\n".join(
        f"- {split}: `{file['path']}`, {file['num_rows']:,} rows"
        for split, file in data["files"].items()
    )
    directions = "two directions" if model.bidirectional else "one direction"
    recurrent = (
        f"hidden size {model.hidden_size}, {model.num_layers} layer(s), {directions}"
    )
    low, high = valid["accuracy_interval"]
    temperature = summary["temperature"]
    divided = (
        f"of the logits divided by {temperature:.3f}, which fits the labels of these"
        " rows best"
    )
    calibration = (
        f"Probabilities are {'not calibrated' if temperature == 1 else divided}."
    )
    text = f"""# {path.name}

A text classifier made by rnncls {summary["versions"]["rnncls"]}: cell `{model.cell}`,
embedding {model.embedding_dim}, {"no recurrent layer" if model.cell == "none" else recurrent},
{summary["num_parameters"]:,} parameters.

Classes: {", ".join(summary["label_names"])}.

## Data

{files}

{data["num_train_rows"]:,} rows were trained on, {data["num_valid_rows"]:,} picked the best epoch.

## Scores

Validation, epoch {summary["best_epoch"]} of {summary["num_epochs"]}: accuracy {valid["accuracy"]:.2%}
(95 % interval {low:.2%} to {high:.2%}), macro-F1 {valid["macro_f1"]:.2%}, loss {valid["loss"]:.4f} nats before
calibration. These rows picked the epoch, so a test file says more: `rnncls eval`.

{calibration}

## Use

    rnncls predict "a text" --run {shlex.quote(str(path))}

Only texts like those above can be judged; every text gets one of the classes, whether it belongs to one or not.
"""
    # A folder's name may hold bytes that are no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
