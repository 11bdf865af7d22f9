"""The rows of metrics.jsonl."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from rnncls import RunError
from rnncls.runs.metric_rows import append_row, checksum_of_rows, keep_rows, read_rows

ROWS: list[dict[str, Any]] = [
    {"epoch": 1, "valid_loss": 0.1 + 0.2},
    {"epoch": 2, "valid_loss": 1e-300},
    {"epoch": 3, "is_best": True},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three rows."""
    path = tmp_path / "metrics.jsonl"
    for row in ROWS:
        append_row(path, row)
    return path


def refuse(_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_rows_are_read_as_they_were_written_to_the_last_bit(path: Path) -> None:
    assert read_rows(path) == ROWS


def test_a_row_is_one_line(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") == 3


def test_a_row_that_cannot_be_written_names_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(
        RunError, match=r"metrics\.jsonl: cannot be written: No space left on device"
    ):
        append_row(path, ROWS[0])


@pytest.mark.parametrize("num_rows", [0, 1, 2, 3])
def test_the_first_rows_are_kept_byte_for_byte(path: Path, num_rows: int) -> None:
    before = path.read_bytes().splitlines(keepends=True)
    keep_rows(path, num_rows, hashlib.sha256(b"".join(before[:num_rows])).hexdigest())
    assert path.read_bytes() == b"".join(before[:num_rows])


@pytest.mark.parametrize("torn", [b'{"epoch": 4, "val', b"\xff\x00\xfe"])
def test_a_row_torn_by_a_crash_is_dropped(path: Path, torn: bytes) -> None:
    sha256 = checksum_of_rows(path, 3)
    path.write_bytes(path.read_bytes() + torn)
    keep_rows(path, 3, sha256)
    assert read_rows(path) == ROWS


def test_a_run_without_rows_needs_no_file(tmp_path: Path) -> None:
    keep_rows(
        tmp_path / "metrics.jsonl", 0, checksum_of_rows(tmp_path / "metrics.jsonl", 0)
    )
    assert list(tmp_path.iterdir()) == []


def test_too_few_rows_are_damage(path: Path) -> None:
    with pytest.raises(
        RunError, match=r"metrics\.jsonl: damaged: expected 4 rows, found 3"
    ):
        keep_rows(path, 4, checksum_of_rows(path, 4))


def test_rows_that_are_not_those_of_the_saved_state_are_damage(path: Path) -> None:
    sha256 = checksum_of_rows(path, 2)
    path.write_bytes(path.read_bytes().replace(b'"epoch": 2', b'"epoch": 7'))
    with pytest.raises(
        RunError,
        match=r"metrics\.jsonl: damaged: the first 2 rows do not match their checksum",
    ):
        keep_rows(path, 2, sha256)
    assert len(path.read_bytes().splitlines()) == 3


def test_rows_that_cannot_be_cut_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="Is a directory"):
        keep_rows(tmp_path, 1, "")


def test_reading_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl: No such file"):
        read_rows(tmp_path / "metrics.jsonl")


@pytest.mark.parametrize("damage", [b'{"epoch": 4', b"\xff\xfe\n"])
def test_a_damaged_row_is_named_by_its_file(path: Path, damage: bytes) -> None:
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(RunError, match=r"metrics\.jsonl: damaged: a row is not JSON"):
        read_rows(path)
