"""Scores of a model on validation rows with several labels a text, during training.

F1 is that of the threshold, the same for all labels, for which it is highest: the
probabilities of rare labels are far below one half, above all in the first epochs.

Shapes: N texts, C labels, T thresholds.
"""

import numpy as np
import torch
import torch.nn.functional as F

from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.evaluator import compute_logits, select_share
from rnncls.machine.processes import SINGLE, ProcessGroup
from rnncls.machine.threads import Workers
from rnncls.nn.classifier import TextClassifier

THRESHOLDS = np.linspace(0.04, 0.96, 47)
"""The thresholds that are tried. [T]."""


def evaluate_label_sets(
    model: TextClassifier,
    split: EncodedSplit,
    processes: ProcessGroup = SINGLE,
    workers: Workers | None = None,
) -> dict[str, float]:
    """Return the scores that `train.monitor` may name.

    Each process evaluates its share of the texts; the counts and losses are summed.

    Args:
        model: On its device.
        split: N texts with label sets.
        processes: The processes that share the texts.
        workers: The threads of this process; None: those of the model's device.

    Returns:
        `accuracy`, the share of the texts whose label set is right; `micro_f1`,
        `macro_f1`; and `loss`, the mean binary cross-entropy of all labels in nats.
    """
    share = select_share(split, processes)
    labels = torch.from_numpy(share.labels)  # [N of the share, C]
    logits = compute_logits(model, share.texts, workers)  # [N of the share, C]
    return score_label_sets(logits, labels, processes)


def score_label_sets(
    logits: torch.Tensor, labels: torch.Tensor, processes: ProcessGroup = SINGLE
) -> dict[str, float]:
    """Return the scores of `evaluate_label_sets` from logits.

    Args:
        logits: [N, C], of the share of this process.
        labels: [N, C] bool.
        processes: The processes that share the texts.
    """
    logits = logits.double()
    loss = F.binary_cross_entropy_with_logits(logits, labels.double(), reduction="sum")
    counts = [_count(logits, labels, threshold) for threshold in THRESHOLDS.tolist()]
    label_counts = torch.stack([label_count for label_count, _ in counts])  # [T, 2, C]
    num_exact = torch.stack([exact for _, exact in counts])  # [T]
    num_true = labels.sum(dim=0).double()  # [C]
    num_rows = torch.tensor(float(len(labels)), dtype=torch.float64)  # []
    # In place: these are now the sums over all processes.
    sums = [label_counts, num_exact, num_true, loss, num_rows]
    processes.all_reduce_sum(sums, torch.float64)
    hits, num_predicted = label_counts.unbind(dim=1)  # [T, C]
    both = num_predicted + num_true  # [T, C]
    f1s = 2 * hits / both.clamp_min(1)  # [T, C]
    micro_f1s = 2 * hits.sum(dim=1) / both.sum(dim=1).clamp_min(1)  # [T]
    num_texts = max(1.0, num_rows.item())
    return {
        "accuracy": num_exact.max().item() / num_texts,
        "micro_f1": micro_f1s.max().item(),
        "macro_f1": f1s.mean(dim=1).max().item(),
        "loss": loss.item() / (num_texts * labels.shape[1]),
    }


def _count(
    logits: torch.Tensor, labels: torch.Tensor, threshold: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the hits and the predictions of each label, and the texts that are right.

    Args:
        logits: [N, C] float64.
        labels: [N, C] bool.
        threshold: A probability.

    Returns:
        [2, C] float64 and [] float64.
    """
    cut = float(np.log(threshold / (1 - threshold)))
    predicted = logits >= cut  # [N, C]
    hits = (predicted & labels).sum(dim=0)  # [C]
    is_exact = (predicted == labels).all(dim=1)  # [N]
    counts = torch.stack([hits, predicted.sum(dim=0)]).double()  # [2, C]
    return counts, is_exact.sum().double()
