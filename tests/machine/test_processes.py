"""Two processes on gloo train and predict as one does; properties of the group."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from rnncls import ConfigError, DataError, DeviceError
from rnncls.config.loading import load_config
from rnncls.inference import windows
from rnncls.inference.predictor import Predictor
from rnncls.machine import processes as distributed
from rnncls.machine.processes import (
    SINGLE,
    ProcessGroup,
    init_process_group,
    torchrun_id,
)
from rnncls.machine.tensors import load_tensors
from rnncls.runs.folder import RunFolder, find_launched
from rnncls.runs.run import load_run
from rnncls.training.run import train
from tests.builders import RESUME
from tests.conftest import CITIES, TEAMS, toy_yaml

KILL_AT = 9
"""In the second of three epochs of 6 steps."""
SETTINGS = [
    "train.max_epochs=3",
    "train.batch_size=15",
    "train.schedule=constant",
    "train.warmup_fraction=0.0",
    "model.word_dropout=0.2",
    "model.dropout=0.3",
    "model.input_dropout=0.1",
    "model.recurrent_dropout=0.1",
    "train.virtual_adversarial=0.1",
    "train.r_drop=0.5",
    "train.average=0.9",
]
"""76 training rows: the last batch of an epoch is a single text, which leaves the
second process with none."""
TRAIN = [
    "train",
    "--config",
    "toy.yaml",
    *(part for setting in SETTINGS for part in ("--set", setting)),
]
COMMANDS = {
    "train": [*TRAIN, "--out", "out/two"],
    "stop early": [*TRAIN, "--out", "out/first-on-two", "--set", "train.max_epochs=1"],
    "resume": [*TRAIN, "--out", "out/first-on-one", "--resume"],
    "predict": [
        "predict",
        "--run",
        "out/one",
        "--input",
        "many.jsonl",
        "--output",
        "found.jsonl",
    ],
    "wrong data": [*TRAIN, "--set", "data.train=absent.csv", "--out", "out/none"],
    "absent for one": [
        "predict",
        "--run",
        "out/one",
        "--input",
        "of-RANK.txt",
        "--output",
        "none.jsonl",
    ],
    "taken": [*TRAIN, "--out", "out/one"],
    "one GPU": [*TRAIN, "--device", "cuda:99"],
    "stdin": ["predict", "--run", "out/one", "-"],
    "attention": ["predict", "--run", "out/one", "rovers meet oslo", "--attention"],
    "eval": ["eval", "out/one"],
    "stopped": ["--stop-second", *TRAIN, "--out", "out/stopped"],
    "killed": TRAIN,
}


class Work(NamedTuple):
    """What one process, and then two, have left in a folder."""

    path: Path
    outcomes: list[dict[str, tuple[int, str, str]]]
    stderr: str

    def rows(self, run: str) -> list[dict[str, Any]]:
        lines = (self.path / run / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [
            {
                key: value
                for key, value in row.items()
                if key not in {"elapsed_s", "tokens_per_s"}
            }
            for row in rows
        ]

    @property
    def killed_run(self) -> Path:
        (path,) = (
            path for path in (self.path / "runs").iterdir() if not path.is_symlink()
        )
        return path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Let one process and then torchrun's two do the same."""
    path = tmp_path_factory.mktemp("together")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setenv("RNNCLS_CACHE", str(path / "cache"))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        write_data()
        for name, epochs in (("one", 3), ("first-on-one", 1)):
            train(
                load_config("toy.yaml", [*SETTINGS, f"train.max_epochs={epochs}"]),
                Path("out") / name,
            )
        Path("commands.json").write_text(json.dumps(list(COMMANDS.values())))
        script = [
            str(Path(__file__).with_name("work_together.py")),
            "commands.json",
            str(KILL_AT),
        ]
        torchrun = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--max-restarts",
            "1",
        ]
        loopback = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
        stderr = run_to_end([*torchrun, *loopback, *script])
        found = [
            json.loads(Path(f"outcomes-{rank}.json").read_text()) for rank in (0, 1)
        ]
        outcomes = [
            dict(zip(COMMANDS, map(tuple, each), strict=True)) for each in found
        ]
        train(load_config("toy.yaml", SETTINGS), Path("out/first-on-two"), RESUME)
    return Work(path, outcomes, stderr)


