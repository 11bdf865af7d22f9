"""Measure how often `rnncls drift` finds drift, with and without drift in the texts.

Two samples without a common row are drawn from FILE, many times. In the second, some
texts may be replaced by those of another file. Prints how often each aspect has
drifted, and how often its p-value alone is below the level.

    python scripts/drift_rates.py RUN FILE [--rows 500] [--other FILE --share 0.1]
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnncls.cli.drift_input import read_labelled_rows
from rnncls.evaluation.drift import measure_drift
from rnncls.evaluation.drift_result import DriftBounds, DriftResult
from rnncls.evaluation.drift_sample import LabelledRow, TextSample
from rnncls.runs.run import Run, load_run

Rows = list[LabelledRow]


@dataclass(frozen=True)
class Rates:
    """In how many draws something was found, by aspect."""

    num_drifted: Counter[str]
    num_significant: Counter[str]
    num_below_alpha: Counter[str]


def main() -> None:
    """Draw and compare samples, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, default=500, help="of each sample")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--other", help="a file of other texts")
    parser.add_argument("--text", action="append", default=[], help="column of --other")
    parser.add_argument("--share", type=float, default=1.0, help="of texts replaced")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    rows = read_rows(run, arguments.file, [])
    other = read_rows(run, arguments.other, arguments.text) if arguments.other else []
    num_replaced = round(arguments.share * arguments.rows) if other else 0
    results = []
    for seed in range(arguments.draws):
        samples = draw_samples(rows, other, arguments.rows, num_replaced, seed)
        results.append(measure_drift(run, *samples, DriftBounds()))
    print_rates(results)


def read_rows(run: Run, source: str, text: list[str]) -> Rows:
    """Return the rows of a file without their labels."""
    rows = read_labelled_rows(source, run.config.data, text, None, None)
    return [LabelledRow(row.text, None) for row in rows]


def draw_samples(
    rows: Rows, other: Rows, num_rows: int, num_replaced: int, seed: int
) -> tuple[TextSample, TextSample]:
    """Return two samples without a common row."""
    generator = np.random.default_rng(seed)
    indices = generator.permutation(len(rows))[: 2 * num_rows].tolist()
    first = [rows[index] for index in indices[:num_rows]]
    second = [rows[index] for index in indices[num_rows:]]
    others = generator.permutation(len(other))[:num_replaced].tolist()
    for place, index in enumerate(others):
        second[place] = other[index]
    return build_sample("reference", first), build_sample("file", second)


def build_sample(name: str, rows: Rows) -> TextSample:
    """Return rows as a sample."""
    texts = [row.text for row in rows]
    labels = [row.labels for row in rows]
    return TextSample(name, len(rows), texts, list(range(1, len(rows) + 1)), labels)


def count_findings(results: list[DriftResult]) -> Rates:
    """Count in how many results each aspect has drifted."""
    rates = Rates(Counter(), Counter(), Counter())
    for result in results:
        for aspect in result.aspects:
            rates.num_drifted[aspect.name] += aspect.has_drifted
            rates.num_significant[aspect.name] += aspect.is_significant
            rates.num_below_alpha[aspect.name] += aspect.p < result.bounds.alpha
        rates.num_drifted["any"] += result.has_drifted
        rates.num_significant["any"] += any(
            aspect.is_significant for aspect in result.aspects
        )
    return rates


def print_rates(results: list[DriftResult]) -> None:
    """Print a line for each aspect: the counts, and the mean effect."""
    rates = count_findings(results)
    alpha = results[0].bounds.alpha
    print(f"{len(results)} draws")
    print(f"{'':18}{'drift':>8}{'p Holm':>8}{f'p<{alpha:g}':>8}{'effect':>8}")
    for name in rates.num_drifted:
        effects = [
            aspect.effect
            for result in results
            for aspect in result.aspects
            if aspect.name == name
        ]
        mean = f"{np.mean(effects):.3f}" if effects else ""
        below = rates.num_below_alpha[name] if effects else ""
        print(
            f"{name:18}{rates.num_drifted[name]:>8}{rates.num_significant[name]:>8}"
            f"{below:>8}{mean:>8}"
        )


if __name__ == "__main__":
    main()
