"""Measure what it costs to continue a run on new rows, instead of training anew.

The first run has three classes of AG News and half of their rows; then the others come.
The table has test accuracy and CPU time, of training anew on all rows and of
`rnncls train --from` with several shares of the earlier rows (`train.replay`), on the
new rows and on a file of all rows.

    python scripts/new_rows.py DATA [--config configs/ag_news.yaml] [--rows N]
        [--epochs 2] [--replay 0 0.25] [--set KEY.PATH=VALUE] [--out build/new-rows]

DATA has train.csv and test.csv of AG News. With `--rows`, only so many training rows
are used. A run that exists in the folder is not trained again.
"""

import argparse
import json
import random
import time
from pathlib import Path
from typing import NamedTuple

from rnncls.cli.reporting.display import percent, percent_range
from rnncls.config.loading import load_config
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.training.run import train

NEW_CLASS = '"4"'
"""The beginning of a line of the class that comes later."""


class Trained(NamedTuple):
    """A training and its scores on the test file.

    Attributes:
        name: The folder of the run.
        cpu_seconds: What the training took of all cores together, from the config to
            the run. It hardly depends on what else runs, as the time on a clock does.
        accuracy: The test accuracy.
        interval: Its 95% interval.
        recalls: The recall of each class, the earlier classes first.
    """

    name: str
    cpu_seconds: float
    accuracy: float
    interval: tuple[float, float]
    recalls: list[float]


def write_files(data: Path, folder: Path, num_rows: int | None) -> None:
    """Write the rows of the first day, those that come later, and all of them."""
    text = (data / "train.csv").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    generator = random.Random(0)
    generator.shuffle(lines)
    first: list[str] = []
    later: list[str] = []
    for line in lines[:num_rows]:
        is_later = line.startswith(NEW_CLASS) or generator.random() < 0.5
        (later if is_later else first).append(line)
    files = {"first.csv": first, "later.csv": later, "all.csv": [*first, *later]}
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (folder / name).write_text("".join(rows), encoding="utf-8")


def measure(
    name: str, options: argparse.Namespace, file: str, overrides: list[str]
) -> Trained:
    """Train a run on one of the files, and evaluate it on the test file."""
    folder, path = options.out, options.out / "runs" / name
    changes = [
        "data.name=null",
        f"data.train={folder / file}",
        "data.columns=[label, title, description]",
        *options.set,
        *overrides,
    ]
    took = folder / f"{name}.json"
    if not took.exists():
        start = time.process_time()
        train(load_config(options.config, changes), path, becomes_latest=False)
        took.write_text(json.dumps(time.process_time() - start))
    test = options.data / "test.csv"
    scores = evaluate_run(path, data=test, unknown_labels="wrong").scores()
    return Trained(
        name,
        json.loads(took.read_text()),
        scores.accuracy,
        scores.accuracy_interval,
        [row.recall for row in scores.per_class],
    )


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/ag_news.yaml"))
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--epochs", type=int, nargs="+", default=[2])
    parser.add_argument("--replay", type=float, nargs="+", default=[0.0, 0.25])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("build/new-rows"))
    return parser.parse_args()


def main() -> None:
    """Train all runs, and print the table."""
    options = read_options()
    write_files(options.data, options.out, options.rows)
    trained = [
        measure("first", options, "first.csv", []),
        measure("anew", options, "all.csv", []),
    ]
    start = f"model.pretrained={options.out / 'runs' / 'first'}"
    for num_epochs in options.epochs:
        overrides = [start, f"train.max_epochs={num_epochs}"]
        name = f"from-all-{num_epochs}"
        trained.append(measure(name, options, "all.csv", overrides))
        for replay in options.replay:
            name = f"from-later-{num_epochs}-{replay}"
            more = [*overrides, f"train.replay={replay}"]
            trained.append(measure(name, options, "later.csv", more))
    print("| run | CPU seconds | test accuracy (95% interval) | recall of each class |")
    print("|---|--:|---|---|")
    for row in trained:
        interval = percent_range(row.interval)
        recalls = ", ".join(percent(recall) for recall in row.recalls)
        accuracy = f"{percent(row.accuracy)} ({interval})"
        print(f"| {row.name} | {row.cpu_seconds:.0f} | {accuracy} | {recalls} |")


if __name__ == "__main__":
    main()
