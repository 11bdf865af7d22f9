"""Thresholds and temperature of a classifier that assigns several labels to a text.

Both are fitted on validation rows. Thresholds maximise F1. A few texts of a label say
little about its best threshold, so the threshold of a label is the mean of the best
ones in bootstrap samples, drawn towards the threshold that is best for all labels.

Shapes: N texts, C labels, S bootstrap samples, T candidates.
"""

import numpy as np
import numpy.typing as npt
import torch

from rnncls.evaluation.calibration import find_temperature
from rnncls.evaluation.label_bootstrap import divide_counts

PRIOR_TEXTS = 20
"""The common threshold weighs as much as this number of texts that have the label."""
NUM_THRESHOLD_SAMPLES = 20
"""Number of bootstrap samples for the threshold of a label."""
_NUM_CANDIDATES = 200

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Logits = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def fit_label_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the temperature that minimises the binary cross-entropy.

    Its inverse has the same prior as that of `fit_temperature` for one label a text.

    Args:
        logits: [N, C] float32, of rows that were not trained on.
        labels: [N, C] bool.
    """
    logits = logits.double()
    targets = labels.double()
    sum_of_label_logits = (logits * targets).sum()

    def derivative(inverse: float) -> float:
        probs = (logits * inverse).sigmoid()  # [N, C]
        slope_of_loss = (probs * logits).sum() - sum_of_label_logits
        return slope_of_loss.item() + 1 - 1 / inverse

    return find_temperature(derivative)


def choose_common_threshold(labels: Bools, logits: Logits) -> float:
    """Return the probability that, as the threshold of all labels, is best.

    The best one has the highest macro-F1 of 200 candidates: quantiles of the logits of
    true labels.

    Args:
        labels: [N, C] bool, of rows that were not trained on.
        logits: [N, C], calibrated.

    Returns:
        A probability; 0.5 if no text has a label.
    """
    return _to_prob(_find_common_cut(labels, logits.astype(np.float64)))


def choose_label_thresholds(labels: Bools, logits: Logits) -> Floats:
    """Return the threshold of each label.

    The threshold of a label is the mean over `NUM_THRESHOLD_SAMPLES` bootstrap samples
    of the threshold with the highest F1, and of the common threshold, which counts as
    `PRIOR_TEXTS` texts with the label. The mean is that of the logits. A label that no
    text has gets the common threshold.

    Args:
        labels: [N, C] bool, of rows that were not trained on.
        logits: [N, C], calibrated.

    Returns:
        [C] float64, probabilities.
    """
    logits = logits.astype(np.float64)
    common_cut = _find_common_cut(labels, logits)
    weights = _draw_weights(len(labels))  # [S, N]
    num_labels = labels.shape[1]
    thresholds = np.empty(num_labels)  # [C]
    for index in range(num_labels):
        is_true = labels[:, index]  # [N]
        support = int(is_true.sum())
        cuts = _find_best_cuts(is_true, logits[:, index], weights)  # [S]
        cuts[np.isnan(cuts)] = common_cut
        own_cut = float(cuts.mean())
        share = support / (support + PRIOR_TEXTS)
        cut = share * own_cut + (1 - share) * common_cut
        thresholds[index] = _to_prob(cut)
    return thresholds


def _to_prob(cut: float) -> float:
    return float(1 / (1 + np.exp(-cut)))


def _find_common_cut(labels: Bools, logits: Floats) -> float:
    """Return the logit that is the best threshold of all labels; 0 without labels."""
    true_logits = logits[labels]
    if not len(true_logits):
        return 0.0
    quantiles = np.linspace(0, 1, _NUM_CANDIDATES)
    candidates = np.unique(np.quantile(true_logits, quantiles))  # [T]
    supports = labels.sum(axis=0, dtype=np.float64)  # [C]
    macro_f1s = []
    for cut in candidates:
        predicted = logits >= cut  # [N, C]
        hits = predicted & labels  # [N, C]
        num_hits = hits.sum(axis=0, dtype=np.float64)  # [C]
        num_predicted = predicted.sum(axis=0)  # [C]
        f1s = divide_counts(2 * num_hits, num_predicted + supports)
        macro_f1s.append(f1s.mean())
    best = int(np.argmax(macro_f1s))
    return float(candidates[best])


def _draw_weights(num_rows: int) -> Floats:
    """Return how often each text is in each bootstrap sample. [S, N]."""
    generator = np.random.default_rng(0)
    samples = []
    for _ in range(NUM_THRESHOLD_SAMPLES):
        rows = generator.integers(0, num_rows, num_rows)
        samples.append(np.bincount(rows, minlength=num_rows))
    return np.array(samples, dtype=np.float64)


def _find_best_cuts(is_true: Bools, logits: Floats, weights: Floats) -> Floats:
    """Return the logit with the highest F1 in each sample; NaN: no text has the label.

    Args:
        is_true: [N] bool, which texts have the label.
        logits: [N], those of the label.
        weights: [S, N], how often each text is in each sample.

    Returns:
        [S], halfway between the last logit that is predicted and the next one.
    """
    order = np.argsort(-logits, kind="stable")  # [N]
    sorted_logits = logits[order]
    sorted_weights = weights[:, order]  # [S, N]
    num_predicted = sorted_weights.cumsum(axis=1)  # [S, N]
    hits = (sorted_weights * is_true[order]).cumsum(axis=1)  # [S, N]
    supports = hits[:, -1:]  # [S, 1]
    f1s = divide_counts(2 * hits, num_predicted + supports)  # [S, N]
    # Texts with equal logits are predicted together.
    is_tied = sorted_logits[:-1] == sorted_logits[1:]  # [N - 1]
    f1s[:, :-1][:, is_tied] = -1.0
    last = f1s.argmax(axis=1)  # [S]
    # No text comes after the last one: its logit itself is the threshold.
    next_logits = np.append(sorted_logits[1:], sorted_logits[-1])  # [N]
    middles = (sorted_logits + next_logits) / 2  # [N]
    cuts: Floats = middles[last]  # [S]
    cuts[supports[:, 0] == 0] = np.nan
    return cuts
