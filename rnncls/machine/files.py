"""Files that are written completely or not at all, and verified when read.

A JSON object is stored with a schema version and the SHA-256 of the rest. Arrays are in
`rnncls.machine.arrays`, tensors in `rnncls.machine.tensors`.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnncls import RunError

SCHEMA_VERSION = 1
TEMPORARY = ".*.part-*"
"""The names of files that are being written, or that a killed process was writing."""
_PIECE = 1 << 20


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object with a schema version and a checksum of the rest.

    Raises:
        RunError: The file cannot be written.
    """
    body = {"schema_version": SCHEMA_VERSION, **document}
    checked = {**body, "sha256": sha256_of(_canonical(body))}
    text = json.dumps(checked, indent=2, ensure_ascii=False)
    # A path may hold bytes that are not UTF-8; JSON has the escapes that Python writes
    # for them.
    write_atomic(path, text.encode("utf-8", "backslashreplace") + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises:
        RunError: The file is missing, damaged or from a newer version.
    """
    try:
        document = json.loads(read_bytes(path))
        expected = document.pop("sha256")
        sha256 = sha256_of(_canonical(document))
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise RunError(f"{path}: damaged: not a JSON object with a checksum") from error
    if expected != sha256:
        raise RunError(f"{path}: damaged: its contents do not match its checksum")
    checked = check_version(path, document)
    del checked["schema_version"]
    return checked


def check_version(path: Path, metadata: object) -> dict[str, Any]:
    """Check the schema version of a file, and return its JSON object.

    Raises:
        RunError: It is another one, or there is none.
    """
    if not isinstance(metadata, dict):
        raise RunError(f"{path}: damaged: its metadata is not a JSON object")
    schema_version = metadata.get("schema_version")
    if schema_version != SCHEMA_VERSION:
        raise RunError(
            f"{path}: written in format {schema_version}, this version of rnncls reads"
            f" {SCHEMA_VERSION}"
        )
    return metadata


def make_folder(path: Path) -> None:
    """Create a folder and its parents, if they do not exist.

    Raises:
        RunError: It cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be created: {error.strerror}") from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old or the new one complete.

    The old file is replaced only when the new one is on the disk and was read back.

    Raises:
        RunError: The disk is full, the folder cannot be written to, or what was read
            back is not what was written.
    """
    name = f".{path.name}.part-"
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=name, delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if not _contains(temporary, data):
                    raise RunError(
                        f"{path}: not written: what was read back differs; check the"
                        " disk for errors"
                    )
                temporary.chmod(0o644)
                temporary.replace(path)
                _sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"{path}: cannot be written: {reason}") from error


def _contains(path: Path, data: bytes) -> bool:
    """Whether a file consists of exactly these bytes."""
    position = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            # A copy: bytes are compared ten times as fast as views.
            expected = data[position : position + len(piece)]
            if piece != expected:
                return False
            position += len(piece)
    return position == len(data)


def _sync_folder(path: Path) -> None:
    """Flush a renamed file's folder to the disk, if the system can open a folder."""
    if os.name == "posix":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_bytes(path: Path) -> bytes:
    """Return the contents of a file.

    Raises:
        RunError: It is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> RunError:
    """Return the error to raise for a file that could not be read."""
    if isinstance(error, FileNotFoundError):
        return RunError(f"{path}: missing")
    reason = str(error).partition("\n")[0]
    return RunError(f"{path}: damaged or not readable: {reason}")


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
