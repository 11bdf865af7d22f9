"""The scores of the classes of an earlier run and of the new ones, apart.

Shapes: N texts, C classes, K of them of the earlier run.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from rnncls.evaluation.label_sets import score_label_sets
from rnncls.evaluation.metrics import count_confusion, wilson_interval
from rnncls.nn.decisions import decide
from rnncls.runs.continuation import load_continuation
from rnncls.runs.run import Run

_CERTAIN = 20.0
"""A logit beyond all thresholds."""


@dataclass(frozen=True)
class GroupScores:
    """The scores of some classes.

    Attributes:
        name: `earlier`: the classes of the earlier run; `new`: the others.
        num_classes: How many they are.
        num_rows: The texts that have one of them as label; for several labels a text,
            that have at least one.
        accuracy: The share of these texts whose prediction is right; for several labels
            a text, the share of all texts for which all these labels are right.
        accuracy_interval: Its 95% Wilson interval.
        macro_f1: The mean F1 of these classes.
    """

    name: Literal["earlier", "new"]
    num_classes: int
    num_rows: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {**asdict(self), "accuracy_interval": list(self.accuracy_interval)}


def score_run_groups(run: Run, confusion: npt.NDArray[np.int64]) -> list[GroupScores]:
    """Return the scores of earlier and new classes, if the run continues another.

    Args:
        run: The run, with one label a text.
        confusion: [C, C], how often class i is predicted as class j.

    Raises:
        RunError: The file of the run that says so is damaged.
    """
    continuation = load_continuation(run.path)
    if continuation is None:
        return []
    num_earlier = len(continuation.label_names)
    num_classes = len(run.classifier.label_names)
    return score_confusion_groups(confusion, num_earlier, num_classes)


def score_class_groups(
    logits: torch.Tensor, labels: torch.Tensor, num_earlier: int
) -> list[GroupScores]:
    """Return the scores of the earlier and of the new classes.

    A group without a text is left out.

    Args:
        logits: [N, C].
        labels: [N] int64; or [N, C] bool for several labels a text.
        num_earlier: K, the first classes are those of the earlier run.
    """
    if labels.ndim > 1:
        return _score_label_groups(logits, labels, num_earlier)
    predictions = decide(logits).numpy()  # [N]
    num_classes = logits.shape[1]
    confusion = count_confusion(labels.numpy(), predictions, num_classes)  # [C, C]
    return score_confusion_groups(confusion, num_earlier, num_classes)


def score_confusion_groups(
    confusion: npt.NDArray[np.int64], num_earlier: int, num_classes: int
) -> list[GroupScores]:
    """Return the scores of both groups from how often class i is predicted as class j.

    Args:
        confusion: [C, C], or with more rows and columns for labels that are no class.
        num_earlier: K.
        num_classes: C.
    """
    hits = np.diag(confusion)  # [C]
    num_true = confusion.sum(axis=1)  # [C]
    num_either = num_true + confusion.sum(axis=0)  # [C]
    f1s = 2 * hits / np.maximum(num_either, 1)  # [C]
    groups = []
    for name, classes in _split_classes(num_classes, num_earlier):
        num_rows = int(num_true[classes].sum())
        if not num_rows:
            continue
        num_right = int(hits[classes].sum())
        is_present = num_either[classes] > 0
        groups.append(
            GroupScores(
                name,
                len(f1s[classes]),
                num_rows,
                num_right / num_rows,
                wilson_interval(num_right, num_rows),
                float(f1s[classes][is_present].mean()),
            )
        )
    return groups


def score_decision_groups(
    predicted: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_], num_earlier: int
) -> list[GroupScores]:
    """Return the scores of both groups from decisions about several labels a text.

    Args:
        predicted: [N, C] bool.
        labels: [N, C] bool.
        num_earlier: K.
    """
    # So that each threshold that `score_label_sets` tries gives these decisions.
    logits = torch.where(torch.from_numpy(predicted), _CERTAIN, -_CERTAIN)  # [N, C]
    return _score_label_groups(logits, torch.from_numpy(labels), num_earlier)


def _score_label_groups(
    logits: torch.Tensor, labels: torch.Tensor, num_earlier: int
) -> list[GroupScores]:
    """Return the scores of both groups for several labels a text."""
    groups = []
    for name, columns in _split_classes(labels.shape[1], num_earlier):
        group_labels = labels[:, columns]  # [N, classes of the group]
        num_rows = int(group_labels.any(dim=1).sum())
        if not num_rows:
            continue
        scores = score_label_sets(logits[:, columns], group_labels)
        num_right = round(scores["accuracy"] * len(labels))
        groups.append(
            GroupScores(
                name,
                group_labels.shape[1],
                num_rows,
                scores["accuracy"],
                wilson_interval(num_right, len(labels)),
                scores["macro_f1"],
            )
        )
    return groups


def _split_classes(
    num_classes: int, num_earlier: int
) -> list[tuple[Literal["earlier", "new"], slice]]:
    """Return the indices of the classes of both groups."""
    return [
        ("earlier", slice(0, num_earlier)),
        ("new", slice(num_earlier, num_classes)),
    ]
