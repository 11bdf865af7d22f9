"""Measure `rnncls train --from` on AG News: accuracy, time and what is forgotten.

    python scripts/new_rows.py DATA [--seeds 0 1 2] [--rows N] [--epochs 2]
        [--replay 0 0.5] [--config configs/ag_news.yaml] [--set KEY=VALUE] [--out DIR]
    python scripts/new_rows.py DATA --one-class [--seeds 0 1 2] [--replay 0 0.5 1]

DATA has train.csv and test.csv of AG News. The first command compares continuing a run
with training anew: the first run has three classes and half of their rows, then all
other rows come. It continues on a file of all rows, and on a file of the new rows with
several shares of the earlier rows (`train.replay`). All runs have the same config and
the same validation rows, 5% of train.csv (the first run has no rows of the new class),
and none of them uses the cache of tokenised files. Scores are those of test.csv.

With `--one-class`, the first run has 1,000 rows of three classes each, and the new file
has 1,000 rows of the fourth class only. Scores are those of 750 validation rows of each
class.
"""

import argparse
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rnncls.cli.reporting.display import percent
from rnncls.config.loading import load_config
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.training.run import train

CLASSES = ('"1"', '"2"', '"3"', '"4"')
"""How the lines of each class begin. The last class comes later."""
NUM_ONE_CLASS, NUM_ONE_CLASS_VALID = 1000, 750
"""Rows of each class, with `--one-class`."""


class Trained(NamedTuple):
    """A training, and its scores.

    Attributes:
        name: What was trained.
        num_rows: The rows that it was trained on.
        seconds: The time of the complete training, from the config to the run.
        cpu_seconds: The same of all cores together, which hardly depends on what else
            runs.
        accuracy: The share of the rows that are classified correctly.
        recalls: The recall of each class, the earlier classes first.
    """

    name: str
    num_rows: int
    seconds: float
    cpu_seconds: float
    accuracy: float
    recalls: list[float]

    @property
    def earlier_recall(self) -> float:
        """The mean recall of the three earlier classes."""
        return statistics.mean(self.recalls[: len(CLASSES) - 1])


class Measurement(NamedTuple):
    """Where a seed's files and runs are, and how they are trained and scored.

    Attributes:
        folder: The folder.
        config: The config.
        overrides: Changes to it, KEY=VALUE each.
        test: The file with which runs are scored.
    """

    folder: Path
    config: Path
    overrides: list[str]
    test: Path

    def train(self, name: str, file: str, valid: str, *changes: str) -> Trained:
        """Train a run on one of the files, and score it."""
        path = self.folder / "runs" / name
        overrides = [
            "data.name=null",
            f"data.train={self.folder / file}",
            f"data.valid={self.folder / valid}",
            "data.columns=[label, title, description]",
            *self.overrides,
            *changes,
        ]
        start, cpu_start = time.perf_counter(), time.process_time()
        config = load_config(self.config, overrides)
        summary = train(config, path, use_cache=False, becomes_latest=False)
        seconds = time.perf_counter() - start
        cpu_seconds = time.process_time() - cpu_start
        evaluation = evaluate_run(path, data=self.test, unknown_labels="wrong")
        scores = evaluation.scores()
        return Trained(
            name,
            summary["data"]["num_train_rows"],
            seconds,
            cpu_seconds,
            scores.accuracy,
            [row.recall for row in scores.per_class],
        )

    def continue_run(self, name: str, file: str, valid: str, *changes: str) -> Trained:
        """Continue the first run on one of the files, and score the new run."""
        start = f"model.pretrained={self.folder / 'runs' / 'first'}"
        return self.train(name, file, valid, start, *changes)


def read_lines(path: Path, seed: int) -> list[str]:
    """Return the rows of a file in a random order."""
    with path.open(encoding="utf-8", newline="\n") as file:
        lines = file.readlines()
    random.Random(seed).shuffle(lines)
    return lines