def run_to_end(command: list[str]) -> str:
    """Return what a command that succeeds has on stderr."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            stderr = process.communicate(timeout=300)[1]
        except subprocess.TimeoutExpired:
            # torchrun ends its processes then, which a kill would leave alone
            process.terminate()
            raise
    assert process.returncode == 0, stderr
    return stderr


def write_data() -> None:
    """Write 96 labelled rows, 9,600 texts, and a file for the first process only."""
    pairs = [
        (team, city, extra) for team in TEAMS for city in CITIES for extra in range(3)
    ]
    lines = ["label,title,description"]
    for team, city, extra in pairs:
        lines.append(f"sport,{team} meet {city},the crowd waits {'again ' * extra}")
        lines.append(f"world,{city} meet {team},the crowd waits {'again ' * extra}")
    Path("toy.csv").write_text("\n".join(lines) + "\n")
    Path("toy.yaml").write_text(toy_yaml(Path("toy.csv")))
    texts = [
        f"{team} meet {city} {number}"
        for number in range(200)
        for team, city, _ in pairs
    ]  # 9,600
    rows = [
        {"title": text, "description": "again " * (number % 7)}
        for number, text in enumerate(texts)
    ]
    Path("many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("of-0.txt").write_text("rovers meet oslo\n" * 5000)


together = pytest.mark.distributed


@together
def test_two_processes_have_the_loss_curve_of_one(work: Work) -> None:
    one, two = work.rows("out/one"), work.rows("out/two")
    assert len(two) == 3
    for name in ("train_loss", "valid_loss"):
        assert [row[name] for row in two] == pytest.approx(
            [row[name] for row in one], abs=1e-5
        )


@together
def test_the_group_is_gone_before_the_interpreter(work: Work) -> None:
    """Where it is not, about one process in ten is aborted as it leaves."""
    for rank in (0, 1):
        is_there, threads = json.loads((work.path / f"group-{rank}.json").read_text())
        assert not is_there
        assert not threads


@together
def test_counts_over_two_processes_are_those_of_one(work: Work) -> None:
    names = (
        "step",
        "epoch",
        "num_tokens",
        "train_accuracy",
        "valid_accuracy",
        "valid_macro_f1",
        "is_best",
    )
    one, two = (
        [[row[name] for name in names] for row in work.rows(run)]
        for run in ("out/one", "out/two")
    )
    assert one == two


@together
def test_two_processes_end_with_the_weights_of_one(work: Work) -> None:
    one, two = (
        load_run(work.path / run).classifier.model.state_dict()
        for run in ("out/one", "out/two")
    )
    torch.testing.assert_close(two, one, rtol=0, atol=1e-4)


@together
@pytest.mark.parametrize("run", ["out/first-on-one", "out/first-on-two"])
def test_what_some_processes_have_saved_another_number_goes_on_with(
    work: Work, run: str
) -> None:
    expected, found = work.rows("out/one"), work.rows(run)
    assert [row["step"] for row in found] == [6, 12, 18]
    assert [row["train_loss"] for row in found] == pytest.approx(
        [row["train_loss"] for row in expected], abs=1e-5
    )


@together
def test_a_killed_process_costs_the_steps_since_the_last_save_and_changes_nothing(
    work: Work,
) -> None:
    steps = [int(line) for line in (work.path / "steps-0.txt").read_text().split()]
    before, again = steps[: KILL_AT + 1], steps[KILL_AT + 1 :]
    assert before == list(range(KILL_AT + 1))
    assert again == list(range(again[0], 18))
    assert 6 <= again[0] <= KILL_AT  # saved after the epoch of 6 steps, or later
    run = work.killed_run.relative_to(work.path)
    assert work.rows(str(run)) == work.rows("out/two")
    weights = [
        (work.path / folder / "model.safetensors").read_bytes()
        for folder in (run, "out/two")
    ]
    assert weights[0] == weights[1]


@together
def test_the_summary_counts_the_processes(work: Work) -> None:
    counts = [
        json.loads((work.path / run / "summary.json").read_text())["num_processes"]
        for run in ("out/one", "out/two")
    ]
    assert counts == [1, 2]


@together
def test_predictions_come_as_from_one_process_and_in_order(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "PIECES_A_WINDOW", 1)
    found = [
        json.loads(line)
        for line in (work.path / "found.jsonl").read_text().splitlines()
    ]
    texts = [row["text"] for row in found]
    given = [
        json.loads(line) for line in (work.path / "many.jsonl").read_text().splitlines()
    ]
    assert texts == [f"{row['title']} {row['description']}" for row in given]
    reader = Predictor(
        load_run(work.path / "out" / "one").classifier, torch.device("cpu")
    )
    expected = [each.probs for window in reader.stream([texts]) for each in window]
    assert [row["probs"] for row in found] == expected


@together
def test_one_process_tells_the_result(work: Work) -> None:
    code, stdout, _ = work.outcomes[0]["train"]
    assert (code, stdout.splitlines()[0].partition(":")[0]) == (0, "out/two")
    assert work.outcomes[1]["train"] == (0, "", "")


@together
@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("wrong data", 3, "error: absent.csv: no such file"),
        ("absent for one", 3, "error: of-1.txt: no such file"),
        ("taken", 2, "error: out/one: already exists"),
        ("one GPU", 5, "error: cuda:99: this machine has 0 CUDA devices"),
        ("stdin", 2, "error: --input: several processes cannot share stdin or a pipe"),
        ("attention", 2, "error: --attention: works in one process only"),
        ("eval", 2, "error: eval: runs in one process only"),
    ],
)
def test_an_error_ends_both_processes_and_one_tells_it(
    work: Work, command: str, code: int, message: str
) -> None:
    first, second = (outcomes[command] for outcomes in work.outcomes)
    assert (first[0], second[0]) == (code, code)
    assert first[2].splitlines()[-1].startswith(message)
    assert (second[1], second[2]) == ("", "")


@together
def test_a_stop_of_one_process_stops_both_after_the_same_step(work: Work) -> None:
    first, second = (outcomes["stopped"] for outcomes in work.outcomes)
    assert (first[0], second[0]) == (130, 130)
    assert "stopped in epoch 1; everything is saved" in first[2]
    place = load_tensors(RunFolder(work.path / "out/stopped").state)[1]["place"]
    assert place["step"] == 3


@together
def test_a_killed_process_leaves_one_message_and_no_traceback(work: Work) -> None:
    assert "Traceback" not in work.stderr
    errors = [line for line in work.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: another process of this run has died")


# One process


def test_without_torchrun_a_process_is_alone() -> None:
    assert init_process_group() == SINGLE
    assert SINGLE.is_main
    values = [torch.ones(2), torch.tensor(3)]
    SINGLE.all_reduce_sum(values)
    torch.testing.assert_close(values, [torch.ones(2), torch.tensor(3)])
    assert [SINGLE.any(flag=own) for own in (False, True)] == [False, True]
    assert SINGLE.broadcast_from_main(lambda: "found") == "found"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("cuda:0", ConfigError, "2 processes cannot share cuda:0"),
        ("mps", ConfigError, "2 processes cannot share mps"),
        ("cuda", DeviceError, "cuda: 2 processes on a machine of 1 CUDA devices"),
    ],
)
def test_a_device_is_not_shared(
    monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(error, match=message):
        ProcessGroup(1, 2, 1, 2).local_device(torch.device(name))


def test_each_process_has_the_cuda_device_of_its_number_on_its_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert ProcessGroup(3, 4, 1, 2).local_device(torch.device("cuda")) == torch.device(
        "cuda", 1
    )
    assert chosen == [1]
    assert ProcessGroup(3, 4, 1, 2).local_device(torch.device("cpu")) == torch.device(
        "cpu"
    )


@pytest.mark.parametrize(("own", "expected"), [(None, 4), ("1", 4), ("3", None)])
def test_processes_share_the_cores_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, own: str | None, expected: int | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    if own is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    found: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", found.append)
    distributed._divide_cores(2)
    assert found == ([] if expected is None else [expected])
    assert os.environ["OMP_NUM_THREADS"] == str(expected or own)


def test_a_launch_is_the_same_after_a_restart_and_another_in_another_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for folder in (
        "a/none_x/attempt_0/1",
        "a/none_x/attempt_2/0",
        "b/none_x/attempt_0/1",
    ):
        monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", f"/tmp/{folder}/error.json")
        found.append(torchrun_id())
    assert found == ["/tmp/a/none_x", "/tmp/a/none_x", "/tmp/b/none_x"]
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE")
    assert torchrun_id() is None


def test_only_what_the_same_launch_has_begun_is_found_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        note = tmp_path / "runs" / name / "last" / "launch"
        note.parent.mkdir(parents=True)
        note.write_text(f"launch of {name}")
    assert find_launched("launch of b", None) == Path("runs/b")
    assert find_launched("launch of b", Path("runs/a")) is None
    assert find_launched("launch of a", Path("runs/a")) == Path("runs/a")
    assert find_launched("launch of c", None) is None
    assert find_launched(None, None) is None


def test_processes_that_read_different_files_are_told_apart(toy_run: Path) -> None:
    reader = Predictor(load_run(toy_run).classifier, torch.device("cpu"))
    with pytest.raises(DataError, match="one process was given 1 texts, another 2"):
        reader._label(["rovers meet oslo"], torch.ones(2, 2))
