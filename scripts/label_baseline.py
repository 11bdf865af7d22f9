"""Fit a linear classifier of several labels a text, and print its micro- and macro-F1.

TF-IDF of characters 1 to 4 and one linear SVM for each label. A tenth of the training
rows is set aside to choose thresholds: one for all labels, which has the highest
micro-F1, and one for each label, as rnncls chooses them. Both are measured on the test
rows, which are read last, and compared by a paired bootstrap.

    python scripts/label_baseline.py FOLDER [FOLDER ...] [--seed 0]

FOLDER has train.jsonl and test.jsonl; each line has a "text" and a list of "labels".
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import log_loss
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

from rnncls.cli.reporting.display import percent, percent_range
from rnncls.evaluation.label_bootstrap import F1Difference, compare_labels, compute_f1
from rnncls.evaluation.label_metrics import MultilabelScores, score_labels
from rnncls.evaluation.thresholds import (
    choose_label_thresholds,
    fit_label_temperature,
)

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

NUM_CANDIDATES = 200
"""Number of thresholds for all labels that are tried."""


@dataclass(frozen=True)
class LinearClassifier:
    """A linear SVM for each label, on TF-IDF of characters.

    Attributes:
        vectorizer: Turns texts into features.
        models: One for each label.
    """

    vectorizer: TfidfVectorizer
    models: list[LinearSVC]

    def score(self, texts: list[str]) -> Floats:
        """Return the signed distance of N texts from the border of C labels. [N, C]."""
        features = self.vectorizer.transform(texts)
        columns = [model.decision_function(features) for model in self.models]
        return np.stack(columns, axis=1)


def main() -> None:
    """Fit one classifier for each folder, and print its scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="draws the rows set aside")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        for line in measure(folder, arguments.seed):
            print(line, flush=True)


def measure(folder: Path, seed: int) -> Iterator[str]:
    """Yield lines with the F1 of the linear classifier on a folder."""
    texts, label_sets = read_rows(folder / "train.jsonl")
    binarizer = MultiLabelBinarizer()
    labels = binarizer.fit_transform(label_sets).astype(bool)  # [N, C]
    started = time.perf_counter()
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    num_valid = len(texts) // 10
    valid, train = order[:num_valid], order[num_valid:]
    classifier = fit_classifier([texts[row] for row in train], labels[train])
    valid_scores = classifier.score([texts[row] for row in valid])
    temperature = fit_label_temperature(
        torch.from_numpy(valid_scores), torch.from_numpy(labels[valid])
    )
    valid_logits = valid_scores / temperature
    common = choose_micro_threshold(labels[valid], valid_logits)
    thresholds = choose_label_thresholds(labels[valid], valid_logits)
    seconds = time.perf_counter() - started
    test_texts, test_label_sets = read_rows(folder / "test.jsonl")
    test_labels = binarizer.transform(test_label_sets).astype(bool)
    probs = to_probs(classifier.score(test_texts) / temperature)
    yield (
        f"{folder}: {len(test_texts):,} test rows, {labels.shape[1]} labels,"
        f" {len(train):,} training rows, fitted in {seconds:.0f} s"
    )
    commons = np.full(labels.shape[1], common)
    names = binarizer.classes_.tolist()
    for rule, chosen in (("one", commons), ("one for each label", thresholds)):
        loss = log_loss(test_labels.ravel(), probs.ravel())
        scores = score_labels(test_labels, probs, chosen, loss, names)
        yield f"  thresholds: {rule:<18}  {describe(scores)}"
    comparison = compare_labels(test_labels, probs >= thresholds, probs >= commons)
    yield (
        f"  difference: micro-F1 {describe_difference(comparison.micro_f1)},"
        f" macro-F1 {describe_difference(comparison.macro_f1)}"
    )


def describe(scores: MultilabelScores) -> str:
    """Return micro- and macro-F1 with their intervals."""
    micro_interval = percent_range(scores.micro_f1_interval)
    macro_interval = percent_range(scores.macro_f1_interval)
    return (
        f"micro-F1 {percent(scores.micro_f1)} ({micro_interval}),"
        f" macro-F1 {percent(scores.macro_f1)} ({macro_interval})"
    )


def describe_difference(difference: F1Difference) -> str:
    """Return a difference of F1 in percentage points, and its p-value."""
    return f"{100 * difference.difference:+.2f} points (p = {difference.p:.2g})"


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the texts and the labels of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["text"] for row in rows], [row["labels"] for row in rows]


def fit_classifier(texts: list[str], labels: Bools) -> LinearClassifier:
    """Fit the features and a linear SVM for each label.

    Args:
        texts: N texts.
        labels: [N, C].
    """
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4))
    features: Any = vectorizer.fit_transform(texts)
    models = [LinearSVC().fit(features, is_true) for is_true in labels.T]
    return LinearClassifier(vectorizer, models)


def choose_micro_threshold(labels: Bools, logits: Floats) -> float:
    """Return the probability with the highest micro-F1 as the threshold of all labels.

    Args:
        labels: [N, C].
        logits: [N, C].
    """
    candidates = np.quantile(logits, np.linspace(0.5, 0.9995, NUM_CANDIDATES))
    micro_f1s = [compute_f1(labels, logits >= cut)[0] for cut in candidates]
    best = candidates[int(np.argmax(micro_f1s))]
    return float(to_probs(best))


def to_probs(logits: Floats) -> Floats:
    """Return the logistic sigmoid of logits of any shape."""
    return 1 / (1 + np.exp(-logits))


if __name__ == "__main__":
    main()
