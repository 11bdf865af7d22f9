"""Fit a linear classifier of words and characters, and print its test accuracy.

TF-IDF of word 1- and 2-grams and of character 2- to 5-grams, and logistic regression:
scikit-learn's usual text classifier, on the rows and splits of a config. The inverse
strength of the regularisation, C, is the one with the lowest loss on the validation
rows. The test rows are read last.

    python scripts/linear_baseline.py config.yaml [--set KEY.PATH=VALUE]
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_union

from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.datasets import columns_of
from rnncls.data.loading import (
    EncodedSplit,
    TrainingData,
    load_labelled_split,
    load_training_data,
)
from rnncls.data.readers import find_texts
from rnncls.evaluation.metrics import wilson_interval

INVERSE_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)

Labels = npt.NDArray[np.int64]


def main() -> None:
    """Fit one classifier for each config, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="for every config",
    )
    arguments = parser.parse_args()
    for path in arguments.configs:
        print(measure(path, arguments.set), flush=True)


def measure(path: Path, overrides: list[str]) -> str:
    """Return a line with the test accuracy of the linear classifier on a config."""
    config = load_config(path, overrides)
    data = load_training_data(config.data_settings)
    test, test_file = load_test_rows(config, data)
    started = time.perf_counter()
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2)),
        TfidfVectorizer(analyzer="char", ngram_range=(2, 5)),
    )
    files = data.fingerprint["files"]
    train_file = Path(files["train"]["path"])
    valid_file = Path(files.get("valid", files["train"])["path"])
    train = features.fit_transform(read_texts(config, data.train, train_file))
    valid = features.transform(read_texts(config, data.valid, valid_file))
    model = select_model(train, data.train.labels, valid, data.valid.labels)
    seconds = time.perf_counter() - started
    predictions = model.predict(features.transform(read_texts(config, test, test_file)))
    num_correct = int((predictions == test.labels).sum())
    low, high = wilson_interval(num_correct, len(test.labels))
    return (
        f"{path}: accuracy {num_correct / len(test.labels):.2%} on"
        f" {len(test.labels):,} test rows (95% interval {low:.2%} to {high:.2%}),"
        f" {len(data.train.labels):,} training rows, {train.shape[1]:,} features,"
        f" C {model.C:g}, fitted in {seconds:.0f} s"
    )


def load_test_rows(config: Config, data: TrainingData) -> tuple[EncodedSplit, Path]:
    """Return the test rows of a config, and the file that they are in."""
    rows, origin = load_labelled_split(
        config.data_settings, "test", data.vocab, data.label_names, "skip"
    )
    return rows, Path(origin["path"])


def read_texts(config: Config, split: EncodedSplit, path: Path) -> list[str]:
    """Return the texts of a split as they are in the file."""
    columns = replace(columns_of(config.data), label=None)
    return find_texts(path, columns, split.rows.tolist())


def select_model(
    train: Any, train_labels: Labels, valid: Any, valid_labels: Labels
) -> LogisticRegression:
    """Return the classifier whose C has the lowest loss on the validation rows.

    Args:
        train: The features of the training rows, a sparse matrix.
        train_labels: [N] int64.
        valid: The features of the validation rows, a sparse matrix.
        valid_labels: [M] int64.
    """
    losses = {}
    for strength in INVERSE_STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(train, train_labels)
        probs = model.predict_proba(valid)  # [M, C]
        losses[log_loss(valid_labels, probs, labels=model.classes_)] = model
    return losses[min(losses)]


if __name__ == "__main__":
    main()
