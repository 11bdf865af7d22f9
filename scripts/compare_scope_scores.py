"""Compare scores that tell texts of no class from texts of the classes.

The labelled texts are the validation rows of a run, to choose a score, or its test
rows. The texts of no class are those of a file; to choose a score, they must be others
than those for the test. No score uses texts of no class: those that need means or
neighbours take them from the training rows. The command prints a table in Markdown: for
each score the area under the ROC curve, and the share of the texts of no class that are
found where 95% of the labelled texts are kept.

    python scripts/compare_scope_scores.py RUN --split valid --outside FILE

Shapes: N texts, C classes, P width of the pooled states, R training rows.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls.data.datasets import load_unlabelled
from rnncls.data.splits import Split
from rnncls.evaluation.error_slices import unknown_shares
from rnncls.evaluation.loading import load_rows
from rnncls.evaluation.scope import compute_auroc, score_scope
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.scope import ScopeRule, compute_energies
from rnncls.runs.run import Run, load_run
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.batching import assemble
from rnncls.text.encoded_texts import EncodedTexts, encode_texts

BATCH_SIZE = 128
NUM_NEIGHBOURS = 10
RIDGE = 1e-3
"""Added to the variances of the pooled states, as a share of their mean."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """What a run computes for N texts.

    Attributes:
        network: [N, C], the logits of the network, divided by the temperature.
        ngrams: [N, C], those of the n-grams, with their scale; zeros without n-grams.
        pooled: [N, P], the pooled states of the network.
        unknown: [N], the share of the tokens that the vocabulary lacks.
    """

    network: Floats
    ngrams: Floats
    pooled: Floats
    unknown: Floats

    @property
    def logits(self) -> Floats:
        """The logits of the classifier. [N, C]."""
        return self.network + self.ngrams


def main() -> None:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--outside", type=Path, required=True, help="texts of no class")
    parser.add_argument("--split", choices=["valid", "test"], default="valid")
    arguments = parser.parse_args()
    run = load_run(arguments.run)
    train, labels = compute_split(run, "train")
    inside, _ = compute_split(run, arguments.split)
    tokenized = load_unlabelled(arguments.outside, run.config.data, run.config.text)
    outside = compute_outputs(
        run.classifier.model, encode_texts(tokenized, run.classifier.vocab)
    )
    references = References(train.pooled, labels, run.classifier.scope_rule)
    print("| score | AUROC (95% interval) | found where 95% are kept |\n|---|--:|--:|")
    pairs = zip(
        list_scores(inside, references), list_scores(outside, references), strict=True
    )
    for (name, high), (_, low) in sorted(pairs, key=rank, reverse=True):
        print(format_row(name, high, low))


def rank(pair: tuple[tuple[str, Floats], tuple[str, Floats]]) -> float:
    """Return the AUROC of a score of the texts inside and outside."""
    (_, inside), (_, outside) = pair
    return compute_auroc(inside, outside)


def format_row(name: str, inside: Floats, outside: Floats) -> str:
    scores = score_scope(inside, outside, None, np.ones(len(inside), np.bool_))
    low, high = scores.auroc_interval or (0.0, 1.0)
    area = f"{scores.auroc:.4f} ({low:.4f} to {high:.4f})"
    return f"| {name} | {area} | {scores.at_95.recall:.1%} |"


def compute_split(run: Run, split: Split) -> tuple[Outputs, npt.NDArray[np.int64]]:
    """Return what a run computes for one of its splits, and the labels."""
    rows, _ = load_rows(
        run,
        split=split,
        data=None,
        unknown_labels="error",
        device="cpu",
        use_cache=True,
    )
    return compute_outputs(run.classifier.model, rows.texts), rows.labels


@torch.inference_mode()
def compute_outputs(model: TextClassifier, texts: EncodedTexts) -> Outputs:
    """Return the logits of both parts and the pooled states of N texts."""
    num_classes, width = model.linear.weight.shape
    network = np.empty((len(texts), num_classes))
    ngrams = np.zeros((len(texts), num_classes))
    pooled = np.empty((len(texts), width))
    bound = model.bind(texts.unknown)
    captured: list[torch.Tensor] = []

    def capture(_: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        captured.append(inputs[0])

    hook = model.linear.register_forward_pre_hook(capture)
    for rows in plan_in_order_of_length(texts.lengths, BATCH_SIZE):
        batch = assemble(texts, rows)
        logits = bound.compute_network_logits(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )  # [B, C]
        network[rows], pooled[rows] = logits.numpy(), captured.pop().numpy()
        if model.ngrams is not None:
            added = model.ngrams(batch.token_ids, batch.lengths) * model.ngrams.scale
            ngrams[rows] = added.numpy()
    hook.remove()
    return Outputs(network, ngrams, pooled, unknown_shares(texts))


class References:
    """What is known of the training and validation rows."""

    def __init__(
        self, pooled: Floats, labels: npt.NDArray[np.int64], rule: ScopeRule | None
    ) -> None:
        """Take the pooled states [R, P] and labels [R], and the rule of the run."""
        self.unknown_weight = 0.0 if rule is None else rule.unknown_weight
        num_classes = int(labels.max()) + 1
        means = [pooled[labels == index].mean(axis=0) for index in range(num_classes)]
        self.means = np.stack(means)  # [C, P]
        deviations = pooled - self.means[labels]  # [R, P]
        covariance = deviations.T @ deviations / len(pooled)  # [P, P]
        ridge = RIDGE * np.trace(covariance) / len(covariance)
        precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
        self.whitening = np.linalg.cholesky(precision)  # [P, P]
        self.directions = scale_to_one(pooled)  # [R, P]

    def measure_mahalanobis(self, pooled: Floats) -> Floats:
        """Return the squared distance from the nearest mean of a class. [N]."""
        white, means = pooled @ self.whitening, self.means @ self.whitening
        squares = (white**2).sum(axis=1)[:, None] + (means**2).sum(axis=1)  # [N, C]
        distances: Floats = (squares - 2 * white @ means.T).min(axis=1)
        return distances

    def measure_cosine(self, pooled: Floats) -> Floats:
        """Return the largest cosine to a mean of a class. [N]."""
        cosines = scale_to_one(pooled) @ scale_to_one(self.means).T  # [N, C]
        largest: Floats = cosines.max(axis=1)
        return largest

    def find_neighbour(self, pooled: Floats) -> Floats:
        """Return the cosine to the tenth nearest training row. [N]."""
        parts = []
        for start in range(0, len(pooled), BATCH_SIZE):
            directions = scale_to_one(pooled[start : start + BATCH_SIZE])  # [B, P]
            cosines = directions @ self.directions.T  # [B, R]
            nearest = np.partition(cosines, -NUM_NEIGHBOURS, axis=1)
            parts.append(nearest[:, -NUM_NEIGHBOURS])
        return np.concatenate(parts)


def scale_to_one(rows: Floats) -> Floats:
    """Return the rows divided by their lengths. [N, P]."""
    scaled: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def list_scores(
    outputs: Outputs, references: References
) -> Iterator[tuple[str, Floats]]:
    """Yield each score of N texts, the higher the better a text fits. [N] each."""
    logits, pooled = outputs.logits, outputs.pooled
    log_probs = logits - compute_energies(logits)[:, None]  # [N, C]
    yield "largest probability", log_probs.max(axis=1)
    yield "largest logit", logits.max(axis=1)
    yield "negative entropy", (np.exp(log_probs) * log_probs).sum(axis=1)
    for name, part in {
        "log-sum-exp of the logits": logits,
        "log-sum-exp of the logits of the network": outputs.network,
        "log-sum-exp of the logits of the n-grams": outputs.ngrams,
    }.items():
        yield name, compute_energies(part)
    for factor in (0.5, 2.0):
        yield (
            f"log-sum-exp of {factor:g} times the logits",
            compute_energies(factor * logits),
        )
    yield "negative Mahalanobis distance", -references.measure_mahalanobis(pooled)
    yield "cosine to the nearest mean", references.measure_cosine(pooled)
    yield "cosine to the tenth nearest training row", references.find_neighbour(pooled)
    yield "share of known words", 1 - outputs.unknown
    for name, factor in {"": 1.0, ", half the weight": 0.5, ", twice": 2.0}.items():
        weight = factor * references.unknown_weight
        score = compute_energies(logits) - weight * outputs.unknown
        yield f"log-sum-exp of the logits and share of known words{name}", score


if __name__ == "__main__":
    main()
