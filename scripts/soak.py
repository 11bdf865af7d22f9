"""Kill trainings at random moments, resume them, and compare the results.

Each must equal a training that was not interrupted.

    python scripts/soak.py --kills 100 --seed 0

A kill is a SIGKILL. A third falls anywhere from the first moment of the process on, a
third while it trains, after it has saved something, and a third while it is writing a
file. The processes are forked from one that has imported torch.

The weights' file, the words, the classes and the config must be the same byte for byte
at the end, the tensors of the saved state bit for bit, and the metrics rows but for
their times.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rnncls.config.loading import load_config
from rnncls.machine.files import TEMPORARY
from rnncls.machine.tensors import load_tensors
from rnncls.runs.folder import CONFIG, LABELS, MODEL, STATE, VOCAB, RunFolder
from rnncls.training.resume import ResumeOptions
from rnncls.training.run import train

TIMES = {"elapsed_s", "tokens_per_s", "epoch_s"}
_FORKS = multiprocessing.get_context("forkserver")
MOMENTS = ("anywhere", "training", "writing")
CONFIG_TEXT = """
device: cpu
data: {train: words.csv, text: [text], valid_fraction: 0.2}
text: {min_freq: 1}
model:
  {embedding_dim: 64, hidden_size: 16, dropout: 0.3, word_dropout: 0.1,
  recurrent_dropout: 0.1}
train:
  {max_epochs: 8, batch_size: 16, lr: 0.01, average: 0.9, r_drop: 0.5, monitor: loss,
  patience: null, save_every: 0.001}
"""


def main() -> None:
    """Run the soak; leave with 1 where a run did not end as it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    _FORKS.set_forkserver_preload(["rnncls.training.run"])
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        try:
            num_runs, moments = soak(
                Path(folder), arguments.kills, random.Random(arguments.seed)
            )
        except RuntimeError as error:
            sys.exit(f"error: {error}")
        kinds = ", ".join(f"{moments[moment]} {moment}" for moment in MOMENTS)
        print(
            f"{moments.total()} kills ({kinds}) in {num_runs} runs: each ended as the"
            f" untouched one, bit for bit; {time.monotonic() - start:.0f} s"
        )


def soak(
    folder: Path, num_kills: int, chance: random.Random
) -> tuple[int, Counter[str]]:
    """Kill a number of trainings in a folder, one run after the other.

    Return the number of runs, and the kinds of kills.

    Raises:
        RuntimeError: A process ended with an error, or a run other than the untouched
            one.
    """
    write_data(folder)
    whole_s = min(play(folder, name, None, 0.0, chance) for name in ("warm", "whole"))
    expected = result_of(folder / "whole")
    moments: Counter[str] = Counter()
    num_runs = 0
    while moments.total() < num_kills:
        num_runs += 1
        name, is_finished = f"run-{num_runs}", False
        while not is_finished:
            moment = chance.choice(MOMENTS) if moments.total() < num_kills else None
            is_finished = play(folder, name, moment, whole_s, chance) > 0
            moments[str(moment)] += not is_finished
            print(
                f"\r{moments.total()} kills in {num_runs} runs",
                end="",
                file=sys.stderr,
                flush=True,
            )
        differing = [
            part
            for part, value in result_of(folder / name).items()
            if value != expected[part]
        ]
        if differing:
            raise RuntimeError(
                f"{name}, after {moments.total()} kills with those of earlier runs:"
                f" other {differing}"
            )
    print(file=sys.stderr)
    return num_runs, moments


def write_data(folder: Path) -> None:
    """Write a config and 480 rows of twelve words; the first of them decides."""
    chance, lines = random.Random(0), ["label,text"]
    for number in range(480):
        words = " ".join(f"w{chance.randrange(2000)}" for _ in range(11))
        lines.append(
            f"{'a' if number % 2 else 'b'},{'yes' if number % 2 else 'no'} {words}"
        )
    (folder / "words.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG_TEXT, encoding="utf-8")


def play(
    folder: Path, name: str, moment: str | None, whole_s: float, chance: random.Random
) -> float:
    """Start or resume a training in its own process, and kill it at such a moment.

    Args:
        folder: Where the config and the runs are.
        name: The run.
        moment: When to kill it; None: never.
        whole_s: How long the untouched run takes.
        chance: What draws the moment.

    Returns:
        The seconds that it took to come to its end; 0 where it was killed before.

    Raises:
        RuntimeError: It ended with an error.
    """
    start = time.monotonic()
    process = _FORKS.Process(target=train_in_process, args=(folder, name))
    process.start()
    if moment is not None:
        wait(process, folder / name, moment, whole_s, chance)
        process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{name}: the training left with {process.exitcode}")
    return time.monotonic() - start if process.exitcode == 0 else 0.0


def train_in_process(folder: Path, name: str) -> None:
    """Train, or go on where something is there."""
    os.chdir(folder)
    tqdm.set_lock(
        threading.RLock()
    )  # not one for several processes, which a killed one would leave behind
    path = Path(name)
    is_begun = path.exists() and any(path.iterdir())
    train(load_config("config.yaml"), path, ResumeOptions(resume=is_begun))


def wait(
    process: BaseProcess, path: Path, moment: str, whole_s: float, chance: random.Random
) -> None:
    """Return at a moment of the kind asked for, or when the process has ended."""
    if moment == "anywhere":
        sleep_until(lambda: False, process, chance.uniform(0, whole_s / 2))
        return
    before = changed_at(path)
    sleep_until(lambda: changed_at(path) != before, process)
    sleep_until(lambda: False, process, chance.uniform(0, whole_s / 4))
    if moment == "writing":
        sleep_until(lambda: is_writing(path), process)


def sleep_until(
    is_time: Callable[[], bool], process: BaseProcess, longest_s: float = 600.0
) -> None:
    deadline = time.monotonic() + longest_s
    while not is_time() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.0005)


def changed_at(path: Path) -> int:
    """Return when the state of a run was last written; 0 where there is none."""
    try:
        return RunFolder(path).state.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def is_writing(path: Path) -> bool:
    """Return whether a file is being written in a run folder."""
    return any(path.glob(TEMPORARY)) or any(path.glob(f"last/{TEMPORARY}"))


def result_of(path: Path) -> dict[str, Any]:
    """Return all of a run that does not depend on the time."""
    tensors, meta = load_tensors(RunFolder(path).state)
    rows = [
        json.loads(line)
        for line in RunFolder(path).metrics.read_text(encoding="utf-8").splitlines()
    ]
    return {
        **{name: (path / name).read_bytes() for name in (MODEL, CONFIG, VOCAB, LABELS)},
        "metrics.jsonl": [
            {key: value for key, value in row.items() if key not in TIMES}
            for row in rows
        ],
        STATE: {
            name: (tensor.dtype, tensor.shape, tensor.numpy().tobytes())
            for name, tensor in tensors.items()
        },
        "place": {
            key: value for key, value in meta["place"].items() if key not in TIMES
        },
        "files": sorted(file.relative_to(path).as_posix() for file in path.rglob("*")),
    }


if __name__ == "__main__":
    main()
