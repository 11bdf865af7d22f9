"""Plant wrong labels, and measure how many of them `rnncls label-issues` finds.

It draws rows of the training file of a config, gives a share of them another label, and
prints which of these are found:

    python scripts/planted_labels.py configs/ag_news_small.yaml --rows 7500
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from rnncls.config.loading import load_config
from rnncls.config.sections import Config, DataSection
from rnncls.data.datasets import locate, read_labelled
from rnncls.training.label_issues import LabelIssue, find_label_issues

SHOWN = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--rows", type=int, help="number of rows; default: all")
    parser.add_argument("--share", type=float, default=0.02, help="share to plant")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="draws rows and labels")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.set)
    rows = read_labelled_rows(config.data)
    generator = np.random.default_rng(arguments.seed)
    order = generator.permutation(len(rows))[: arguments.rows].tolist()
    rows = [rows[index] for index in order]
    planted = plant(rows, round(arguments.share * len(rows)), generator)
    started = time.perf_counter()
    issues = find_issues(config, rows, arguments.folds)
    seconds = time.perf_counter() - started
    print(f"{len(rows):,} rows, {len(planted):,} planted, {seconds:.0f} s")
    print(describe(issues, planted))


def read_labelled_rows(section: DataSection) -> list[tuple[str, str]]:
    """Return label and text of each training row."""
    rows: list[tuple[str, str]] = []
    for chunk in read_labelled(locate(section, "train"), section):
        rows += zip(chunk.labels, chunk.texts, strict=True)
    return rows


def plant(
    rows: list[tuple[str, str]], count: int, generator: np.random.Generator
) -> set[int]:
    """Give some rows another label, in place, and return their numbers, from 1."""
    names = sorted({label for label, _ in rows})
    chosen = generator.choice(len(rows), count, replace=False).tolist()
    for index in chosen:
        label, text = rows[index]
        others = [name for name in names if name != label]
        rows[index] = (others[int(generator.integers(len(others)))], text)
    return {index + 1 for index in chosen}


def find_issues(
    config: Config, rows: list[tuple[str, str]], num_folds: int
) -> list[LabelIssue]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["label", "text"])
            writer.writerows(rows)
        section = DataSection(
            train=str(path),
            text=["text"],
            label="label",
            split=config.data.split,
            valid_fraction=config.data.valid_fraction,
        )
        changed = config.replace(data=section)
        found = find_label_issues(changed, num_folds=num_folds, use_cache=False)
        return found.issues


def describe(issues: list[LabelIssue], planted: set[int]) -> str:
    """Return precision and recall of the rows that were found, one a line."""
    is_planted = [issue.row in planted for issue in issues]
    lines = [
        f"found {len(issues):,} rows, of them {sum(is_planted):,} planted: recall"
        f" {sum(is_planted) / len(planted):.1%}"
    ]
    for count in (SHOWN, len(planted)):
        precision = sum(is_planted[:count]) / count
        lines.append(f"precision of the first {count:,}: {precision:.1%}")
    twins = [
        issue.twin
        for issue in issues
        if issue.row in planted and issue.twin is not None
    ]
    num_near = sum(twin.is_near_duplicate for twin in twins)
    lines.append(f"planted rows with a near copy of another label: {num_near:,}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
