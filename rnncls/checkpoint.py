"""Run folders: what a run leaves on disk, written atomically, verified when read, never pickled.

    config.yaml         the resolved config        ┐
    vocab.txt           one word a line            │ these four predict, anywhere
    labels.json         the classes in their order │
    model.safetensors   the best epoch's weights   ┘
    metrics.jsonl       a row a validation
    summary.json        data, versions, scores
    README.md           a model card
    last/state.safetensors   all that an exact resume needs

A safetensors file carries a schema version and a SHA-256 of its tensors and of its other metadata. The model's also
names the SHA-256 of the config, the words and the labels that it was trained with: replacing that one file, in one
rename, is all that a new best epoch takes.
"""

import hashlib
import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rnncls.config import Config, dump_config, load_config
from rnncls.errors import ConfigError, RunError
from rnncls.model import TextClassifier
from rnncls.vocab import Vocab

SCHEMA_VERSION = 1
RUNS_DIR = Path("runs")
LATEST = "latest"
CONFIG, VOCAB, LABELS, MODEL = "config.yaml", "vocab.txt", "labels.json", "model.safetensors"
METRICS, SUMMARY, CARD, STATE = "metrics.jsonl", "summary.json", "README.md", "last/state.safetensors"


@dataclass(frozen=True)
class Run:
    """A trained model and all that it needs to read a text."""

    path: Path
    config: Config
    vocab: Vocab
    label_names: list[str]
    model: TextClassifier


def create_run(path: Path, config: Config, vocab: Vocab, label_names: list[str]) -> None:
    """Make a run folder with the files that do not change during training.

    Raises:
        ConfigError: The folder is the place of the link to the newest run.
        RunError: The folder cannot be made.
    """
    if path.absolute() == (RUNS_DIR / LATEST).absolute():
        raise ConfigError(f"{path}: is the link to the newest run; choose another --out")
    try:
        (path / STATE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: the run folder cannot be made: {error.strerror}") from error
    write_atomic(path / CONFIG, dump_config(config).encode())
    write_atomic(path / VOCAB, "".join(f"{word}\n" for word in vocab.words).encode())
    write_json(path / LABELS, {"labels": label_names})


def save_model(path: Path, model: TextClassifier) -> None:
    """Write the weights into a run folder, sealed together with its config, words and labels."""
    seals = {name: _sha256((path / name).read_bytes()) for name in (CONFIG, VOCAB, LABELS)}
    save_tensors(path / MODEL, model.state_dict(), {"files": seals})


def load_run(path: Path) -> Run:
    """Read and verify a run folder; the model is on the CPU, in evaluation mode.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    tensors, meta = load_tensors(path / MODEL)
    for name in (CONFIG, VOCAB, LABELS):
        if _sha256(_read(path / name)) != meta.get("files", {}).get(name):
            raise RunError(f"{path / name}: damaged, or not from the run that wrote {MODEL}")
    try:
        config = load_config(path / CONFIG)
        vocab = Vocab(_read(path / VOCAB).decode().removesuffix("\n").split("\n"))
    except (ConfigError, ValueError) as error:
        raise RunError(f"{path}: cannot be used with this version of rnncls: {error}") from error
    label_names = read_json(path / LABELS)["labels"]
    model = TextClassifier(config.model, len(vocab), len(label_names))
    load_weights(model, tensors, path / MODEL)
    return Run(path, config, vocab, label_names, model.eval())


def load_weights(model: TextClassifier, tensors: Mapping[str, torch.Tensor], source: Path) -> None:
    """Copy weights into a model.

    Raises:
        RunError: They have other names or shapes.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(f"{source}: the weights do not fit the config: {str(error).splitlines()[-1].strip()}") from error


def find_run(path: Path | None) -> Path:
    """Return the folder of a finished run, the newest one by default.

    Raises:
        RunError: There is none, or it is not finished.
    """
    chosen = RUNS_DIR / LATEST if path is None else path
    if path is None and not chosen.exists():
        raise RunError(f"no finished run at {chosen}: train one with 'rnncls train --config …', or name its folder")
    if not chosen.is_dir():
        raise RunError(f"{chosen}: no such run folder")
    if not (chosen / MODEL).is_file():
        raise RunError(f"{chosen}: has no {MODEL}: not a run folder, or stopped before its first validation")
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
            temporary.symlink_to(target.name if inside else target, target_is_directory=True)
            temporary.replace(link)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{link}: cannot be made to point at {path}, which is whole: {error.strerror}") from error


def model_card(config: Config, summary: Mapping[str, Any], path: Path) -> str:
    """Return a page of Markdown on what the model is, what it was trained on, and how well it does."""
    model, data, valid = config.model, summary["data"], summary["valid"]
    files = "\n".join(
        f"- {split}: `{file['path']}`, {file['num_rows']:,} rows" for split, file in data["files"].items()
    )
    directions = "two directions" if model.bidirectional else "one direction"
    recurrent = f"hidden size {model.hidden_size}, {model.num_layers} layer(s), {directions}"
    low, high = valid["accuracy_interval"]
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
(95 % interval {low:.2%} to {high:.2%}), macro-F1 {valid["macro_f1"]:.2%}, loss {valid["loss"]:.4f} nats. These rows
picked the epoch, so a test file says more: `rnncls eval`.

## Use

    rnncls predict "a text" --run {shlex.quote(str(path))}

Only texts like those above can be judged; every text gets one of the classes, whether it belongs to one or not.
"""
    # A folder's name may hold bytes that are no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON metadata into one verified safetensors file."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"schema_version": SCHEMA_VERSION, **meta}, sort_keys=True)
    # One entry, for safetensors writes several in any order: the same tensors make the same file, byte for byte.
    write_atomic(path, save(plain, {"rnncls": f"{_digest(plain, text)} {text}"}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises:
        RunError: The file is missing, damaged or from a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    seal, _, text = header.get("rnncls", "").partition(" ")
    if seal != _digest(tensors, text):
        raise RunError(f"{path}: damaged: its contents do not match its checksum")
    meta: dict[str, Any] = json.loads(text)
    _check_version(path, meta)
    return tensors, meta


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object with a schema version and a checksum of the rest."""
    body = {"schema_version": SCHEMA_VERSION, **document}
    sealed = {**body, "sha256": _sha256(_canonical(body))}
    text = json.dumps(sealed, indent=2, ensure_ascii=False)
    # A path may hold bytes that are no UTF-8: JSON has the escapes that Python writes for them.
    write_atomic(path, text.encode("utf-8", "backslashreplace") + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises:
        RunError: The file is missing, damaged or from a newer version.
    """
    try:
        document = json.loads(_read(path))
        seal = document.pop("sha256")
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise RunError(f"{path}: damaged: not a sealed JSON object") from error
    if seal != _sha256(_canonical(document)):
        raise RunError(f"{path}: damaged: its contents do not match its checksum")
    _check_version(path, document)
    return {key: value for key, value in document.items() if key != "schema_version"}


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old one whole or the new one whole.

    Raises:
        RunError: The disk is full, or the folder cannot be written to.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RunError:
    if isinstance(error, FileNotFoundError):
        return RunError(f"{path}: missing")
    return RunError(f"{path}: damaged or not readable: {error}")


def _check_version(path: Path, meta: Mapping[str, Any]) -> None:
    if meta.get("schema_version") != SCHEMA_VERSION:
        found = meta.get("schema_version")
        raise RunError(f"{path}: written in format {found}, this version of rnncls reads {SCHEMA_VERSION}")


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
