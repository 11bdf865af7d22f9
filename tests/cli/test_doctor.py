"""`rnncls doctor`, and what shells complete."""

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from rnncls.cli.doctor import EXTRAS
from rnncls.cli.options import complete_keys, complete_runs
from tests.cli.conftest import Cli, start


def test_json_tells_versions_devices_and_places(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("doctor", "--json")
    found = json.loads(stdout)
    assert (exit_code, stderr) == (0, "")
    assert set(found) == {"versions", "devices", "cpu", "data", "storage", "extras"}
    assert (found["versions"]["python"], found["versions"]["torch"]) == (
        platform.python_version(),
        torch.__version__,
    )
    assert found["cpu"]["threads"] == torch.get_num_threads()
    assert found["devices"]["auto takes"] == (
        "cuda" if torch.cuda.is_available() else found["devices"]["auto takes"]
    )
    assert found["storage"]["cache"] == str(Path(".cache").absolute())
    assert (
        abs(
            found["storage"]["here disk free MiB"] - shutil.disk_usage(".").free / 2**20
        )
        < 1024
    )
    assert found["extras"]["dev"] == f"pytest {version('pytest')}"


def test_what_is_there_is_found(cli: Cli, run_path: Path) -> None:
    for split in ("train", "test"):
        path = Path("data/ag_news") / f"{split}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    Path(".cache").mkdir()
    Path(".cache/one.safetensors").write_bytes(bytes(3 << 20))
    found = json.loads(cli("doctor", "--json").stdout)
    assert found["data"]["ag_news"] == {"train": True, "test": True}
    assert (found["storage"]["cache entries"], found["storage"]["cache MiB"]) == (
        1,
        3.0,
    )
    assert found["storage"]["newest run"] == str(run_path.resolve())


def test_a_person_reads_yes_no_and_none(cli: Cli) -> None:
    stdout = cli("doctor").stdout
    assert "  ag_news               train: no, test: no\n" in stdout
    assert "True" not in stdout
    assert "None" not in stdout


def test_every_extra_of_the_package_is_looked_for() -> None:
    import tomllib

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert set(EXTRAS) == set(tomllib.loads(text)["project"]["optional-dependencies"])


# Completion


def complete(line: str) -> list[str]:
    """Return what bash is offered at the end of a line."""
    words = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
        "_RNNCLS_COMPLETE": "complete_bash",
    }
    command = [sys.executable, "-m", "rnncls"]
    return subprocess.run(
        command, env={**os.environ, **words}, capture_output=True, text=True
    ).stdout.split()


def test_commands_are_completed() -> None:
    assert complete("rnncls in") == ["init", "inspect"]


def test_the_script_for_bash_is_that_of_the_program() -> None:
    stdout, stderr = start("--show-completion", "bash").communicate()
    assert "_RNNCLS_COMPLETE=complete_bash" in stdout, stderr
    assert "-F _rnncls_completion rnncls" in stdout


def test_keys_are_completed() -> None:
    assert list(complete_keys("model.p")) == ["model.pooling=", "model.pretrained="]


@pytest.mark.usefixtures("run_path")
def test_run_folders_are_completed() -> None:
    assert list(complete_runs("")) == ["runs/latest", "runs/toy"]
    assert list(complete_runs("runs/t")) == ["runs/toy"]
