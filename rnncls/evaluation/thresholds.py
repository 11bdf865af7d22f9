"""Thresholds and temperature of a classifier that assigns several labels to a text.

Both are fitted on validation rows. Thresholds maximise the sum of macro-F1 and
micro-F1: macro-F1 alone favours many false alarms of rare labels, which cost micro-F1
more than they gain. A few texts of a label say little about its best threshold, so the
threshold of a label is the mean of the best ones in bootstrap samples, drawn towards
the threshold that is best for all labels.

Shapes: N texts, C labels, S bootstrap samples, T candidates.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rnncls.evaluation.calibration import find_temperature
from rnncls.evaluation.label_bootstrap import compute_f1, divide_counts

PRIOR_TEXTS = 20
"""The common threshold weighs as much as this number of texts that have the label."""
NUM_THRESHOLD_SAMPLES = 20
"""Number of bootstrap samples for the threshold of a label."""
_NUM_CANDIDATES = 200
_NUM_ROUNDS = 2
"""How often all thresholds are chosen; each round starts from the micro-F1 so far."""

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

    The best one has the highest sum of macro-F1 and micro-F1 of 200 candidates:
    quantiles of the logits of true labels.

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
    of the best threshold, and of the common threshold, which counts as `PRIOR_TEXTS`
    texts with the label. The mean is that of the logits. A label that no text has gets
    the common threshold.

    Args:
        labels: [N, C] bool, of rows that were not trained on.
        logits: [N, C], calibrated.

    Returns:
        [C] float64, probabilities.
    """
    logits = logits.astype(np.float64)
    common_cut = _find_common_cut(labels, logits)
    weights = _draw_weights(len(labels))  # [S, N]
    cuts = np.full(labels.shape[1], common_cut)  # [C]
    for _ in range(_NUM_ROUNDS):
        objective = _build_objective(labels, logits >= cuts)
        cuts = _improve_cuts(labels, logits, weights, objective, common_cut)
    return np.array([_to_prob(cut) for cut in cuts.tolist()])


@dataclass(frozen=True)
class _Objective:
    """What the decisions about one label add to the sum of macro-F1 and micro-F1.

    Micro-F1 is 2 * hits / sum for the counts of all labels. The gain from one label is
    linear in its counts if the micro-F1 of all labels is given (Dinkelbach 1967).

    Attributes:
        num_labels: C.
        micro_f1: The micro-F1 of all labels so far.
        total: Number of true labels plus number of predicted labels so far.
    """

    num_labels: int
    micro_f1: float
    total: float

    def compute(self, hits: Floats, sums: Floats) -> Floats:
        """Return the gain for the counts of a label.

        Args:
            hits: Number of true and predicted texts, of any shape.
            sums: Number of true texts plus number of predicted texts.
        """
        macro_gain = divide_counts(2 * hits, sums) / self.num_labels
        micro_gain = (2 * hits - self.micro_f1 * sums) / self.total
        return macro_gain + micro_gain


def _build_objective(labels: Bools, predicted: Bools) -> _Objective:
    """Return the objective for the micro-F1 of predictions. [N, C] and [N, C]."""
    micro_f1, _ = compute_f1(labels, predicted)
    total = float(labels.sum() + predicted.sum())
    return _Objective(labels.shape[1], micro_f1, max(total, 1.0))


def _improve_cuts(
    labels: Bools,
    logits: Floats,
    weights: Floats,
    objective: _Objective,
    common_cut: float,
) -> Floats:
    """Return the logit that is the threshold of each label. [C].

    Args:
        labels: [N, C] bool.
        logits: [N, C].
        weights: [S, N], how often each text is in each bootstrap sample.
        objective: What to maximise.
        common_cut: The logit that is best for all labels.
    """
    cuts = np.empty(labels.shape[1])  # [C]
    for index in range(len(cuts)):
        is_true = labels[:, index]  # [N]
        support = int(is_true.sum())
        sample_cuts = _find_best_cuts(
            is_true, logits[:, index], weights, objective
        )  # [S]
        sample_cuts[np.isnan(sample_cuts)] = common_cut
        share = support / (support + PRIOR_TEXTS)
        own_cut = float(sample_cuts.mean())
        cuts[index] = share * own_cut + (1 - share) * common_cut
    return cuts


def _to_prob(cut: float) -> float:
    return float(1 / (1 + np.exp(-cut)))


def _find_common_cut(labels: Bools, logits: Floats) -> float:
    """Return the logit that is the best threshold of all labels; 0 without labels."""
    true_logits = logits[labels]
    if not len(true_logits):
        return 0.0
    quantiles = np.linspace(0, 1, _NUM_CANDIDATES)
    candidates = np.unique(np.quantile(true_logits, quantiles))  # [T]
    f1_sums = [sum(compute_f1(labels, logits >= cut)) for cut in candidates]
    best = int(np.argmax(f1_sums))
    return float(candidates[best])


def _draw_weights(num_rows: int) -> Floats:
    """Return how often each text is in each bootstrap sample. [S, N]."""
    generator = np.random.default_rng(0)
    samples = []
    for _ in range(NUM_THRESHOLD_SAMPLES):
        rows = generator.integers(0, num_rows, num_rows)
        samples.append(np.bincount(rows, minlength=num_rows))
    return np.array(samples, dtype=np.float64)


def _find_best_cuts(
    is_true: Bools, logits: Floats, weights: Floats, objective: _Objective
) -> Floats:
    """Return the logit that is best in each sample; NaN: no text has the label.

    Args:
        is_true: [N] bool, which texts have the label.
        logits: [N], those of the label.
        weights: [S, N], how often each text is in each sample.
        objective: What to maximise.

    Returns:
        [S], halfway between the last logit that is predicted and the next one.
    """
    order = np.argsort(-logits, kind="stable")  # [N]
    sorted_logits = logits[order]
    sorted_weights = weights[:, order]  # [S, N]
    num_predicted = sorted_weights.cumsum(axis=1)  # [S, N]
    hits = (sorted_weights * is_true[order]).cumsum(axis=1)  # [S, N]
    supports = hits[:, -1:]  # [S, 1]
    gains = objective.compute(hits, num_predicted + supports)  # [S, N]
    # Texts with equal logits are predicted together.
    is_tied = sorted_logits[:-1] == sorted_logits[1:]  # [N - 1]
    gains[:, :-1][:, is_tied] = -np.inf
    last = gains.argmax(axis=1)  # [S]
    # No text comes after the last one: its logit itself is the threshold.
    next_logits = np.append(sorted_logits[1:], sorted_logits[-1])  # [N]
    middles = (sorted_logits + next_logits) / 2  # [N]
    cuts: Floats = middles[last]  # [S]
    cuts[supports[:, 0] == 0] = np.nan
    return cuts
