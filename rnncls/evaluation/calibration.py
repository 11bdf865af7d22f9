"""Calibration: how well probabilities match the accuracy; temperature scaling.

Shapes: N texts, C classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.evaluation.metrics import wilson_interval
from rnncls.nn.decisions import to_label_probs, to_probs

NUM_BINS = 15
"""Bins of equal width over the probabilities from 0 to 1, as in Guo et al. (2017)."""
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Probabilities from which on a label is kept; the accuracy of these is reported."""
_MAX_LOG_TEMPERATURE, _NUM_BISECTIONS = math.log(1e3), 50
_NUM_NEWTON_STEPS, _MIN_STEP_SIZE, _MIN_CHANGE = 50, 1e-6, 1e-8
_BIAS_VARIANCE, _NUM_BIAS_STEPS, _MAX_BIAS_SLOPE = 0.1, 40, 5e-5
_MAX_LOGITS = 2_000_000
"""If rows times classes are more, factors and biases are fitted on a sample of rows."""


@dataclass(frozen=True)
class Bin:
    """The texts whose predicted label has a probability in [low, high).

    The last bin includes 1.

    Attributes:
        low: The lower end.
        high: The upper end.
        num_rows: Number of texts.
        confidence: Their mean probability.
        accuracy: The share of them that is classified correctly.
    """

    low: float
    high: float
    num_rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class SelectiveAccuracy:
    """Accuracy of the texts whose label has at least the probability `min_confidence`.

    Attributes:
        min_confidence: The threshold.
        share: The share of all texts that reaches it.
        num_rows: Number of these texts.
        accuracy: The share of them that is classified correctly.
        interval: Its 95% interval (Wilson 1927).
    """

    min_confidence: float
    share: float
    num_rows: int
    accuracy: float
    interval: tuple[float, float]


