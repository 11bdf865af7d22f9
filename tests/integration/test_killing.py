"""The program as a process: killed, stopped twice, out of disk, in a folder that is not
its own, and beside another."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rnncls.machine.files import TEMPORARY
from rnncls.runs.folder import STATE
from tests.conftest import toy_yaml

ROOT = Path(__file__).parents[2]
LONG = (
    "--set",
    "train.max_epochs=30",
    "--set",
    "train.patience=null",
    "--set",
    "train.monitor=loss",
)
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(toy_csv: Path) -> Iterator[Path]:
    """A folder that anybody may read, with `toy.csv` and `toy.yaml`; pytest's own are
    for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        shutil.copy(toy_csv, path)
        (path / "toy.yaml").write_text(toy_yaml(Path("toy.csv")), encoding="utf-8")
        yield path


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the program in a folder."""
    environment = {
        **os.environ,
        "RNNCLS_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "rnncls", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=pipe,
        stderr=pipe,
        text=True,
        **options,
    )


def train(
    folder: Path, out: str, *arguments: str, **options: Any
) -> subprocess.Popen[str]:
    return start(
        folder,
        "train",
        "--config",
        "toy.yaml",
        "--out",
        out,
        *LONG,
        *arguments,
        **options,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code, and what stands on stderr but the epochs."""
    _, stderr = process.communicate(timeout=600)
    lines = [
        line for line in stderr.splitlines() if line and not line.startswith("epoch ")
    ]
    return process.returncode, "\n".join(lines)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.002)


def weights_of(folder: Path, name: str) -> bytes:
    return (folder / name / "model.safetensors").read_bytes()


@pytest.fixture
def whole(folder: Path) -> bytes:
    """The weights of the run that nobody touched."""
    assert finish(train(folder, "whole")) == (0, "")
    return weights_of(folder, "whole")


def test_runs_that_are_killed_again_and_again_end_as_the_untouched_one() -> None:
    command = [
        sys.executable,
        str(ROOT / "scripts" / "soak.py"),
        "--kills",
        "20",
        "--seed",
        "1",
    ]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 kills (")
    assert "each ended as the untouched one, bit for bit" in done.stdout


def test_a_process_killed_by_the_system_lets_another_go_on(
    folder: Path, whole: bytes
) -> None:
    process = train(folder, "run")
    wait_for(folder / "run" / "metrics.jsonl", process)
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    assert finish(train(folder, "run", "--resume")) == (0, "")
    assert weights_of(folder, "run") == whole


@pytest.mark.parametrize("pause_s", [0.0, 0.001, 0.003, 0.01])
def test_a_second_ctrl_c_leaves_at_once_and_nothing_is_lost(
    folder: Path, whole: bytes, pause_s: float
) -> None:
    process = train(folder, "run")
    wait_for(folder / "run" / "metrics.jsonl", process)
    process.send_signal(signal.SIGINT)
    time.sleep(pause_s)
    process.send_signal(signal.SIGINT)
    exit_code, stderr = finish(process)
    assert exit_code == 130
    assert "Traceback" not in stderr
    assert not list((folder / "run").rglob(TEMPORARY))
    assert finish(train(folder, "run", "--resume")) == (0, "")
    assert weights_of(folder, "run") == whole


def test_the_second_of_two_trainings_in_one_folder_is_told(
    folder: Path, whole: bytes
) -> None:
    first = train(folder, "run")
    wait_for(folder / "run" / STATE, first)
    message = (
        "error: run: another process is training here: wait for it, or choose another"
        " folder (--out FOLDER)"
    )
    first.send_signal(
        signal.SIGSTOP
    )  # so that it is still there, however slow the second one starts
    second = finish(train(folder, "run", "--resume"))
    first.send_signal(signal.SIGCONT)
    assert second == (4, message)
    assert finish(first) == (0, "")
    assert weights_of(folder, "run") == whole


def limit_files(num_bytes: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))


def test_a_file_that_may_not_grow_is_named_and_nothing_is_lost(
    folder: Path, whole: bytes
) -> None:
    # Room for the first state, in which the network has no moments yet, but not for the
    # next one.
    size = (folder / "whole" / STATE).stat().st_size
    exit_code, stderr = finish(train(folder, "run", preexec_fn=limit_files(size - 1)))
    assert (exit_code, stderr) == (
        4,
        "error: run/last/state.safetensors: cannot be written: File too large",
    )
    assert finish(train(folder, "run", "--resume")) == (0, "")
    assert weights_of(folder, "run") == whole


@contextlib.contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """Mount a disk of so many bytes, or skip the test where that is not allowed."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_named_and_nothing_is_lost(folder: Path, whole: bytes) -> None:
    size = sum(
        file.stat().st_size for file in (folder / "whole").rglob("*") if file.is_file()
    )
    with small_disk(
        folder / "disk", size + 8192
    ):  # all files fit, but not the new state beside the old one
        exit_code, stderr = finish(train(folder, "disk/run"))
        assert exit_code == 4
        assert stderr.endswith("cannot be written: No space left on device")
        shutil.copytree(folder / "disk" / "run", folder / "run")
    assert finish(train(folder, "run", "--resume")) == (0, "")
    assert weights_of(folder, "run") == whole


def test_a_folder_that_cannot_be_written_to_can_be_read_but_not_gone_on_with(
    folder: Path, whole: bytes
) -> None:
    with small_disk(folder / "disk", 1 << 24):
        shutil.copytree(folder / "whole", folder / "disk" / "run")
        subprocess.run(
            ["mount", "-o", "remount,ro", str(folder / "disk")], check=True
        )  # root may write, whatever modes say
        exit_code, stderr = finish(train(folder, "disk/run", "--resume"))
        assert (exit_code, stderr) == (
            4,
            "error: disk/run/last/lock: cannot be written: Read-only file system",
        )
        exit_code, stderr = finish(train(folder, "disk/new"))
        assert (exit_code, stderr) == (
            4,
            "error: disk/new: the run folder cannot be created: Read-only file system",
        )
        assert finish(
            start(folder, "predict", "oslo meet rovers", "--run", "disk/run")
        ) == (0, "")
        assert weights_of(folder, "disk/run") == whole
