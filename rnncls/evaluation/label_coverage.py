"""Scores if less certain texts are rejected, where a text may have several labels.

The confidence in a set of labels is the probability that all of it is right: the
product of p for each label that is predicted and 1 - p for each other one, as if labels
were independent given the text, which is what one sigmoid for each label assumes
(Dembczynski et al. 2012, "On label dependence and loss minimization in multi-label
classification"). To reject the texts with the lowest confidence is Chow's rule (1970)
for the subset accuracy.

Shapes: N texts, C labels.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.label_bootstrap import compute_f1
from rnncls.evaluation.metrics import wilson_interval

CONFIDENCES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Confidences from which on a text is kept; the scores of the kept ones are reported.

They start lower than for one label a text: there are more decisions to be right."""

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SelectiveLabelScores:
    """Scores of the texts whose set of labels has at least a confidence.

    Attributes:
        min_confidence: The confidence.
        share: The share of all texts that reach it.
        num_rows: Number of these texts.
        subset_accuracy: The share of them whose labels are all right.
        interval: Its 95% interval (Wilson 1927).
        micro_f1: Their micro-F1.
    """

    min_confidence: float
    share: float
    num_rows: int
    subset_accuracy: float
    interval: tuple[float, float]
    micro_f1: float

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists and numbers."""
        return {**asdict(self), "interval": list(self.interval)}


def compute_confidences(logits: Floats, predicted: Bools) -> Floats:
    """Return the probability that the predicted labels of each text are all right. [N].

    Args:
        logits: [N, C], calibrated.
        predicted: [N, C] bool, the predicted labels.
    """
    signed_logits = np.where(predicted, logits, -logits)  # [N, C]
    log_probs = -np.logaddexp(0, -signed_logits)  # [N, C], of each decision
    confidences: Floats = np.exp(log_probs.sum(axis=1))
    return confidences


def compute_label_coverage(
    confidences: Floats, labels: Bools, predicted: Bools
) -> list[SelectiveLabelScores]:
    """Return the scores of the texts that reach each confidence in `CONFIDENCES`.

    A confidence that no text reaches is left out.

    Args:
        confidences: [N], what `compute_confidences` returned.
        labels: [N, C] bool, the true labels.
        predicted: [N, C] bool, the predicted labels.
    """
    highest = float(confidences.max())
    return [
        _score_kept(confidence, confidences >= confidence, labels, predicted)
        for confidence in CONFIDENCES
        if confidence <= highest
    ]


def _score_kept(
    min_confidence: float, is_kept: Bools, labels: Bools, predicted: Bools
) -> SelectiveLabelScores:
    """Return the scores of the kept texts, at least one."""
    kept_labels = labels[is_kept]
    kept_predicted = predicted[is_kept]
    num_rows = len(kept_labels)
    is_right = (kept_labels == kept_predicted).all(axis=1)  # [kept]
    num_right = int(is_right.sum())
    micro_f1, _ = compute_f1(kept_labels, kept_predicted)
    return SelectiveLabelScores(
        min_confidence=min_confidence,
        share=num_rows / len(labels),
        num_rows=num_rows,
        subset_accuracy=num_right / num_rows,
        interval=wilson_interval(num_right, num_rows),
        micro_f1=micro_f1,
    )
