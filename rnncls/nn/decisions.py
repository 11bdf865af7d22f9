"""From logits to probabilities and to the predicted class.

All rooms call these functions, so that another kind of task has to change only
this module. It does not import torch.

Shapes: C classes; any number of leading dimensions.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def to_probs(logits: "torch.Tensor") -> "torch.Tensor":
    """Return the probability of each class. [..., C] -> [..., C], of the same dtype."""
    return logits.softmax(dim=-1)


def to_label_probs(logits: "torch.Tensor") -> "torch.Tensor":
    """Return the probability of each label, if a text may have several. [..., C]."""
    return logits.sigmoid()


def decide(
    logits: "torch.Tensor", thresholds: Sequence[float] | None = None
) -> "torch.Tensor":
    """Return the most probable class, or which of several labels a text has.

    Args:
        logits: [..., C], calibrated.
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.

    Returns:
        [...] int64, or with thresholds [..., C] bool.
    """
    if thresholds is None:
        return logits.argmax(dim=-1)
    return decide_labels(logits, thresholds)


def decide_labels(
    logits: "torch.Tensor", thresholds: Sequence[float]
) -> "torch.Tensor":
    """Return which labels a text has, if it may have several. [..., C] bool.

    Args:
        logits: [..., C], calibrated.
        thresholds: [C], from which probability on a text has a label.
    """
    probs = to_label_probs(logits.double())  # [..., C]
    return probs >= probs.new_tensor(thresholds)


def decide_label(probs: Mapping[str, float]) -> str:
    """Return the most probable label; of equal ones, the first."""
    return max(probs, key=probs.__getitem__)
