"""From logits to probabilities and to the predicted class.

All rooms call these functions, so that another kind of task has to change only
this module.

Shapes: C classes; any number of leading dimensions.
"""

from collections.abc import Mapping

import torch


def to_probs(logits: torch.Tensor) -> torch.Tensor:
    """Return the probability of each class. [..., C] -> [..., C], of the same dtype."""
    return logits.softmax(dim=-1)


def decide(logits: torch.Tensor) -> torch.Tensor:
    """Return the index of the most probable class. [..., C] -> [...] int64."""
    return logits.argmax(dim=-1)


def decide_label(probs: Mapping[str, float]) -> str:
    """Return the most probable label; of equal ones, the first."""
    return max(probs, key=probs.__getitem__)
