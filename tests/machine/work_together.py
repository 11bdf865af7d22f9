"""Run commands of the program in each process that torchrun starts for the tests.

The arguments are a file with the commands, a list of lists in JSON in which RANK is the
process's number, and the step at which the second process is killed in the last
command, before torchrun starts all of them anew. A command after STOP_SECOND is one in
which the second process alone is asked to stop.
"""

import atexit
import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from rnncls.cli.main import run
from rnncls.inference import windows
from rnncls.text.batching import Batch
from rnncls.training.trainer import Trainer

RANK, IS_AGAIN = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
STOP_SECOND = "--stop-second"


def main(commands: list[list[str]], kill_at: int) -> None:
    atexit.register(note_group)  # before the program's own, which then is called first
    windows.PIECES_A_WINDOW = 1  # several windows of few texts
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(
            0, [min(os.sched_getaffinity(0))]
        )  # a second thread would only slow these networks down
    notes = Path(f"outcomes-{RANK}.json")
    outcomes: list[Any] = json.loads(notes.read_text()) if IS_AGAIN else []
    for number, command in enumerate(commands):
        if number < len(outcomes):
            continue
        is_last = number == len(commands) - 1
        if is_last:
            watch_steps(kill_at)
        outcome = outcome_of(command)
        if is_last and outcome[0]:  # as the program does, for torchrun to start it anew
            sys.stderr.write(outcome[2])
            sys.exit(outcome[0])
        notes.write_text(json.dumps([*outcomes, outcome]))
        outcomes.append(outcome)


def outcome_of(command: list[str]) -> tuple[int, str, str]:
    is_stopped = command[0] == STOP_SECOND
    arguments = command[1:] if is_stopped else command
    sys.argv = ["rnncls", *(argument.replace("RANK", RANK) for argument in arguments)]
    stdout, stderr = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            if is_stopped and RANK == "1":
                run_and_stop()
            else:
                run()
    except SystemExit as leaving:
        return int(leaving.code or 0), stdout.getvalue(), stderr.getvalue()
    return 0, stdout.getvalue(), stderr.getvalue()


def run_and_stop() -> None:
    """Run a training that is asked to stop in its third step."""
    take_step = Trainer.train_step

    def stopped(self: Trainer[Any], batch: Batch) -> torch.Tensor:
        if self.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return take_step(self, batch)

    Trainer.train_step = stopped  # type: ignore[method-assign]
    try:
        run()
    finally:
        Trainer.train_step = take_step  # type: ignore[method-assign]


def note_group() -> None:
    """Write down whether the process group or one of gloo's threads still exists."""
    names = [
        path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")
    ]  # on Linux
    threads = [name for name in names if "gloo" in name]
    Path(f"group-{RANK}.json").write_text(json.dumps([dist.is_initialized(), threads]))


def watch_steps(kill_at: int) -> None:
    """Note each step, and die in one of them."""
    take_step = Trainer.train_step

    def watched(self: Trainer[Any], batch: Batch) -> torch.Tensor:
        with Path(f"steps-{RANK}.txt").open("a") as file:
            file.write(f"{self.step}\n")
        if RANK == "1" and not IS_AGAIN and self.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return take_step(self, batch)

    Trainer.train_step = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]))
