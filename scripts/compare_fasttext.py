"""Compare `rnncls train` with fastText with bigrams: time and test accuracy.

Each system runs in a process of its own, in turn.

fastText is given its text tokenised, by the same tokenizer, for which no time is
counted; rnncls starts from the CSV, with an empty cache of its own each time. Needs the
extras `bench` and `glove`.

    python scripts/compare_fasttext.py --root data [--pairs 5]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rnncls.config.loading import load_config
from rnncls.data.datasets import columns_of
from rnncls.data.readers import read_rows
from rnncls.text.tokenizer import build_tokenizer

FASTTEXT = """
import sys, fasttext
model = fasttext.train_supervised(
    sys.argv[1], dim=10, lr=0.25, epoch=5, wordNgrams=2, thread=2, verbose=0
)
if len(sys.argv) > 2:
    print(model.test(sys.argv[2])[1])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", default="data", help="the folder that holds ag_news/")
    parser.add_argument("--config", default="configs/ag_news_fast.yaml")
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split in ("train", "test"):
            write_tokenised(
                Path(arguments.root) / "ag_news" / f"{split}.csv",
                arguments.config,
                folder / split,
            )
        fasttext = [sys.executable, "-c", FASTTEXT, str(folder / "train")]
        pairs, accuracies = [], []
        for seed in range(arguments.pairs):
            run = folder / f"run{seed}"
            settings = ["--set", f"data.root={arguments.root}", "--set", f"seed={seed}"]
            own = [
                sys.executable,
                "-m",
                "rnncls",
                "train",
                "--config",
                arguments.config,
                *settings,
                "--out",
                str(run),
            ]
            pairs.append(
                (seconds(own, folder / f"cache{seed}"), seconds(fasttext, folder))
            )
            scores = subprocess.run(
                [sys.executable, "-m", "rnncls", "eval", str(run), "--json"],
                capture_output=True,
                check=True,
            )
            accuracies.append(json.loads(scores.stdout)["accuracy"])
        scores = subprocess.run(
            [*fasttext, str(folder / "test")], capture_output=True, check=True
        )
    own_s, fasttext_s = (
        statistics.median(column) for column in zip(*pairs, strict=True)
    )
    result = {
        "own_s": own_s,
        "fasttext_s": fasttext_s,
        "ratio": statistics.median(own / other for own, other in pairs),
        "own_accuracies": accuracies,
        "own_accuracy": statistics.mean(accuracies),
        "fasttext_accuracy": float(scores.stdout),
    }
    print(json.dumps(result, indent=2))


def write_tokenised(source: Path, config: str, target: Path) -> None:
    checked = load_config(config)
    tokenize = build_tokenizer(checked.text)
    with target.open("w", encoding="utf-8") as stream:
        for rows in read_rows(source, columns_of(checked.data)):
            for text, label in zip(rows.texts, rows.labels, strict=True):
                stream.write(f"__label__{label} {' '.join(tokenize(text))}\n")


def seconds(command: list[str], cache: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        command,
        capture_output=True,
        check=True,
        env={**os.environ, "RNNCLS_CACHE": str(cache)},
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
