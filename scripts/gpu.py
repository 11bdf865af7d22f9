"""Check on a GPU all that the tests on a CPU cannot: correctness, speed, accuracy.

    python scripts/gpu.py --data data --out gpu-check

The data folder holds `ag_news/train.csv` and `ag_news/test.csv`; nothing is downloaded.
The training file is repeated to 120,000 rows, the size of AG News. Each part has a time
limit, and all of them together too. A part that fails is reported, and the next part
runs. The results are written to `result.json` and `table.md`.

Exit codes: 0 nothing failed, 1 a part failed, 5 there is no GPU. On a computer without
a GPU, `--device cpu --rows 2000` runs the same parts on the CPU.
"""

import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from rnncls import DeviceError
from rnncls.machine.device import has_bfloat16_products

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "ag_news.yaml"
NUM_ROWS = 120_000
TOTAL_LIMIT_S = 350.0
EPOCH_AIM_S = 2.0
"""The aim for an epoch of 120,000 rows, with 100 embedding and 128 hidden units."""
LARGEST_ACCURACY_GAP = 0.01
LARGEST_PROB_GAP = 1e-3
NUM_ACCURACY_ROWS = 12_000
"""Rows of the training file for the accuracies on the CPU and on the GPU."""
NUM_SMALL_ROWS = 2000
"""Rows of the training file for the parts that compare runs bit for bit."""
DETERMINISTIC = (
    "deterministic=true",
    "train.schedule=constant",
    "train.warmup_fraction=0.0",
)
"""Settings with which the learning rate does not depend on the number of epochs."""
SMALL_MODEL = ("model.embedding_dim=16", "model.hidden_size=16")
"""Settings for a trial run on a CPU."""
TIMES = {"elapsed_s", "tokens_per_s", "epoch_s"}
"""Keys of a metrics row that differ between equal runs."""


class CheckError(Exception):
    """A part did not do what it should."""


class SkippedError(Exception):
    """A part needs something that this machine does not have."""


@dataclass
class Machine:
    """Where the parts run.

    Attributes:
        device: cuda or cpu.
        folder: Data, runs and results are written here.
        settings: Config values for all trainings, as KEY.PATH=VALUE.
        deadline: Time of `time.monotonic` at which the current part must end.
    """

    device: str
    folder: Path
    settings: tuple[str, ...] = (
        "text.vectors=null",
        "model.tokens_per_step=1",
        "train.adversarial=0",
    )
    deadline: float = 0.0

    def run(
        self, command: Sequence[str], *, hide_gpu: bool = False, name: str = "python"
    ) -> str:
        """Run a Python command until the deadline of the part; return its stdout.

        Raises:
            CheckError: The command failed, or ran out of time.
        """
        paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "RNNCLS_CACHE": str(self.folder / "cache"),
        }
        if hide_gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        left_s = self.deadline - time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=max(left_s, 0.1),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"{name}: out of time") from error
        if done.returncode != 0:
            last_lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise CheckError(
                f"{name}: exit code {done.returncode}: {' / '.join(last_lines)}"
            )
        return done.stdout

    def rnncls(self, *arguments: str, hide_gpu: bool = False) -> str:
        """Run a command of the program; return its stdout."""
        command = ["-m", "rnncls", *arguments]
        return self.run(command, hide_gpu=hide_gpu, name=f"rnncls {arguments[0]}")

    def train(
        self, run: str, data: str, *settings: str, device: str | None = None
    ) -> Path:
        """Train a run on one of the data folders; return the run folder."""
        path = self.folder / "runs" / run
        arguments = self.train_arguments(data, path, settings)
        self.rnncls(*arguments, "--device", device or self.device)
        return path

    def train_arguments(
        self, data: str, run: Path, settings: Sequence[str]
    ) -> list[str]:
        """Return the arguments of `rnncls` that train AG News."""
        changes = self.config_arguments(data, settings)
        return ["train", *changes, "--out", str(run)]

    def config_arguments(self, data: str, settings: Sequence[str] = ()) -> list[str]:
        """Return the arguments that name the config, the data and other settings."""
        values = [f"data.root={self.folder / data}", *self.settings, *settings]
        changes = [argument for value in values for argument in ("--set", value)]
        return ["--config", str(CONFIG), *changes]


