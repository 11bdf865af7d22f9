"""Files written completely or not at all, and JSON with a checksum."""

import errno
import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from rnncls import RunError
from rnncls.machine import files
from rnncls.machine.files import read_json, write_atomic, write_json


def disk_is_full(_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_json_nested_nearly_too_deep_to_be_read_is_damaged(tmp_path: Path) -> None:
    for depth in range(900, 1100):
        (tmp_path / "x").write_text(
            '{"sha256": "", "a": ' + "[" * depth + "]" * depth + "}"
        )
        with pytest.raises(RunError, match="x: damaged"):
            read_json(tmp_path / "x")


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    document = {
        "labels": ["welt", "日本"],
        "score": 0.1 + 0.2,
        "none": None,
        "inner": {"n": 2**60},
    }
    write_json(tmp_path / "x", document)
    assert read_json(tmp_path / "x") == document


def test_json_is_plain_to_other_readers(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"labels": ["日本"]})
    text = (tmp_path / "x").read_text(encoding="utf-8")
    assert "日本" in text
    assert json.loads(text)["schema_version"] == 1


def test_json_keeps_a_path_that_is_no_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"path": "data \udcff.csv"})
    assert read_json(tmp_path / "x") == {"path": "data \udcff.csv"}


def test_another_order_and_layout_of_json_is_no_damage(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"a": 1, "b": 2})
    document = json.loads((tmp_path / "x").read_text())
    (tmp_path / "x").write_text(json.dumps(dict(reversed(document.items()))))
    assert read_json(tmp_path / "x") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '"text"',
        "{}",
        '{"schema_version": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_sealed_object_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(
        RunError, match=r"x: damaged: not a JSON object with a checksum"
    ):
        read_json(tmp_path / "x")


def test_a_changed_value_is_damage(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"accuracy": 0.91})
    (tmp_path / "x").write_text((tmp_path / "x").read_text().replace("0.91", "0.99"))
    with pytest.raises(
        RunError, match=r"x: damaged: its contents do not match its checksum"
    ):
        read_json(tmp_path / "x")


def test_json_of_another_schema_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "SCHEMA_VERSION", 2)
        write_json(tmp_path / "x", {})
    with pytest.raises(
        RunError, match=r"x: written in format 2, this version of rnncls reads 1"
    ):
        read_json(tmp_path / "x")


def test_a_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"new")
    ]


def test_whoever_reads_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    with (tmp_path / "x").open("rb") as reader:
        write_atomic(tmp_path / "x", b"new")
        assert reader.read() == b"old"


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(
        RunError, match=r"x: cannot be written: No space left on device"
    ):
        write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"old")
    ]


def test_a_full_disk_leaves_no_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(RunError):
        write_atomic(tmp_path / "x", b"new")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> NoReturn:
        raise KeyboardInterrupt

    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"old")
    ]


def test_the_new_file_is_on_the_disk_before_it_takes_its_name_and_its_name_is_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(
        os, "fsync", lambda _: seen.append((tmp_path / "x").read_bytes())
    )
    write_atomic(tmp_path / "x", b"new")
    assert seen == [b"old", b"new"]  # the file, then its folder


@pytest.mark.parametrize("name", ["missing/x", "folder"])
def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match=rf"{name}: cannot be written: "):
        write_atomic(tmp_path / name, b"")


def test_a_disk_that_gives_back_other_bytes_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "x", b"old")
    fsync = os.fsync

    def spoil(file: int) -> None:
        os.pwrite(file, b"N", 0)
        fsync(file)

    monkeypatch.setattr(os, "fsync", spoil)
    with pytest.raises(
        RunError,
        match=r"x: not written: what was read back differs; check the disk",
    ):
        write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"old")
    ]


@pytest.mark.parametrize("data", [b"", b"abc" * 1_000_000])
def test_files_of_any_size_are_written_whole(tmp_path: Path, data: bytes) -> None:
    write_atomic(tmp_path / "x", data)
    assert (tmp_path / "x").read_bytes() == data
