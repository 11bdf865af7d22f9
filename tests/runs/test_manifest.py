"""The manifest: which checksums the files of a run may have."""

from pathlib import Path

import pytest

from rnncls import RunError
from rnncls.machine.files import sha256_of
from rnncls.runs.manifest import Manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one file, `a`, that holds "one"."""
    (tmp_path / "a").write_bytes(b"one")
    return tmp_path


def test_unchanged_files_are_accepted(folder: Path) -> None:
    Manifest.of(folder, ["a"]).verify(folder, "weights", ["a"])


def test_a_changed_file_is_named(folder: Path) -> None:
    manifest = Manifest.of(folder, ["a"])
    (folder / "a").write_bytes(b"two")
    with pytest.raises(RunError, match=r"/a: damaged, or not from the run that wrote"):
        manifest.verify(folder, "weights", ["a"])


def test_another_checksum_is_accepted_too(folder: Path) -> None:
    manifest = Manifest.of(folder, ["a"]).also("a", sha256_of(b"two"))
    manifest.verify(folder, "weights", ["a"])
    (folder / "a").write_bytes(b"two")
    manifest.verify(folder, "weights", ["a"])


def test_a_checksum_of_a_new_file_is_accepted() -> None:
    assert Manifest({"a": ("1",)}).also("b", "2") == Manifest(
        {"a": ("1",), "b": ("2",)}
    )


def test_the_same_checksum_is_kept_once(folder: Path) -> None:
    manifest = Manifest.of(folder, ["a"])
    assert manifest.also("a", sha256_of(b"one")) == manifest


def test_one_checksum_is_stored_as_a_text_and_several_as_a_list() -> None:
    manifest = Manifest({"a": ("1",), "b": ("1", "2")})
    assert manifest.to_metadata() == {"a": "1", "b": ["1", "2"]}
    assert Manifest.from_metadata({"files": manifest.to_metadata()}) == manifest


@pytest.mark.parametrize("files", [None, [], "a", {"a": 1}, {"a": [1]}, {"a": []}])
def test_a_manifest_of_another_form_accepts_nothing(
    folder: Path, files: object
) -> None:
    manifest = Manifest.from_metadata({"files": files})
    with pytest.raises(RunError, match="weights: damaged: has no checksum for a"):
        manifest.verify(folder, "weights", ["a"])
