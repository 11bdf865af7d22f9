"""The README: every command in it runs, and its table of keys is the schema's."""

import itertools
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from rnncls.cli.main import run
from rnncls.config.describe import keys_as_markdown
from rnncls.reporting import benchmark
from tests.test_configs import write_ag_news

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout with little data in it."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    write_ag_news(tmp_path / "data")
    (tmp_path / "data" / "quickstart").mkdir()
    for split in ("train", "test"):
        lines = (
            (ROOT / "data" / "quickstart" / f"{split}.csv")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        (tmp_path / "data" / "quickstart" / f"{split}.csv").write_text(
            "\n".join(lines[:120]) + "\n", encoding="utf-8"
        )
    reviews = "label,text\n" + "good,a good film\nbad,not good at all\n" * 40
    (tmp_path / "reviews.csv").write_text(reviews, encoding="utf-8")
    (tmp_path / "more-reviews.csv").write_text(reviews, encoding="utf-8")
    (yaml,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "by-hand.yaml").write_text(yaml, encoding="utf-8")
    return tmp_path


def test_every_command_runs(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # One test, not one a command: later ones use the runs of earlier ones.
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(
        benchmark, "NUM_PAIRS", 2
    )  # fewer measurements than the command's own
    monkeypatch.setattr(benchmark, "STEPS_A_PAIR", 2)
    done = []
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "rnncls":
            monkeypatch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as left:
                run()
            assert left.value.code in (0, None), f"{command}: {capsys.readouterr().err}"
            assert capsys.readouterr().out, command
        elif words[0] == "python":
            expanded = [
                sorted(map(str, Path().glob(word))) if "*" in word else [word]
                for word in words[1:]
            ]
            monkeypatch.setattr(sys, "argv", list(itertools.chain(*expanded)))
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
            assert "configs/lesson/gru.yaml" in capsys.readouterr().out
        else:
            assert (ROOT / words[0]).stat().st_mode & 0o100, f"{words[0]} cannot be run"
        done.append(command)
    assert len(done) > 12


def test_the_table_of_keys_is_the_schema() -> None:
    assert keys_as_markdown() in README, (
        "put the output of 'rnncls config schema --markdown' into README.md"
    )
