"""The lock of a run folder."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rnncls import RunError
from rnncls.runs.folder import RunFolder
from rnncls.runs.lock import is_being_trained, lock_run


def test_a_folder_is_held_by_one_at_a_time_and_let_go_after(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run"):
        with (
            pytest.raises(RunError, match="run: another process is training here"),
            lock_run(tmp_path / "run"),
        ):
            pass
        assert RunFolder(tmp_path / "run").has_no_checkpoint()
    with lock_run(tmp_path / "run"):
        pass


def test_a_lock_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    RunFolder(tmp_path).lock.mkdir(parents=True)
    with (
        pytest.raises(RunError, match=r"last/lock: cannot be written: Is a directory"),
        lock_run(tmp_path),
    ):
        pass


def test_a_lock_that_is_held_for_a_moment_is_no_training(tmp_path: Path) -> None:
    release = threading.Event()
    is_held = threading.Event()

    def hold() -> None:
        with lock_run(tmp_path):
            is_held.set()
            release.wait()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(hold)
        is_held.wait()
        threading.Timer(0.05, release.set).start()
        assert not is_being_trained(tmp_path)
    with lock_run(tmp_path):
        pass


def test_a_run_is_being_trained_while_its_folder_is_locked(tmp_path: Path) -> None:
    assert not is_being_trained(tmp_path)
    with lock_run(tmp_path):
        assert is_being_trained(tmp_path)
    assert not is_being_trained(tmp_path)
