"""Commands are timed as processes."""

import subprocess
from pathlib import Path

import pytest

from rnncls.cli.reporting.benchmark.startup import compare_commands, startup_commands
from tests.builders import write_run


def test_commands_are_timed_as_whole_processes() -> None:
    seconds, other_s, ratio = compare_commands(
        ["sleep", "0.2"], ["sleep", "0.05"], num_pairs=3
    )
    assert seconds > 0.2
    assert 0.05 < other_s < 0.2
    assert ratio > 1


@pytest.mark.slow
def test_a_text_is_predicted_by_both_runtimes(tmp_path: Path) -> None:
    write_run(tmp_path, labels=["Sports", "Business"], words=["oil", "wall"])
    commands = startup_commands(Path("none.yaml"), tmp_path)
    ((light, full),) = [
        (command, baseline)
        for name, command, baseline in commands
        if name == "predict_light"
    ]
    answers = [
        subprocess.run(command, capture_output=True, check=True).stdout
        for command in (light, full)
    ]
    assert answers[0] == answers[1]
    assert answers[0].endswith(b"\tWall St. rallies as oil falls\n")