def write_lines(folder: Path, **files: Iterable[str]) -> None:
    """Write CSV files, without a header."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        text = "".join(lines)
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")


def write_days(lines: Sequence[str], folder: Path) -> None:
    """Write the rows of the first day, those that come later, and all of them."""
    num_valid = len(lines) // 20
    valid, rows = lines[:num_valid], lines[num_valid:]
    num_seen = dict.fromkeys(CLASSES, 0)
    first: list[str] = []
    later: list[str] = []
    for line in rows:
        label = line[:3]
        num_seen[label] += 1
        is_later = label == CLASSES[-1] or num_seen[label] % 2 == 0
        (later if is_later else first).append(line)
    first_valid = [line for line in valid if line[:3] != CLASSES[-1]]
    write_lines(
        folder,
        first=first,
        later=later,
        all=rows,
        first_valid=first_valid,
        valid=valid,
    )


def write_one_class(lines: Sequence[str], folder: Path) -> None:
    """Write some rows of three classes, and a file of the fourth one only."""
    rows = defaultdict(list)
    valid = defaultdict(list)
    end = NUM_ONE_CLASS + NUM_ONE_CLASS_VALID
    for label in CLASSES:
        chosen = [line for line in lines if line.startswith(label)][:end]
        rows[label], valid[label] = chosen[:NUM_ONE_CLASS], chosen[NUM_ONE_CLASS:]
    *earlier, new = CLASSES
    first_valid = [line for label in earlier for line in valid[label]]
    write_lines(
        folder,
        first=[line for label in earlier for line in rows[label]],
        new=rows[new],
        first_valid=first_valid,
        valid=[*first_valid, *valid[new]],
    )


def compare_with_anew(options: argparse.Namespace, seed: int) -> list[Trained]:
    """Train anew, and continue the first run, on the same rows."""
    folder = options.out / f"seed-{seed}"
    write_days(read_lines(options.data / "train.csv", seed)[: options.rows], folder)
    overrides = [*options.set, f"seed={seed}"]
    test = options.data / "test.csv"
    measurement = Measurement(folder, options.config, overrides, test)
    first = measurement.train("first", "first.csv", "first_valid.csv")
    trained = [measurement.train("anew", "all.csv", "valid.csv"), first]
    for epochs in options.epochs:
        limit = f"train.max_epochs={epochs}"
        name = f"from, all rows, epochs {epochs}"
        trained.append(measurement.continue_run(name, "all.csv", "valid.csv", limit))
        for replay in options.replay:
            name = f"from, new rows, replay {replay}, epochs {epochs}"
            share = f"train.replay={replay}"
            trained.append(
                measurement.continue_run(name, "later.csv", "valid.csv", limit, share)
            )
    return trained


def compare_shares(options: argparse.Namespace, seed: int) -> list[Trained]:
    """Continue the first run on rows of a new class only."""
    folder = options.out / f"one-class-{seed}"
    write_one_class(read_lines(options.data / "train.csv", seed), folder)
    small = ["train.batch_size=32", "train.precision=float32", f"seed={seed}"]
    overrides = [*small, *options.set]
    test = folder / "valid.csv"
    measurement = Measurement(folder, options.config, overrides, test)
    trained = [measurement.train("first", "first.csv", "first_valid.csv")]
    for epochs in options.epochs:
        for replay in options.replay:
            name = f"replay {replay}, epochs {epochs}"
            changes = [f"train.max_epochs={epochs}", f"train.replay={replay}"]
            trained.append(
                measurement.continue_run(name, "new.csv", "valid.csv", *changes)
            )
    return trained


def print_table(seeds: Sequence[Sequence[Trained]]) -> None:
    """Print the means of each run over all seeds, compared with the first run listed.

    Args:
        seeds: For each seed its runs, in the same order.
    """
    columns = [
        *("run", "training rows", "seconds", "CPU seconds", "share of the seconds"),
        *("share of the CPU seconds", "accuracy", "difference in points"),
        *("of each seed", "recall of the earlier classes", "of the new one"),
    ]
    print(f"| {' | '.join(columns)} |")
    print(f"|---|{'--:|' * (len(columns) - 1)}")
    baselines = [trained[0] for trained in seeds]
    for runs in zip(*seeds, strict=True):
        print(f"| {' | '.join(list_cells(runs, baselines))} |")


def list_cells(runs: Sequence[Trained], baselines: Sequence[Trained]) -> list[str]:
    """Return the cells of a run.

    Args:
        runs: The run, with each seed.
        baselines: What it is compared with, with each seed.
    """
    mean = statistics.mean
    pairs = list(zip(runs, baselines, strict=True))
    share = mean(run.seconds / base.seconds for run, base in pairs)
    cpu_share = mean(run.cpu_seconds / base.cpu_seconds for run, base in pairs)
    differences = [100 * (run.accuracy - base.accuracy) for run, base in pairs]
    has_new_class = all(len(run.recalls) == len(CLASSES) for run in runs)
    return [
        runs[0].name,
        f"{runs[0].num_rows:,}",
        f"{mean(run.seconds for run in runs):.0f}",
        f"{mean(run.cpu_seconds for run in runs):.0f}",
        percent(share, 0),
        percent(cpu_share, 0),
        percent(mean(run.accuracy for run in runs)),
        f"{mean(differences):+.2f}",
        ", ".join(f"{difference:+.2f}" for difference in differences),
        percent(mean(run.earlier_recall for run in runs)),
        percent(mean(run.recalls[-1] for run in runs)) if has_new_class else "-",
    ]


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--one-class", action="store_true")
    parser.add_argument("--config", type=Path, default=Path("configs/ag_news.yaml"))
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[2])
    parser.add_argument("--replay", type=float, nargs="+", default=[0.0, 0.5])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("build/new-rows"))
    return parser.parse_args()


def main() -> None:
    """Train all runs, and print the table."""
    options = read_options()
    compare = compare_shares if options.one_class else compare_with_anew
    print_table([compare(options, seed) for seed in options.seeds])


if __name__ == "__main__":
    main()
