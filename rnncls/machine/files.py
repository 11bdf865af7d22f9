"""Sealed files: tensors and JSON that are written whole or not at all, and verified
when
they are read.

A safetensors file carries a schema version and a SHA-256 of its tensors and of its
other metadata; nothing is pickled.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rnncls import RunError

SCHEMA_VERSION = 1
TEMPORARY = ".*.part-*"
"""The names of files that are being written, and of those that a killed process was
writing."""
_PIECE = 1 << 20


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any]
) -> None:
    """Write tensors and JSON metadata into one verified safetensors file."""
    plain = {
        name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()
    }
    text = json.dumps({"schema_version": SCHEMA_VERSION, **meta}, sort_keys=True)
    # One entry, for safetensors writes several in any order: the same tensors make the
    # same file, byte for byte.
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
    except (
        OSError,
        SafetensorError,
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # a shape too large for torch too
        raise _unreadable(path, error) from error
    seal, _, text = header.get("rnncls", "").partition(" ")
    if seal != _digest(tensors, text):
        raise RunError(f"{path}: damaged: its contents do not match its checksum")
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: damaged: its metadata is not JSON") from error
    _check_version(path, meta)
    return tensors, meta


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object with a schema version and a checksum of the rest."""
    body = {"schema_version": SCHEMA_VERSION, **document}
    sealed = {**body, "sha256": sha256_of(_canonical(body))}
    text = json.dumps(sealed, indent=2, ensure_ascii=False)
    # A path may hold bytes that are no UTF-8: JSON has the escapes that Python writes
    # for them.
    write_atomic(path, text.encode("utf-8", "backslashreplace") + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises:
        RunError: The file is missing, damaged or from a newer version.
    """
    try:
        document = json.loads(read_bytes(path))
        seal = document.pop("sha256")
        sha256 = sha256_of(_canonical(document))
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise RunError(f"{path}: damaged: not a sealed JSON object") from error
    if seal != sha256:
        raise RunError(f"{path}: damaged: its contents do not match its checksum")
    _check_version(path, document)
    return {key: value for key, value in document.items() if key != "schema_version"}


def make_folder(path: Path) -> None:
    """Make a folder where it is missing, and those above it.

    Raises:
        RunError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be made: {error.strerror}") from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old one whole or the new one
    whole.

    The old one gives way only once the new one is on the disk and has been read back.

    Raises:
        RunError: The disk is full, or the folder cannot be written to, or what was read
            back is not what was written.
    """
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.part-", delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if not _holds(temporary, data):
                    raise RunError(
                        f"{path}: not written: what was read back differs; is the disk"
                        " sound?"
                    )
                temporary.chmod(0o644)
                temporary.replace(path)
                _sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from error


def _holds(path: Path, data: bytes) -> bool:
    """Return whether a file holds just these bytes."""
    place = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if (
                piece != data[place : place + len(piece)]
            ):  # a copy: bytes are compared ten times as fast as views
                return False
            place += len(piece)
    return place == len(data)


def _sync_folder(path: Path) -> None:
    """Bring a file's new name to the disk too, where the system can open a folder."""
    if os.name == "posix":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        RunError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RunError:
    if isinstance(error, FileNotFoundError):
        return RunError(f"{path}: missing")
    return RunError(
        f"{path}: damaged or not readable: {str(error).partition(chr(10))[0]}"
    )


def _check_version(path: Path, meta: object) -> None:
    if not isinstance(meta, dict):
        raise RunError(f"{path}: damaged: its metadata is no JSON object")
    if meta.get("schema_version") != SCHEMA_VERSION:
        found = meta.get("schema_version")
        raise RunError(
            f"{path}: written in format {found}, this version of rnncls reads"
            f" {SCHEMA_VERSION}"
        )


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def sha256_of(data: bytes) -> str:
    """Return the checksum in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