def fit_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the temperature that minimises the cross-entropy (Guo et al. 2017).

    Its inverse b has the prior Gamma(2, 1), which weighs as much as one text: b - log b
    is added to the loss. Without the prior, a few validation rows that are all
    classified correctly would lead to probabilities of 1. The sum is convex in b, so
    bisection on its derivative finds the minimum.

    Args:
        logits: [N, C] float32, of rows that were not trained on.
        labels: [N] int64.
    """
    logits = logits.double()
    label_logits = logits.gather(1, labels[:, None])  # [N, 1]
    sum_of_label_logits = label_logits.sum()

    def derivative(inverse: float) -> float:
        probs = to_probs(logits * inverse)  # [N, C]
        expected_logits = (probs * logits).sum()
        slope_of_loss = expected_logits - sum_of_label_logits
        return slope_of_loss.item() + 1 - 1 / inverse

    return find_temperature(derivative)


def find_temperature(derivative: Callable[[float], float]) -> float:
    """Return the temperature at which the derivative of a convex loss is 0.

    Args:
        derivative: The derivative of the loss with respect to the inverse temperature.
    """
    low = -_MAX_LOG_TEMPERATURE
    high = _MAX_LOG_TEMPERATURE
    for _ in range(_NUM_BISECTIONS):
        middle = (low + high) / 2
        inverse_temperature = math.exp(middle)
        is_above_minimum = derivative(inverse_temperature) > 0
        if is_above_minimum:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)


class _ScaleLoss(Protocol):
    """The loss of the sum of the parts' logits, each multiplied by a factor."""

    def compute(self, factors: torch.Tensor) -> torch.Tensor:
        """Return the summed loss. [P] -> []."""

    def derive(self, factors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradient [P] and the Hessian [P, P]."""


@dataclass(frozen=True)
class _ClassLoss:
    """The cross-entropy of one class for each text.

    Attributes:
        parts: [P, N, C] float64, the logits of the parts less those of the label.
    """

    parts: torch.Tensor

    def compute(self, factors: torch.Tensor) -> torch.Tensor:
        joined = torch.einsum("p,pnc->nc", factors, self.parts)  # [N, C]
        return joined.logsumexp(dim=1).sum()

    def derive(self, factors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        joined = torch.einsum("p,pnc->nc", factors, self.parts)  # [N, C]
        weighted = to_probs(joined) * self.parts  # [P, N, C]
        expected = weighted.sum(dim=2)  # [P, N]
        squares = weighted.flatten(1) @ self.parts.flatten(1).T  # [P, P]
        return expected.sum(dim=1), squares - expected @ expected.T


@dataclass(frozen=True)
class _LabelLoss:
    """The binary cross-entropy of a set of labels for each text.

    Attributes:
        parts: [P, N, C] float64, the logits of the parts.
        labels: [N, C] float64, 1 for the labels of a text and 0 for the others.
    """

    parts: torch.Tensor
    labels: torch.Tensor

    def compute(self, factors: torch.Tensor) -> torch.Tensor:
        joined = torch.einsum("p,pnc->nc", factors, self.parts)  # [N, C]
        return F.binary_cross_entropy_with_logits(joined, self.labels, reduction="sum")

    def derive(self, factors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        joined = torch.einsum("p,pnc->nc", factors, self.parts)  # [N, C]
        probs = to_label_probs(joined)  # [N, C]
        gradient = ((probs - self.labels) * self.parts).sum(dim=(1, 2))  # [P]
        weighted = probs * (1 - probs) * self.parts  # [P, N, C]
        return gradient, weighted.flatten(1) @ self.parts.flatten(1).T


def fit_scales(parts: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return the factors of the parts' logits that minimise the cross-entropy.

    The logits of the parts are multiplied by them and added up. Each factor has the
    same prior as the inverse temperature of `fit_temperature`, which also keeps it
    positive. The loss is convex, so Newton's method finds its minimum.

    Args:
        parts: [P, N, C] float32, the logits of P parts for rows that they were not
            trained on.
        labels: [N] int64; for several labels a text [N, C] bool, and the loss is the
            binary cross-entropy.

    Returns:
        P factors.
    """
    num_parts, num_rows, num_classes = parts.shape
    rows = _sample_rows(num_rows, num_classes)  # [n]
    loss = _build_loss(parts[:, rows].double(), labels[rows])

    def compute_loss(factors: torch.Tensor) -> torch.Tensor:
        return loss.compute(factors) + (factors - factors.log()).sum()

    factors = torch.full((num_parts,), 1 / num_parts, dtype=torch.float64)  # [P]
    for _ in range(_NUM_NEWTON_STEPS):
        gradient, hessian = loss.derive(factors)  # [P], [P, P]
        gradient = gradient + 1 - 1 / factors  # [P]
        hessian = hessian + torch.diag(factors**-2)  # [P, P]
        step = torch.linalg.solve(hessian, gradient)  # [P]
        if (step.abs() < _MIN_CHANGE * factors).all():
            break
        size = 1.0
        while not _is_improved(compute_loss, factors, factors - size * step):
            size /= 2
            if size < _MIN_STEP_SIZE:
                return _limit(factors)
        factors = factors - size * step
    return _limit(factors)


def _build_loss(parts: torch.Tensor, labels: torch.Tensor) -> _ScaleLoss:
    """Return the loss of parts [P, N, C] for classes [N] or label sets [N, C]."""
    if labels.ndim > 1:
        return _LabelLoss(parts, labels.double())
    indices = labels[None, :, None].expand(len(parts), -1, 1)  # [P, N, 1]
    return _ClassLoss(parts - parts.gather(2, indices))


def _sample_rows(num_rows: int, num_classes: int) -> torch.Tensor:
    """Return which rows to fit to: all, or a random sample if that takes too long."""
    max_rows = max(_MAX_LOGITS // num_classes, 1)
    if num_rows <= max_rows:
        return torch.arange(num_rows)  # [N]
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(num_rows, generator=generator)[:max_rows]  # [n]


@dataclass(frozen=True)
class _BiasLoss:
    """The cross-entropy as a function of the biases of the classes, with their prior.

    Attributes:
        odds: [N, C] float64, the exponentials of the logits, at most 1.
        counts: [C] float64, how many rows have each class.
    """

    odds: torch.Tensor
    counts: torch.Tensor

    def derive(self, biases: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Return the loss, up to a constant, and its gradient [C] at biases [C]."""
        largest = biases.max()
        factors = (biases - largest).exp()  # [C]
        sums = self.odds @ factors  # [N]
        expected_counts = factors * (sums.reciprocal() @ self.odds)  # [C]
        gradient = expected_counts - self.counts + biases / _BIAS_VARIANCE  # [C]
        loss = sums.log().sum() + len(sums) * largest - self.counts @ biases
        penalty = biases.square().sum() / (2 * _BIAS_VARIANCE)
        return (loss + penalty).item(), gradient


def fit_class_biases(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return what to add to the logits of each class for the lowest cross-entropy.

    It corrects for classes that are more or less frequent than in the training rows
    (bias-corrected temperature scaling, Alexandari et al. 2020). Each bias has a normal
    prior around 0, so that few rows hardly change it.

    Args:
        logits: [N, C] float32, of rows that were not trained on.
        labels: [N] int64.

    Returns:
        [C] float32.
    """
    num_rows, num_classes = logits.shape
    rows = _sample_rows(num_rows, num_classes)  # [n]
    logits = logits[rows].double()  # [n, C]
    odds = (logits - logits.amax(dim=1, keepdim=True)).exp_()  # [n, C]
    counts = torch.bincount(labels[rows], minlength=num_classes).double()  # [C]
    loss = _BiasLoss(odds, counts)
    # In these units the curvature is at most about 1, so few steps are enough.
    expected_counts = loss.derive(torch.zeros_like(counts))[1] + counts  # [C]
    curvatures = torch.maximum(expected_counts, counts) + 1 / _BIAS_VARIANCE  # [C]
    units = curvatures.rsqrt()  # [C]
    scaled_biases = torch.zeros_like(counts)  # [C]
    optimizer = torch.optim.LBFGS(
        [scaled_biases],
        max_iter=_NUM_BIAS_STEPS,
        tolerance_grad=_MAX_BIAS_SLOPE,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def compute_loss() -> float:
        """Set the gradient, and return the loss."""
        value, gradient = loss.derive(scaled_biases * units)
        scaled_biases.grad = gradient * units
        return value

    take_steps: Callable[[Callable[[], float]], object] = optimizer.step
    take_steps(compute_loss)
    return (scaled_biases * units).float()


def _is_improved(
    compute_loss: Callable[[torch.Tensor], torch.Tensor],
    before: torch.Tensor,
    after: torch.Tensor,
) -> bool:
    """Return whether new factors are positive and have a lower loss."""
    if not (after > 0).all():
        return False
    return bool(compute_loss(after) < compute_loss(before))


def _limit(factors: torch.Tensor) -> list[float]:
    """Return factors in the range of the inverse temperatures."""
    largest = math.exp(_MAX_LOG_TEMPERATURE)
    return factors.clamp(1 / largest, largest).tolist()


def reliability_bins(
    confidences: npt.NDArray[np.float64], is_correct: npt.NDArray[np.bool_]
) -> list[Bin]:
    """Return the non-empty bins of a reliability diagram, from two arrays [N]."""
    bin_ids = (confidences * NUM_BINS).astype(np.int64)  # [N]
    # A confidence of exactly 1 belongs to the last bin.
    bin_ids = np.minimum(bin_ids, NUM_BINS - 1)
    bins = []
    for bin_id in np.unique(bin_ids).tolist():
        inside = bin_ids == bin_id
        reliability_bin = Bin(
            low=bin_id / NUM_BINS,
            high=(bin_id + 1) / NUM_BINS,
            num_rows=int(inside.sum()),
            confidence=float(confidences[inside].mean()),
            accuracy=float(is_correct[inside].mean()),
        )
        bins.append(reliability_bin)
    return bins


def expected_calibration_error(bins: list[Bin]) -> float:
    """Return the mean gap between confidence and accuracy (Naeini et al. 2015)."""
    num_rows = sum(bin_.num_rows for bin_ in bins)
    gaps = [bin_.num_rows * abs(bin_.accuracy - bin_.confidence) for bin_ in bins]
    return sum(gaps) / num_rows


def compute_selective_accuracies(
    confidences: npt.NDArray[np.float64], is_correct: npt.NDArray[np.bool_]
) -> list[SelectiveAccuracy]:
    """Return the accuracy of the texts that reach each threshold in `THRESHOLDS`.

    A threshold that no text reaches is left out.

    Args:
        confidences: [N], the probability of each predicted label.
        is_correct: [N], whether it is the true label.
    """
    highest = float(confidences.max())
    return [
        _selective_accuracy(threshold, confidences, is_correct)
        for threshold in THRESHOLDS
        if threshold <= highest
    ]


def _selective_accuracy(
    threshold: float,
    confidences: npt.NDArray[np.float64],
    is_correct: npt.NDArray[np.bool_],
) -> SelectiveAccuracy:
    is_kept = confidences >= threshold
    num_rows = int(is_kept.sum())
    num_correct = int(is_correct[is_kept].sum())
    return SelectiveAccuracy(
        min_confidence=threshold,
        share=num_rows / len(confidences),
        num_rows=num_rows,
        accuracy=num_correct / num_rows,
        interval=wilson_interval(num_correct, num_rows),
    )


def accuracy_by_coverage(
    confidences: npt.NDArray[np.float64], is_correct: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the share of the k most confident texts and their accuracy, k = 1 to N.

    Args:
        confidences: [N], the probability of each predicted label.
        is_correct: [N], whether it is the true label.

    Returns:
        Two arrays [N].
    """
    order = np.argsort(-confidences, kind="stable")
    counts = np.arange(1, len(order) + 1)
    return counts / len(order), np.cumsum(is_correct[order]) / counts
