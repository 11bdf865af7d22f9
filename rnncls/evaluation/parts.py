"""Scores of the parts of a classifier: the network, the n-grams, and both together.

Shapes: N texts, C classes.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls import RunError
from rnncls.evaluation.label_sets import score_label_sets
from rnncls.evaluation.metrics import mcnemar, wilson_interval
from rnncls.machine.files import read_json
from rnncls.nn.decisions import decide
from rnncls.runs.folder import RunFolder

NETWORK, NGRAMS, TOGETHER = "network", "n-grams", "together"


@dataclass(frozen=True)
class PartScore:
    """The accuracy of one part of a classifier on N texts.

    Attributes:
        name: `NETWORK`, `NGRAMS` or `TOGETHER`.
        accuracy: The share of the texts that it classifies correctly.
        interval: Its 95% interval (Wilson 1927).
        gained: How many texts both parts together classify correctly and this part does
            not.
        lost: How many texts only this part classifies correctly.
        p: p-value of McNemar's exact test of `gained` against `lost`.
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    gained: int
    lost: int
    p: float

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists and numbers."""
        return asdict(self)


def load_class_biases(run_path: Path, num_classes: int) -> torch.Tensor:
    """Return what was added to the n-grams' bias for both parts of a run together.

    The n-grams alone are scored without it. It is 0 if nothing was added, and if an
    earlier version wrote the run and did not say what was added.

    Args:
        run_path: The run folder.
        num_classes: How many classes the run has.

    Returns:
        [C] float32.

    Raises:
        RunError: The summary is damaged, or from another run.
    """
    file = RunFolder(run_path).summary
    summary = read_json(file) if file.exists() else {}
    biases = (summary.get("ngrams") or {}).get("class_biases") or [0.0] * num_classes
    if len(biases) != num_classes:
        raise RunError(
            f"{file}: not from this run: ngrams.class_biases has {len(biases)} numbers,"
            f" the run has {num_classes} classes"
        )
    return torch.tensor(biases)


def score_parts(
    network: torch.Tensor,
    ngrams: torch.Tensor,
    together: torch.Tensor,
    labels: npt.NDArray[np.int64],
) -> list[PartScore]:
    """Return the accuracy of the network, of the n-grams and of both together.

    Args:
        network: [N, C], the logits of the network.
        ngrams: [N, C], the logits of the n-gram part.
        together: [N, C], the logits of the classifier.
        labels: [N].
    """
    both = _is_correct(together, labels)
    return [
        _score(NETWORK, _is_correct(network, labels), both),
        _score(NGRAMS, _is_correct(ngrams, labels), both),
        _score(TOGETHER, both, both),
    ]


def _is_correct(
    logits: torch.Tensor, labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    is_correct: npt.NDArray[np.bool_] = decide(logits).numpy() == labels
    return is_correct


def _score(
    name: str, is_correct: npt.NDArray[np.bool_], both: npt.NDArray[np.bool_]
) -> PartScore:
    num_correct = int(is_correct.sum())
    gained = int((both & ~is_correct).sum())
    lost = int((is_correct & ~both).sum())
    return PartScore(
        name,
        accuracy=num_correct / len(is_correct),
        interval=wilson_interval(num_correct, len(is_correct)),
        gained=gained,
        lost=lost,
        p=mcnemar(gained, lost),
    )


@dataclass(frozen=True)
class LabelPartScore:
    """F1 of one part of a classifier that assigns several labels to a text.

    Attributes:
        name: `NETWORK`, `NGRAMS` or `TOGETHER`.
        micro_f1: Micro-F1 with the threshold, one for all labels, that is best for it.
        macro_f1: Macro-F1 with the threshold that is best for it.
    """

    name: str
    micro_f1: float
    macro_f1: float

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain numbers."""
        return asdict(self)


def score_label_parts(
    network: torch.Tensor,
    ngrams: torch.Tensor,
    together: torch.Tensor,
    labels: torch.Tensor,
) -> list[LabelPartScore]:
    """Return the F1 of the network, of the n-grams and of both together.

    Args:
        network: [N, C], the logits of the network.
        ngrams: [N, C], the logits of the n-gram part.
        together: [N, C], the logits of the classifier.
        labels: [N, C] bool.
    """
    part_scores = []
    parts = {NETWORK: network, NGRAMS: ngrams, TOGETHER: together}
    for name, logits in parts.items():
        scores = score_label_sets(logits, labels)
        part_scores.append(LabelPartScore(name, scores["micro_f1"], scores["macro_f1"]))
    return part_scores
