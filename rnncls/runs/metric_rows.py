"""The rows of metrics.jsonl: one JSON object per line, one line per validation."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnncls import RunError
from rnncls.machine.files import read_bytes, sha256_of


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append a row to a file of JSON lines.

    The row is on the disk when this returns: the state that is saved next relies on it.

    Raises:
        RunError: The disk is full, or the file cannot be written to.
    """
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from error


def keep_rows(path: Path, num_rows: int, sha256: str) -> None:
    """Delete all rows after the first `num_rows`, which a resumed run will write again.

    Args:
        path: The file.
        num_rows: The number of rows when the state was saved.
        sha256: The checksum of these rows.

    Raises:
        RunError: There are fewer rows, their checksum differs, or the file
            cannot be read or written to.
    """
    lines = _read_lines(path)
    if len(lines) < num_rows:
        raise RunError(f"{path}: damaged: expected {num_rows} rows, found {len(lines)}")
    if checksum_of_rows(path, num_rows) != sha256:
        raise RunError(
            f"{path}: damaged: the first {num_rows} rows do not match their checksum"
        )
    try:
        if len(lines) > num_rows:
            # Truncate instead of rewriting: the rows that are kept stay on the disk.
            num_bytes = sum(len(line) for line in lines[:num_rows])
            os.truncate(path, num_bytes)
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from error


def checksum_of_rows(path: Path, num_rows: int) -> str:
    """Return the checksum of the first `num_rows` rows.

    Raises:
        RunError: The file cannot be read.
    """
    return sha256_of(b"".join(_read_lines(path)[:num_rows]))


def _read_lines(path: Path) -> list[bytes]:
    return read_bytes(path).splitlines(keepends=True) if path.exists() else []


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return all rows.

    Raises:
        RunError: The file is missing or a row is damaged.
    """
    try:
        return [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path}: damaged: a row is not JSON") from error
