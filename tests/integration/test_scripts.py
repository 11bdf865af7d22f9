"""The scripts that a newcomer runs, in a checkout of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import baselines
import compare_fasttext
import compare_keras
import pytest

from tests.builders import write_ag_news

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("script", "package", "arguments"),
    [
        (baselines, "spacy", ["--only", "spacy"]),
        (compare_fasttext, "fasttext", []),
        (
            compare_keras,
            "keras",
            [str(ROOT / "configs" / "lesson" / "lstm.yaml")],
        ),
    ],
)
def test_a_comparison_names_the_extra_that_it_needs(
    script: ModuleType,
    package: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", [script.__name__, *arguments])
    with pytest.raises(SystemExit, match="2"):
        script.main()
    assert "pip install -e '.[bench]'" in capsys.readouterr().err


def ignore_made_files(folder: str, names: list[str]) -> set[str]:
    """Return what is not part of a fresh checkout; `rnncls/runs` is."""
    if Path(folder) == ROOT:
        made = shutil.ignore_patterns(".venv", ".git", "runs", "venv", ".*_cache")
        return set(made(folder, names))
    return {"__pycache__"}.intersection(names)


@pytest.mark.slow
def test_the_demo_predicts_writes_a_page_and_runs_twice(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=ignore_made_files)
    for _ in range(2):
        done = subprocess.run(
            [str(checkout / "scripts" / "demo")],
            capture_output=True,
            text=True,
            env={**os.environ},
            check=True,
        )
        printed = done.stdout.splitlines()
        [command] = [line for line in printed if line.startswith("$ rnncls predict")]
        first, second = printed[printed.index(command) + 1 :][:2]
        assert first.startswith("Business")
        assert second.startswith("Sports")
        page = checkout / "runs" / "quickstart.html"
        assert printed[-1].startswith(f"Open {page} ")
        assert page.exists()


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
