"""`scripts/gpu`: the check that runs on a machine with a GPU, tried here on a CPU."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gpu
import pytest
import torch
from safetensors.torch import save_file

from tests.builders import write_ag_news

SCRIPT = Path(gpu.__file__)


def start_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_training_rows_are_repeated_to_the_number_asked_for(tmp_path: Path) -> None:
    write_ag_news(tmp_path / "data", num_rows=10)
    gpu.repeat_rows(tmp_path / "data", tmp_path / "many", 25)
    source, target = (
        read_rows(tmp_path / name / "ag_news" / "train.csv")
        for name in ("data", "many")
    )
    assert target == [*source, *source, *source[:5]]
    test_files = [
        (tmp_path / name / "ag_news" / "test.csv").read_bytes()
        for name in ("data", "many")
    ]
    assert test_files[0] == test_files[1]


@pytest.mark.parametrize(
    ("error", "status"),
    [(gpu.CheckError("why"), "failed"), (gpu.SkippedError("why"), "skipped")],
)
def test_a_part_that_fails_or_is_skipped_is_reported_and_the_next_one_runs(
    tmp_path: Path, error: Exception, status: str
) -> None:
    def fail(_: gpu.Machine) -> dict[str, Any]:
        raise error

    parts = [
        gpu.Part("first", 10, fail),
        gpu.Part("second", 10, lambda _: {"loss": 0.12345}),
    ]
    first, second = gpu.run_parts(gpu.Machine("cpu", tmp_path), parts)
    assert (first.status, first.reason) == (status, "why")
    assert (second.status, second.figures) == ("passed", {"loss": 0.12345})
    gpu.write_results([first, second], {"device": "CPU"}, tmp_path)
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[-2:] == [
        f"| first | {status} | 0 | why |",
        "| second | passed | 0 | loss 0.1235 |",
    ]
    result = json.loads((tmp_path / "result.json").read_text())
    assert [part["status"] for part in result["parts"]] == [status, "passed"]


def test_a_command_that_runs_out_of_time_fails_its_part(tmp_path: Path) -> None:
    part = gpu.Part(
        "slow",
        0.2,
        lambda machine: {"": machine.run(["-c", "import time; time.sleep(9)"])},
    )
    start = time.monotonic()
    (outcome,) = gpu.run_parts(gpu.Machine("cpu", tmp_path), [part])
    assert (outcome.status, outcome.reason) == ("failed", "python: out of time")
    assert time.monotonic() - start < 5


def test_a_command_that_fails_shows_the_end_of_its_error(tmp_path: Path) -> None:
    machine = gpu.Machine("cpu", tmp_path, deadline=time.monotonic() + 60)
    with pytest.raises(gpu.CheckError, match="exit code 1: no luck"):
        machine.run(["-c", "raise SystemExit('no luck')"])


def test_runs_that_differ_only_in_their_times_are_equal(tmp_path: Path) -> None:
    for name, seconds, loss in (("a", 1, 0.5), ("b", 2, 0.5), ("c", 1, 0.6)):
        (tmp_path / name).mkdir()
        save_file({"w": torch.ones(2)}, tmp_path / name / "model.safetensors")
        row = {"step": 1, "elapsed_s": seconds, "train_loss": loss}
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    gpu.check_equal_runs(tmp_path / "a", tmp_path / "b")
    with pytest.raises(gpu.CheckError, match="a and c have different metrics"):
        gpu.check_equal_runs(tmp_path / "a", tmp_path / "c")
    save_file({"w": torch.zeros(2)}, tmp_path / "b" / "model.safetensors")
    with pytest.raises(gpu.CheckError, match="a and b have different weights"):
        gpu.check_equal_runs(tmp_path / "a", tmp_path / "b")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_exits_with_5_and_one_line(tmp_path: Path) -> None:
    done = start_script("--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (5, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no CUDA device was found")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_on_a_cpu_every_part_passes_or_says_what_it_lacks(tmp_path: Path) -> None:
    write_ag_news(tmp_path / "data")
    out = tmp_path / "out"
    done = start_script(
        "--data", str(tmp_path / "data"), "--out", str(out), "--device", "cpu",
        "--rows", "400",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    parts = json.loads((out / "result.json").read_text())["parts"]
    assert [part["part"] for part in parts] == [part.name for part in gpu.PARTS]
    assert {part["part"] for part in parts if part["status"] == "skipped"} <= {
        "training in bfloat16"
    }
