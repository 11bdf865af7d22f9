"""Classify many texts with Ray Data, and compare it with `rnncls predict`.

The texts are those of AG News, repeated, in many files. Each way is a program of its
own; its time is that of the complete program. Needs the extras `onnx` and `ray`.

    python scripts/bulk.py RUN --data data/ag_news/train.csv [--texts 1000000]
"""

import argparse
import csv
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

import rnncls

ROWS_PER_FILE = 10_000
RAY = """
import sys
import ray
from rnncls.ray import Classify

model, texts, output, num_processes = sys.argv[1:]
num_processes = int(num_processes)
# Two more than there are: reading and writing need little, but Ray lets them wait.
ray.init(
    num_cpus=num_processes + 2,
    include_dashboard=False,
    object_store_memory=1_000_000_000,
)
ray.data.DataContext.get_current().enable_progress_bars = False
# A process classifies a block at a time: with Ray's 128 MB, the others would wait.
ray.data.DataContext.get_current().target_max_block_size = 4_000_000
dataset = ray.data.read_parquet(texts).map_batches(
    Classify,
    fn_constructor_args=(model,),
    batch_size=1024,
    compute=ray.data.ActorPoolStrategy(size=num_processes),
)
dataset.drop_columns(["text", "prob", "probs"]).write_parquet(output)
"""


class Way(NamedTuple):
    """A way to classify the files.

    Attributes:
        name: What the table shows.
        program: The command.
        output: The file or folder that it writes, with the columns `id` and `label`.
    """

    name: str
    program: list[str]
    output: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a run on AG News")
    parser.add_argument("--data", type=Path, required=True, help="train.csv")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts").mkdir()
        write_texts(arguments.data, folder / "texts", arguments.texts)
        rnncls.export(arguments.run, folder / "model.onnx")
        ways = list_ways(arguments.run.resolve(), folder, arguments.processes)
        compare(ways, arguments.texts)


def write_texts(source: Path, folder: Path, num_texts: int) -> None:
    """Write texts with their numbers as files of Parquet."""
    with source.open(encoding="utf-8", newline="") as stream:
        texts = [" ".join(row[1:]) for row in csv.reader(stream)]
    repeated = itertools.islice(itertools.cycle(texts), num_texts)
    for first in range(0, num_texts, ROWS_PER_FILE):
        part = list(itertools.islice(repeated, ROWS_PER_FILE))
        ids = np.arange(first, first + len(part))
        table = pa.table({"id": ids, "text": part})
        pa.parquet.write_table(table, folder / f"{first:010}.parquet")


def list_ways(run: Path, folder: Path, num_processes: int) -> list[Way]:
    """Return the ways, that of the run first."""
    texts, model = folder / "texts", folder / "model.onnx"
    ways = []
    for name, source in (("run", run), ("ONNX file", model)):
        output = folder / f"{source.name}.parquet"
        options = ["--run", str(source), "--input", str(texts), "--text", "text"]
        options += ["--keep", "id", "--output", str(output)]
        program = [sys.executable, "-m", "rnncls", "predict", *options]
        ways.append(Way(f"rnncls predict, {name}", program, output))
    output = folder / "labelled"
    program = [sys.executable, "-c", RAY, str(model), str(texts), str(output)]
    program.append(str(num_processes))
    ways.append(Way(f"Ray Data, {num_processes} processes", program, output))
    return ways


def compare(ways: Sequence[Way], num_texts: int) -> None:
    """Run each way and print a row of the table."""
    print("| way | seconds | texts a second | other labels than the run |")
    print("|---|--:|--:|--:|")
    expected = None
    for way in ways:
        start = time.perf_counter()
        subprocess.run(way.program, check=True, stdout=subprocess.DEVNULL)
        elapsed_s = time.perf_counter() - start
        labels = read_labels(way.output)
        expected = labels if expected is None else expected
        num_changed = int((labels != expected).sum())
        speed = f"{num_texts / elapsed_s:,.0f}"
        print(f"| {way.name} | {elapsed_s:.0f} | {speed} | {num_changed} |", flush=True)


def read_labels(output: Path) -> npt.NDArray[np.object_]:
    """Return the predicted labels in the order of the texts. [N] str."""
    table = pa.dataset.dataset(output).to_table(["id", "label"])
    order = np.argsort(table["id"].to_numpy().astype(np.int64))
    labels: npt.NDArray[np.object_] = table["label"].to_numpy()[order]
    return labels


if __name__ == "__main__":
    main()
