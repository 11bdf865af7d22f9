"""Set runs beside a baseline on the same rows: accuracies, their mean and deviation, and McNemar's exact test of each.

python scripts/compare_runs.py BASELINE RUN [RUN …] [--split test]
"""

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls.checkpoint import SUMMARY, load_run
from rnncls.corpus import load_split
from rnncls.evaluator import compute_logits
from rnncls.storage import read_json


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("baseline", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    arguments = parser.parse_args()
    baseline, rows = is_right(arguments.baseline, arguments.split)
    print(json.dumps({"run": str(arguments.baseline), "accuracy": baseline.mean(), "num_rows": len(baseline)}))
    accuracies = []
    for path in arguments.runs:
        right, own_rows = is_right(path, arguments.split)
        if own_rows != rows:
            sys.exit(f"{path}: was not judged on the rows of {arguments.baseline}: {own_rows} instead of {rows}")
        gained, lost = int((right & ~baseline).sum()), int((baseline & ~right).sum())
        accuracies.append(float(right.mean()))
        result = {"run": str(path), "accuracy": accuracies[-1], "gained": gained, "lost": lost}
        print(json.dumps(result | {"p": mcnemar(gained, lost)}))
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    print(json.dumps({"mean": statistics.mean(accuracies), "deviation": deviation}))


def is_right(path: Path, split: str) -> tuple[npt.NDArray[np.bool_], list[Any]]:
    """Return which rows of a split a run judges right, [N], and what tells these rows from others."""
    run = load_run(path)
    rows, origin = load_split(run.config, "test" if split == "test" else "valid", run.vocab, run.label_names)
    predictions = compute_logits(run.model.to(torch.device("cpu")), rows.texts).argmax(dim=1).numpy()
    right: npt.NDArray[np.bool_] = predictions == rows.labels
    drawn = read_json(path / SUMMARY)["data"].get("split") if split == "valid" else None
    return right, [origin["sha256"], drawn]


def mcnemar(gained: int, lost: int) -> float:
    """Return how probable so uneven a split of the rows judged differently is, were either outcome as likely (1947)."""
    num_differing, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(num_differing, k) for k in range(fewer + 1))
    return min(1.0, tail / 2 ** (num_differing - 1)) if num_differing else 1.0


if __name__ == "__main__":
    main()