@dataclass(frozen=True)
class Part:
    """One part of the check.

    Attributes:
        name: As the table shows it.
        limit_s: Seconds after which the part fails.
        check: Returns the figures of the part.
    """

    name: str
    limit_s: float
    check: Callable[[Machine], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What a part did: `passed`, `failed` or `skipped`, why, and its figures."""

    part: str
    status: str
    seconds: float = 0.0
    reason: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def main() -> None:
    """Run all parts and write the results; exit with 0, 1 or 5."""
    arguments = parse_arguments()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(
            "error: no CUDA device was found: use a machine with a GPU, or try"
            " --device cpu --rows 2000\n"
        )
        sys.exit(DeviceError.exit_code)
    folder = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    repeat_rows(arguments.data, folder / "data", arguments.rows)
    for name, num_rows in (("some", NUM_ACCURACY_ROWS), ("small", NUM_SMALL_ROWS)):
        repeat_rows(arguments.data, folder / name, min(arguments.rows, num_rows))
    machine = Machine(arguments.device, folder)
    if arguments.device == "cpu":
        machine.settings += SMALL_MODEL
    parts = [part for part in PARTS if arguments.part in part.name]
    outcomes = run_parts(machine, parts)
    write_results(outcomes, describe_machine(arguments), folder)
    sys.exit(any(outcome.status == "failed" for outcome in outcomes))


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="holds ag_news/")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--rows", type=int, default=NUM_ROWS)
    parser.add_argument("--part", default="", help="only parts with this in their name")
    return parser.parse_args()


def run_parts(machine: Machine, parts: Sequence[Part]) -> list[Outcome]:
    """Run the parts one after the other, and print a line for each."""
    end = time.monotonic() + TOTAL_LIMIT_S
    outcomes = []
    for part in parts:
        outcome = run_part(machine, part, end)
        outcomes.append(outcome)
        print(table_row(outcome), flush=True)
    return outcomes


def run_part(machine: Machine, part: Part, end: float) -> Outcome:
    """Run one part within its own limit and the limit of all parts."""
    start = time.monotonic()
    machine.deadline = min(start + part.limit_s, end)
    figures: dict[str, Any] = {}
    try:
        figures = part.check(machine)
        status, reason = "passed", ""
    except SkippedError as error:
        status, reason = "skipped", str(error)
    except (CheckError, OSError, ValueError, KeyError) as error:
        status, reason = "failed", str(error)
    seconds = round(time.monotonic() - start, 1)
    return Outcome(part.name, status, seconds, reason, figures)


# Data


def repeat_rows(source: Path, target: Path, num_rows: int) -> None:
    """Write AG News with its training rows repeated, or cut, to a number of rows."""
    folder = target / "ag_news"
    folder.mkdir(parents=True, exist_ok=True)
    with (source / "ag_news" / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows(itertools.islice(itertools.cycle(rows), num_rows))
    test_file = (source / "ag_news" / "test.csv").read_bytes()
    (folder / "test.csv").write_bytes(test_file)


# Parts


def run_gpu_tests(machine: Machine) -> dict[str, Any]:
    """Run the tests that need a GPU."""
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "tests"]
    stdout = machine.run(command, name="pytest")
    return {"pytest": stdout.strip().splitlines()[-1]}


def check_deterministic(machine: Machine) -> dict[str, Any]:
    """Train twice with `deterministic: true`; the runs must be equal bit for bit."""
    settings = (*DETERMINISTIC, "train.max_epochs=2")
    first = machine.train("deterministic-1", "small", *settings)
    second = machine.train("deterministic-2", "small", *settings)
    check_equal_runs(first, second)
    return {"valid_accuracy": read_summary(first)["valid"]["accuracy"]}


def check_resume(machine: Machine) -> dict[str, Any]:
    """Resume a run after its first epoch; it must equal the uninterrupted run."""
    resumed = machine.train("resumed", "small", *DETERMINISTIC, "train.max_epochs=1")
    settings = (*DETERMINISTIC, "train.max_epochs=2")
    arguments = machine.train_arguments("small", resumed, settings)
    machine.rnncls(*arguments, "--device", machine.device, "--resume")
    uninterrupted = machine.folder / "runs" / "deterministic-1"
    check_equal_runs(uninterrupted, resumed)
    return {"num_epochs": read_summary(resumed)["num_epochs"]}


def train_on_cpu(machine: Machine) -> dict[str, Any]:
    """Train on a part of AG News on the CPU in float32, for comparison."""
    return measure_accuracy(machine, "cpu", "float32", "cpu")


def train_in_float32(machine: Machine) -> dict[str, Any]:
    """Train AG News on the device in float32."""
    return measure_training(machine, "float32")


def train_in_bfloat16(machine: Machine) -> dict[str, Any]:
    """Train AG News on the device in bfloat16."""
    if machine.device == "cpu" and not has_bfloat16_products():
        raise SkippedError("this CPU has no instructions for products in bfloat16")
    return measure_training(machine, "bfloat16")


def measure_training(machine: Machine, precision: str) -> dict[str, Any]:
    """Train on all rows for the speed, and on a part of them for the accuracy.

    The seconds of an epoch are those of the second one: in the first one, kernels are
    chosen and memory is allocated.

    Raises:
        CheckError: The test accuracy is too far from that of the run on the CPU.
    """
    settings = (f"train.precision={precision}", "train.max_epochs=2")
    path = machine.train(precision, "data", *settings)
    times = [row["elapsed_s"] for row in read_metrics(path)]
    epoch_s = times[1] - times[0]
    figures = measure_accuracy(machine, f"some-{precision}", precision, machine.device)
    return {
        "epoch_s": round(epoch_s, 3),
        "meets_epoch_aim": epoch_s <= EPOCH_AIM_S,
        "valid_accuracy_of_all_rows": read_summary(path)["valid"]["accuracy"],
        **figures,
        **compare_with_cpu(machine, figures["test_accuracy"]),
    }


def measure_accuracy(
    machine: Machine, run: str, precision: str, device: str
) -> dict[str, Any]:
    """Train on a part of the rows for three epochs; return the test accuracy."""
    settings = (f"train.precision={precision}", "train.max_epochs=3")
    path = machine.train(run, "some", *settings, device=device)
    scores = json.loads(machine.rnncls("eval", str(path), "--json", "--device", device))
    return {
        "test_accuracy": scores["accuracy"],
        "test_accuracy_interval": scores["accuracy_interval"],
    }


def compare_with_cpu(machine: Machine, test_accuracy: float) -> dict[str, Any]:
    """Return the gap in test accuracy to the run that was trained on the CPU.

    Raises:
        CheckError: The gap is too large.
    """
    path = machine.folder / "runs" / "cpu" / "eval-test.json"
    if not path.is_file():
        raise CheckError("the run on the CPU is missing, so nothing to compare with")
    cpu_accuracy = json.loads(path.read_text(encoding="utf-8"))["accuracy"]
    gap = test_accuracy - cpu_accuracy
    if abs(gap) > LARGEST_ACCURACY_GAP:
        raise CheckError(
            f"test accuracy {test_accuracy:.4f}, but {cpu_accuracy:.4f} on the CPU"
        )
    return {"accuracy_gap_to_cpu": round(gap, 5)}


def benchmark_train(machine: Machine) -> dict[str, Any]:
    """Run `rnncls benchmark train`."""
    return run_benchmark(machine, "train")


def benchmark_predict(machine: Machine) -> dict[str, Any]:
    """Run `rnncls benchmark predict`."""
    return run_benchmark(machine, "predict")


def run_benchmark(machine: Machine, command: str) -> dict[str, Any]:
    """Run a benchmark on the small data; return its speed and ratio."""
    arguments = ["benchmark", command, *machine.config_arguments("small"), "--json"]
    arguments += ["--device", machine.device]
    result = json.loads(machine.rnncls(*arguments))
    return {name: result[name] for name in ("ratio", "tokens_per_s")}


def train_with_two_processes(machine: Machine) -> dict[str, Any]:
    """Train with two processes; the losses must be those of one process.

    The processes communicate over NCCL on GPUs, over gloo on a CPU.
    """
    if machine.device == "cuda" and torch.cuda.device_count() < 2:
        raise SkippedError("this machine has one GPU, two processes need two")
    settings = ("train.max_epochs=2", "train.precision=float32")
    one = machine.train("one-process", "small", *settings)
    two = machine.folder / "runs" / "two-processes"
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    address = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    arguments = machine.train_arguments("small", two, settings)
    program = ["-m", "rnncls", *arguments, "--device", machine.device]
    machine.run([*torchrun, *address, *program], name="torchrun")
    losses = [[row["train_loss"] for row in read_metrics(run)] for run in (one, two)]
    gap = max(abs(first - second) for first, second in zip(*losses, strict=True))
    if gap > LARGEST_PROB_GAP:
        raise CheckError(f"training losses differ by {gap:.2g} from one process")
    return {"loss_gap": gap}


def predict_on_cpu(machine: Machine) -> dict[str, Any]:
    """Predict the test texts with the trained run on the device, then without a GPU."""
    run = machine.folder / "runs" / "float32"
    test_file = machine.folder / "small" / "ag_news" / "test.csv"
    texts = machine.folder / "texts.txt"
    with test_file.open(newline="", encoding="utf-8") as file:
        lines = [" ".join(row[1:]) for row in csv.reader(file)]
    texts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["predict", "--run", str(run), "--input", str(texts), "--json"]
    on_device = read_probs(machine.rnncls(*arguments, "--device", machine.device))
    on_cpu = read_probs(machine.rnncls(*arguments, "--device", "cpu", hide_gpu=True))
    gap = max(
        abs(first - second) for first, second in zip(on_device, on_cpu, strict=True)
    )
    if gap > LARGEST_PROB_GAP:
        raise CheckError(f"probabilities differ by {gap:.2g} between device and CPU")
    return {"num_texts": len(lines), "prob_gap": gap}


PARTS = (
    Part("tests marked gpu", 60, run_gpu_tests),
    Part("deterministic training", 60, check_deterministic),
    Part("exact resume", 60, check_resume),
    Part("training on the CPU", 90, train_on_cpu),
    Part("training in float32", 90, train_in_float32),
    Part("training in bfloat16", 90, train_in_bfloat16),
    Part("a run of the GPU on a CPU", 40, predict_on_cpu),
    Part("two processes", 60, train_with_two_processes),
    Part("benchmark train", 60, benchmark_train),
    Part("benchmark predict", 60, benchmark_predict),
)


# Files of a run


def check_equal_runs(first: Path, second: Path) -> None:
    """Check that two runs have the same weights and metrics.

    Raises:
        CheckError: They differ.
    """
    weights = [load_file(run / "model.safetensors") for run in (first, second)]
    if not have_equal_tensors(*weights):
        raise CheckError(f"{first.name} and {second.name} have different weights")
    if read_metrics(first, TIMES) != read_metrics(second, TIMES):
        raise CheckError(f"{first.name} and {second.name} have different metrics")


def have_equal_tensors(
    first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]
) -> bool:
    """Return whether two models have the same tensors, bit for bit."""
    if first.keys() != second.keys():
        return False
    return all(torch.equal(first[name], second[name]) for name in first)


def read_metrics(
    run: Path, ignored: set[str] | frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Return the rows of a run's metrics, without some keys."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        {key: value for key, value in row.items() if key not in ignored} for row in rows
    ]


def read_summary(run: Path) -> dict[str, Any]:
    """Return the summary of a run."""
    summary: dict[str, Any] = json.loads(
        (run / "summary.json").read_text(encoding="utf-8")
    )
    return summary


def read_probs(stdout: str) -> list[float]:
    """Return all probabilities of the JSON lines of `rnncls predict`."""
    rows = [json.loads(line) for line in stdout.splitlines()]
    return [prob for row in rows for prob in row["probs"].values()]


# Results


def describe_machine(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the figures depend on."""
    is_cuda = arguments.device == "cuda"
    return {
        "device": torch.cuda.get_device_name() if is_cuda else "CPU",
        "num_gpus": torch.cuda.device_count(),
        "num_cores": os.cpu_count(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "num_rows": arguments.rows,
    }


def write_results(
    outcomes: Sequence[Outcome], machine: dict[str, Any], folder: Path
) -> None:
    """Write `result.json`, and `table.md` for docs/results/performance.md."""
    document = {"machine": machine, "parts": [asdict(outcome) for outcome in outcomes]}
    text = json.dumps(document, indent=2) + "\n"
    (folder / "result.json").write_text(text, encoding="utf-8")
    title = ", ".join(f"{name} {value}" for name, value in machine.items())
    head = ["| part | result | s | figures |", "|---|---|--:|---|"]
    rows = [table_row(outcome) for outcome in outcomes]
    table = "\n".join([f"{title}.", "", *head, *rows]) + "\n"
    (folder / "table.md").write_text(table, encoding="utf-8")


def table_row(outcome: Outcome) -> str:
    """Return an outcome as a row of a Markdown table."""
    figures = ", ".join(
        f"{name} {display(value)}" for name, value in outcome.figures.items()
    )
    notes = (outcome.reason or figures).replace("|", "/").replace("\n", " ")
    return f"| {outcome.part} | {outcome.status} | {outcome.seconds:.0f} | {notes} |"


def display(value: object) -> str:
    """Return a figure with at most four significant digits."""
    if isinstance(value, list):
        return " to ".join(display(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
