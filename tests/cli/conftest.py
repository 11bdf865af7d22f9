"""The program, driven as a user drives it, in a folder with a small data set and, where
asked for, a finished run."""

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rnncls.cli.main import run
from rnncls.config.loading import load_config
from rnncls.training.run import train
from tests.conftest import CITIES, TEAMS, toy_yaml

Cli = Callable[..., "Outcome"]
NEWEST = "run: runs/toy (the newest finished run)\n"
"""What a command that gets no run writes to stderr."""


class Outcome(NamedTuple):
    """What a command leaves its user with."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that runs the program in this process on a command line and
    what stands on stdin."""

    def call(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["rnncls", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        monkeypatch.setenv("COLUMNS", "80")
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            run()
        return Outcome(int(leaving.value.code or 0), *capsys.readouterr())

    return call


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the program in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "rnncls", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data, its config and one finished run, made once."""
    path = tmp_path_factory.mktemp("finished")
    lines = ["label,title,description"]
    for team in TEAMS:
        for city in CITIES:
            lines += [
                f"sport,{team} meet {city},the crowd waits {'again ' * extra}"
                for extra in range(3)
            ]
            lines += [
                f"world,{city} meet {team},the crowd waits {'again ' * extra}"
                for extra in range(3)
            ]
    (path / "toy.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "toy.yaml").write_text(toy_yaml(Path("toy.csv")), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        overrides = ["train.max_epochs=8", "train.batch_size=8"]
        train(load_config("toy.yaml", overrides), Path("runs/toy"))
    return path


@pytest.fixture
def workplace(_finished: Path, tmp_path: Path) -> Path:
    """The current folder, with `toy.csv` (96 rows, 48 a class, what stands first
    decides) and `toy.yaml`."""
    for name in ("toy.csv", "toy.yaml"):
        shutil.copy(_finished / name, tmp_path)
    return tmp_path


@pytest.fixture
def run_path(_finished: Path, workplace: Path) -> Path:
    """The finished run `runs/toy`, the newest one; it knows the order of the words."""
    shutil.copytree(_finished / "runs", workplace / "runs", symlinks=True)
    return Path("runs/toy")
