"""The scripts that a newcomer runs, in a checkout of their own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_ends_with_predictions_and_runs_twice(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".venv", ".git", "runs", "venv", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "checkout", ignore=ignored)
    for _ in range(2):
        done = subprocess.run(
            [str(tmp_path / "checkout" / "scripts" / "demo")],
            capture_output=True,
            text=True,
            env={**os.environ},
            check=True,
        )
        first, second = done.stdout.splitlines()[-2:]
        assert first.startswith("Business")
        assert second.startswith("Sports")
