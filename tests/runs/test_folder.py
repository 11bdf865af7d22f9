"""The names of a run folder, finding a run, and the link to the newest."""

import errno
import shutil
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NoReturn, Self

import pytest

from rnncls import ConfigError, RunError
from rnncls.runs import folder as run_folders
from rnncls.runs.folder import (
    RunFolder,
    claim_new_folder,
    find_launched,
    find_run,
    point_latest_at,
)
from tests.builders import write_run


def disk_is_full(_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RunError, match=r"file/run: the run folder cannot be created: Not a directory"
    ):
        write_run(tmp_path / "file" / "run", labels=["a", "b"], words=[])


def test_a_run_cannot_take_the_place_of_the_link_to_the_newest() -> None:
    with pytest.raises(
        ConfigError,
        match=r"runs/latest: is the link to the newest run; choose another folder",
    ):
        write_run(Path("runs/latest"), labels=["a", "b"], words=[])


def test_no_run_at_all_says_how_to_get_one() -> None:
    with pytest.raises(
        RunError,
        match=r"no finished run at runs/latest: train one with 'rnncls train CONFIG'",
    ):
        find_run(None)


def test_a_latest_run_that_was_deleted_is_none(run: Path) -> None:
    point_latest_at(run)
    shutil.rmtree(run)
    with pytest.raises(RunError, match=r"no finished run at runs/latest"):
        find_run(None)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("missing", "no such run folder: name an existing one, or omit the run"),
        ("file", "is a file, not a run folder"),
        ("my.html", "is a page, not a run folder: open it in a browser; name the run"),
        (
            "my.onnx",
            "is an exported file, .*: name the run folder that it was exported",
        ),
        ("my.yaml", "is a config, not a run folder: 'rnncls train .*my.yaml' trains"),
        ("my.csv.gz", "is a data file, not a run folder: .* is given separately"),
        ("my.txt", "is a data file, not a run folder: .* is given separately"),
    ],
)
def test_what_is_no_folder_is_no_run(tmp_path: Path, name: str, found: str) -> None:
    if name != "missing":
        (tmp_path / name).write_text("")
    with pytest.raises(RunError, match=rf"{name}: {found}") as caught:
        find_run(tmp_path / name)
    assert ("data" in caught.value.suggestions) == found.startswith("is a data file")


def test_a_folder_without_weights_is_no_finished_run(run: Path) -> None:
    (run / "model.safetensors").unlink()
    with pytest.raises(
        RunError,
        match=r"run: has no model\.safetensors: not a run folder, or stopped before",
    ):
        find_run(run)


def test_an_exported_folder_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("")
    message = r": an exported folder, .*: predict with .*model\.onnx, or name the run"
    with pytest.raises(RunError, match=message):
        find_run(tmp_path)


def test_a_named_run_is_found(run: Path) -> None:
    assert find_run(run) == run


def test_the_default_is_the_newest_run_under_its_own_name(run: Path) -> None:
    point_latest_at(run)
    assert find_run(None) == run


def test_the_link_to_a_run_inside_runs_survives_moving_all_of_runs() -> None:
    Path("runs/one").mkdir(parents=True)
    point_latest_at(Path("runs/one"))
    assert Path("runs/latest").readlink() == Path("one")


def test_the_link_to_a_run_elsewhere_is_absolute(tmp_path: Path) -> None:
    Path("elsewhere").mkdir()
    point_latest_at(Path("elsewhere"))
    assert Path("runs/latest").readlink() == tmp_path / "elsewhere"


def test_the_link_moves_on_to_a_newer_run() -> None:
    Path("runs/one").mkdir(parents=True)
    Path("runs/two").mkdir()
    point_latest_at(Path("runs/one"))
    point_latest_at(Path("runs/two"))
    assert Path("runs/latest").resolve() == Path("runs/two").resolve()


def test_the_link_is_the_only_thing_left_in_runs() -> None:
    Path("runs/one").mkdir(parents=True)
    point_latest_at(Path("runs/one"))
    point_latest_at(Path("runs/one"))
    assert sorted(path.name for path in Path("runs").iterdir()) == ["latest", "one"]


def test_the_old_link_stands_until_the_new_one_takes_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("runs/one").mkdir(parents=True)
    Path("runs/two").mkdir()
    point_latest_at(Path("runs/one"))
    monkeypatch.setattr(Path, "replace", lambda *_: disk_is_full(None))
    with pytest.raises(
        RunError,
        match=r"cannot be made to point at runs/two, which is complete: No space left",
    ):
        point_latest_at(Path("runs/two"))
    assert Path("runs/latest").readlink() == Path("one")
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "latest",
        "one",
        "two",
    ]


def test_a_folder_in_the_place_of_the_link_is_left_alone(run: Path) -> None:
    Path("runs/latest/mine").mkdir(parents=True)
    with pytest.raises(
        RunError,
        match=r"runs/latest: cannot be made to point at .*/run, which is complete",
    ):
        point_latest_at(run)
    assert [path.name for path in Path("runs").iterdir()] == ["latest"]
    assert Path("runs/latest/mine").is_dir()


def test_a_file_in_the_place_of_the_folder_of_runs_is_named(run: Path) -> None:
    Path("runs").write_text("")
    with pytest.raises(
        RunError,
        match=(
            r"runs/latest: cannot be made to point at .*/run, which is complete: File"
            r" exists"
        ),
    ):
        point_latest_at(run)


# Files and folders of a run


def test_all_results_of_the_weights_are_deleted_and_nothing_else(
    tmp_path: Path,
) -> None:
    folder = RunFolder(tmp_path)
    results = [
        folder.summary,
        folder.card,
        folder.evaluation("test"),
        folder.evaluation("new.csv"),
        folder.confusion("test"),
        folder.report(),
        folder.report("new.csv"),
        folder.label_issues,
        folder.label_issue_table,
        folder.bag_of_words / "config.yaml",
    ]
    folder.bag_of_words.mkdir()
    for file in (*results, folder.config, folder.model, folder.metrics):
        file.write_text("x")
    assert folder.confusion("test").name == "confusion-test.csv"
    folder.delete_results()
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {folder.config.name, folder.model.name, folder.metrics.name}


@pytest.mark.parametrize("missing", ["config", "vocab"])
def test_a_run_has_a_config_and_a_vocabulary(tmp_path: Path, missing: str) -> None:
    folder = RunFolder(tmp_path)
    for file in (folder.config, folder.vocab):
        file.write_text("")
    assert folder.is_run()
    getattr(folder, missing).unlink()
    assert not folder.is_run()


def test_runs_of_one_second_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2024, 5, 6, 7, 8, 9, tzinfo=tz)

    monkeypatch.setattr(run_folders, "datetime", Clock)
    parent = tmp_path / "new" / "runs"
    names = [claim_new_folder("toy", parent).name for _ in range(3)]
    first = "toy-20240506-070809"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_a_launched_run_is_found_in_runs_or_in_its_own_folder(tmp_path: Path) -> None:
    inside, outside = Path("runs/first"), tmp_path / "outside"
    for path in (inside, outside):
        RunFolder(path).create()
        RunFolder(path).launch.write_text(f"id of {path.name}")
    assert find_launched("id of first", None) == inside
    assert find_launched("id of outside", None) is None
    assert find_launched("id of outside", outside) == outside
    assert find_launched("id of first", outside) is None
