"""The rows of metrics.jsonl: one line of JSON a validation."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnncls import RunError
from rnncls.machine.files import read_bytes, sha256_of


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a file of JSON lines; it is on the disk before this returns, as a
    resumed run expects.

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
    """Drop the rows after the first `num_rows`: those that a resumed run will write
    again.

    Raises:
        RunError: There are fewer, they are not those with this checksum, or the file
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
            os.truncate(
                path, sum(map(len, lines[:num_rows]))
            )  # the rows that stay are not touched
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
