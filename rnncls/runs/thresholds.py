"""The thresholds that are stored beside the weights of a run.

It does not import torch.

Shapes: C labels.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import RunError
from rnncls.nn.scope import ScopeRule

THRESHOLDS = "thresholds"
"""The name of the array: [C] float64, from which probability on a text has a label."""
SCOPE_RULE = "energy_rule"
"""The name of the array: [2] float64, the numbers of a `ScopeRule`. A rule by another
score would get another name."""


def check_thresholds(
    thresholds: npt.NDArray[Any] | None, num_labels: int, source: Path
) -> list[float]:
    """Return the thresholds of a weights file, or 0.5 for each label.

    Args:
        thresholds: What the file has; None: nothing.
        num_labels: C.
        source: The file, for the message.

    Raises:
        RunError: There is not one probability for each label.
    """
    if thresholds is None:
        return [0.5] * num_labels
    is_prob = (thresholds >= 0) & (thresholds <= 1)
    if thresholds.shape != (num_labels,) or not np.all(is_prob):
        raise RunError(
            f"{source}: damaged: expected a threshold from 0 to 1 for each of"
            f" {num_labels} labels"
        )
    values: list[float] = thresholds.tolist()
    return values


def check_scope_rule(rule: npt.NDArray[Any] | None, source: Path) -> ScopeRule | None:
    """Return the rule by which texts fit a class, or None: the run has none.

    Args:
        rule: What the file has; None: nothing, as in runs of earlier versions and of
            several labels a text.
        source: The file, for the message.

    Raises:
        RunError: It is not two numbers.
    """
    if rule is None:
        return None
    if rule.shape != (2,) or not np.isfinite(rule).all():
        raise RunError(f"{source}: damaged: {SCOPE_RULE}: expected two numbers")
    return ScopeRule(float(rule[0]), float(rule[1]))
