"""The scripts that a newcomer runs, in a checkout of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import write_ag_news

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_ends_with_predictions_and_runs_twice(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(
        ".venv", ".git", "runs", "venv", ".*_cache", "__pycache__"
    )
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


@pytest.mark.slow
def test_the_lesson_is_written_with_all_its_sections_and_pictures(
    tmp_path: Path,
) -> None:
    write_ag_news(tmp_path / "data")
    command = [
        str(ROOT / "scripts" / "write_lesson.py"),
        "data",
        "--work",
        "work",
        "--out",
        "docs",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment, check=True
    )
    text = (tmp_path / "docs" / "lesson.md").read_text(encoding="utf-8")
    assert [
        line.split(".")[0]
        for line in text.splitlines()
        if line.startswith("## ") and line[3].isdigit()
    ] == [f"## {number}" for number in range(1, 11)]
    for name in re.findall(r"\]\((.*?\.png)\)", text):
        assert (tmp_path / "docs" / name).stat().st_size > 1000
