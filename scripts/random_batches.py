"""Measure whether batches of texts of similar length cost accuracy.

Trains a config with such batches and with random ones, for several seeds.

python scripts/random_batches.py configs/ag_news_small.yaml --set data.root=FOLDER
[--seeds 3]
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt

from rnncls.config.loading import load_config
from rnncls.text.batch_plans import plan_epoch
from rnncls.training import epochs
from rnncls.training.run import train

Plan = list[npt.NDArray[np.int64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for name, plan in (("of similar length", plan_epoch), ("random", plan_at_random)):
        accuracies, seconds = [], []
        for seed in range(arguments.seeds):
            config = load_config(arguments.config, [*arguments.set, f"seed={seed}"])
            with (
                tempfile.TemporaryDirectory() as folder,
                mock.patch.object(epochs, "plan_epoch", plan),
            ):
                summary = train(config, Path(folder))
            accuracies.append(summary["valid"]["accuracy"])
            seconds.append(summary["train_s"])
        shown = ", ".join(f"{accuracy:.2%}" for accuracy in accuracies)
        print(
            f"batches {name}: validation accuracy {statistics.mean(accuracies):.2%}"
            f" ({shown}),",
            end=" ",
        )
        print(f"{statistics.median(seconds):.1f} s of training")


def plan_at_random(
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    seed: int,
    epoch: int,
    balanced_labels: npt.NDArray[np.int64] | None = None,
) -> Plan:
    assert balanced_labels is None, "this script does not measure balanced sampling"
    shuffled = np.random.default_rng((seed, epoch)).permutation(len(lengths))
    return [
        shuffled[start : start + batch_size]
        for start in range(0, len(shuffled), batch_size)
    ]


if __name__ == "__main__":
    main()
