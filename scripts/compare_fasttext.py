"""Compare `rnncls train` with fastText with bigrams: time and test accuracy.

Each system runs in a process of its own, in turn, once with each seed.

fastText is given its text tokenised, by the same tokenizer, for which no time is
counted; rnncls starts from the CSV, with an empty cache of its own each time. Needs the
extra `bench`.

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
from typing import Any

from bench_packages import require

from rnncls.config.loading import load_config
from rnncls.data.datasets import columns_of
from rnncls.data.readers import read_rows
from rnncls.text.tokenizer import build_tokenizer

RNNCLS = [sys.executable, "-m", "rnncls"]
FASTTEXT = """
import sys, fasttext
train, seed, *test = sys.argv[1:]
model = fasttext.train_supervised(
    train, dim=10, lr=0.25, epoch=5, wordNgrams=2, minCount=1, thread=2,
    seed=int(seed), verbose=0
)
if test:
    print(model.test(test[0])[1])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", default="data", help="the folder that holds ag_news/")
    parser.add_argument("--config", default="configs/ag_news_fast.yaml")
    parser.add_argument("--pairs", type=int, default=5, help="seeds of each system")
    arguments = parser.parse_args()
    require(parser, "fasttext")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split in ("train", "test"):
            source = Path(arguments.root) / "ag_news" / f"{split}.csv"
            write_tokenised(source, arguments.config, folder / split)
        times, accuracies = [], []
        for seed in range(arguments.pairs):
            run, cache = folder / f"run{seed}", folder / f"cache{seed}"
            own = train_command(arguments.config, arguments.root, seed, run)
            fasttext = [
                *(sys.executable, "-c", FASTTEXT),
                *(str(folder / "train"), str(seed)),
            ]
            times.append((measure_s(own, cache), measure_s(fasttext, cache)))
            own_scores = read_output([*RNNCLS, "eval", str(run), "--json"])
            fasttext_accuracy = read_output([*fasttext, str(folder / "test")])
            own_accuracy = json.loads(own_scores)["accuracy"]
            accuracies.append((own_accuracy, float(fasttext_accuracy)))
    print(json.dumps(summarize(times, accuracies), indent=2))


def train_command(config: str, root: str, seed: int, run: Path) -> list[str]:
    settings = ["--set", f"data.root={root}", "--set", f"seed={seed}"]
    return [*RNNCLS, "train", "--config", config, *settings, "--out", str(run)]


def summarize(
    times: list[tuple[float, float]], accuracies: list[tuple[float, float]]
) -> dict[str, Any]:
    """Return the figures of both systems; in each pair, the first is rnncls."""
    own_s, fasttext_s = zip(*times, strict=True)
    own, fasttext = zip(*accuracies, strict=True)
    return {
        "own_s": statistics.median(own_s),
        "fasttext_s": statistics.median(fasttext_s),
        "ratio": statistics.median(first / second for first, second in times),
        "own_accuracies": own,
        "own_accuracy": statistics.mean(own),
        "fasttext_accuracies": fasttext,
        "fasttext_accuracy": statistics.mean(fasttext),
    }


def read_output(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, check=True, text=True)
    return result.stdout


def write_tokenised(source: Path, config: str, target: Path) -> None:
    checked = load_config(config)
    tokenize = build_tokenizer(checked.text)
    with target.open("w", encoding="utf-8") as stream:
        for rows in read_rows(source, columns_of(checked.data)):
            for text, label in zip(rows.texts, rows.labels, strict=True):
                stream.write(f"__label__{label} {' '.join(tokenize(text))}\n")


def measure_s(command: list[str], cache: Path) -> float:
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
