"""Plant wrong labels, and measure how many of them `rnncls label-issues` finds.

For each seed, it draws rows of the training file of a config, gives a share of them
another label, and prints how many of these are found as a row of a table in Markdown:

    python scripts/planted_labels.py configs/ag_news_small.yaml --rows 7500

Without --rows, all rows of the file are checked.
"""

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnncls.config.loading import load_config
from rnncls.config.sections import Config, DataSection
from rnncls.data.datasets import locate, read_labelled
from rnncls.training.label_issues import LabelIssue, find_label_issues

FIRST_COUNTS = (50, 100, 500)
"""How many of the first rows are looked at for a precision."""
Row = tuple[str, str]
"""Label and text."""


@dataclass(frozen=True)
class PlantedScores:
    """How many planted labels were found.

    Attributes:
        num_planted: The number of planted labels.
        num_found: The number of rows that were found.
        recall: The share of the planted labels that were found.
        precisions: The share of planted labels among the first rows, for each of
            `FIRST_COUNTS`, or among all rows that were found if they are fewer.
        average_precision: The mean over the planted labels of the precision down to
            each of them; 0 for one that was not found.
        num_near: How many of the planted labels that were found have a twin with nearly
            the same text.
    """

    num_planted: int
    num_found: int
    recall: float
    precisions: list[float]
    average_precision: float
    num_near: int

    @property
    def shares(self) -> list[float]:
        """The columns of a table that have a mean."""
        return [self.recall, *self.precisions, self.average_precision]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--rows", type=int, help="number of rows; default: all")
    parser.add_argument("--share", type=float, default=0.02, help="share to plant")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.set)
    all_rows = read_labelled_rows(config.data)
    print_header()
    scores = []
    for seed in arguments.seeds:
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(all_rows))[: arguments.rows].tolist()
        rows = [all_rows[index] for index in order]
        planted = plant(rows, round(arguments.share * len(rows)), generator)
        started = time.perf_counter()
        issues = find_issues(config, rows, arguments.folds)
        seconds = time.perf_counter() - started
        scores.append(score_issues(issues, planted))
        print_scores(f"{seed}", len(rows), scores[-1], seconds)
    if len(scores) > 1:
        print_means(scores)


def read_labelled_rows(section: DataSection) -> list[Row]:
    """Return label and text of each training row."""
    rows: list[Row] = []
    for chunk in read_labelled(locate(section, "train"), section):
        rows += zip(chunk.labels, chunk.texts, strict=True)
    return rows


def plant(rows: list[Row], count: int, generator: np.random.Generator) -> set[int]:
    """Give some rows another label, in place, and return their numbers, from 1."""
    names = sorted({label for label, _ in rows})
    chosen = generator.choice(len(rows), count, replace=False).tolist()
    for index in chosen:
        label, text = rows[index]
        others = [name for name in names if name != label]
        rows[index] = (others[int(generator.integers(len(others)))], text)
    return {index + 1 for index in chosen}


def find_issues(config: Config, rows: list[Row], num_folds: int) -> list[LabelIssue]:
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


def score_issues(issues: list[LabelIssue], planted: set[int]) -> PlantedScores:
    is_planted = [issue.row in planted for issue in issues]
    hits = np.cumsum(is_planted)  # by rank
    precision_at_hits = [
        hits[index] / (index + 1) for index, hit in enumerate(is_planted) if hit
    ]
    precisions = []
    for count in FIRST_COUNTS:
        first = is_planted[:count]
        precisions.append(sum(first) / max(len(first), 1))
    twins = [issue.twin for issue in issues if issue.row in planted]
    return PlantedScores(
        num_planted=len(planted),
        num_found=len(issues),
        recall=sum(is_planted) / len(planted),
        precisions=precisions,
        average_precision=float(sum(precision_at_hits)) / len(planted),
        num_near=sum(twin is not None and twin.is_near_duplicate for twin in twins),
    )


def print_header() -> None:
    names = ["seed", "rows", "planted", "found", "recall"]
    names += [f"first {count}: planted" for count in FIRST_COUNTS]
    names += ["average precision", "with a near copy", "seconds"]
    print(f"| {' | '.join(names)} |")
    print("|" + "--:|" * len(names))


def print_scores(
    seed: str, num_rows: int, scores: PlantedScores, seconds: float
) -> None:
    cells = [seed, f"{num_rows:,}", f"{scores.num_planted:,}", f"{scores.num_found:,}"]
    cells += [f"{share:.1%}" for share in scores.shares]
    cells += [f"{scores.num_near:,}", f"{seconds:.0f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def print_means(all_scores: Sequence[PlantedScores]) -> None:
    columns = zip(*(scores.shares for scores in all_scores), strict=True)
    cells = [f"{statistics.mean(column):.1%}" for column in columns]
    print(f"| mean | | | | {' | '.join(cells)} | | |")


if __name__ == "__main__":
    main()
