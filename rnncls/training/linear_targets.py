"""What a linear model learns: the class, or the set of labels, of each text.

Shapes: N texts, C classes or labels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.config.sections import TrainSection
from rnncls.data.loading import TrainingData
from rnncls.training.class_weights import compute_class_weights, compute_text_weights

_ADDED_COUNT = 1.0
"""Added to the numbers of texts with and without a label, so that none is 0."""


class LossAtLogits(NamedTuple):
    """The loss of a linear model, and what the next step of its fit needs.

    Attributes:
        mean: Scalar, the mean loss.
        errors: [N, C], its gradient at the logits.
        probs: [N, C], the predicted probabilities.
    """

    mean: torch.Tensor
    errors: torch.Tensor
    probs: torch.Tensor


@dataclass(frozen=True)
class ClassTargets:
    """One class for each text; the loss is the cross-entropy.

    Attributes:
        probs: [N, C] float32, the probability of each class.
        row_weights: [N] float32, the weight of each text in the loss, 1 on average.
    """

    probs: torch.Tensor
    row_weights: torch.Tensor

    def start_bias(self) -> torch.Tensor:
        """Return the bias to start from, 0. [C]."""
        return self.probs.new_zeros(self.probs.shape[1])

    def compute_loss(self, logits: torch.Tensor) -> LossAtLogits:
        """Return the mean loss at logits [N, C]."""
        row_shares = self.row_weights / len(logits)  # [N]
        log_probs = logits.log_softmax(dim=1)  # [N, C]
        losses = -(self.probs * log_probs).sum(dim=1)  # [N]
        probs = log_probs.exp_()  # [N, C]
        errors = (probs - self.probs).mul_(row_shares[:, None])  # [N, C]
        return LossAtLogits(losses @ row_shares, errors, probs)

    def compute_curvature(
        self, probs: torch.Tensor, changes: torch.Tensor
    ) -> torch.Tensor:
        """Return the second derivative of the mean loss along a line, [].

        Args:
            probs: [N, C], the predicted probabilities where it is computed.
            changes: [N, C], the direction of the line.
        """
        row_shares = self.row_weights / len(probs)  # [N]
        weighted = probs * changes  # [N, C]
        means = weighted.sum(dim=1)  # [N]
        variances = weighted.mul_(changes).sum(dim=1) - means.square()  # [N]
        return variances @ row_shares


@dataclass(frozen=True)
class LabelTargets:
    """A set of labels for each text; the loss is the binary cross-entropy.

    Attributes:
        labels: [N, C] bool; or float32, the probability of each label.
        label_weights: [C] float32, the weight of each label that a text has; None: 1.
    """

    labels: torch.Tensor
    label_weights: torch.Tensor | None = None

    @property
    def probs(self) -> torch.Tensor:
        """The probability of each label. [N, C] float32."""
        return self.labels.float()

    def start_bias(self) -> torch.Tensor:
        """Return the bias to start from, the log odds of each label. [C]."""
        return compute_log_odds(self.labels)

    def compute_loss(self, logits: torch.Tensor) -> LossAtLogits:
        """Return the mean loss at logits [N, C]."""
        targets = self.probs  # [N, C]
        loss = F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=self.label_weights, reduction="sum"
        )  # []
        probs = logits.sigmoid()  # [N, C]
        if self.label_weights is None:
            errors = probs - targets  # [N, C]
        else:
            errors_if_true = targets * self.label_weights * (probs - 1)  # [N, C]
            errors = (1 - targets) * probs + errors_if_true  # [N, C]
        num_texts = len(targets)
        return LossAtLogits(loss / num_texts, errors / num_texts, probs)

    def compute_curvature(
        self, probs: torch.Tensor, changes: torch.Tensor
    ) -> torch.Tensor:
        """Return the second derivative of the mean loss along a line, [].

        Args:
            probs: [N, C], the predicted probabilities where it is computed.
            changes: [N, C], the direction of the line.
        """
        curvatures = probs * (1 - probs) * changes.square()  # [N, C]
        if self.label_weights is not None:
            targets = self.probs  # [N, C]
            curvatures *= 1 - targets + targets * self.label_weights
        return curvatures.sum() / len(probs)


Targets = ClassTargets | LabelTargets


def compute_log_odds(labels: torch.Tensor) -> torch.Tensor:
    """Return the log odds of the share of texts that have each label.

    It is the bias of a model that predicts these shares for every text.

    Args:
        labels: [N, C] bool; or float32, the probability of each label.

    Returns:
        [C] float32, finite.
    """
    counts = labels.sum(dim=0).float()  # [C]
    num_with = counts + _ADDED_COUNT  # [C]
    num_without = len(labels) - counts + _ADDED_COUNT  # [C]
    return num_with.log() - num_without.log()


def build_targets(
    section: TrainSection, data: TrainingData, rows: npt.NDArray[np.int64]
) -> Targets:
    """Return the targets of some training rows, weighted as the section says.

    Args:
        section: Gives `class_weights` and `sampling`.
        data: The training rows, and their soft targets, if there are any.
        rows: [n], the indices of the rows.

    Raises:
        ConfigError: The class weights do not fit the classes.
    """
    all_labels, label_names = data.train.labels, data.label_names
    labels = torch.from_numpy(all_labels[rows])  # [n] or [n, C]
    if labels.ndim > 1:
        weights = compute_class_weights(section, all_labels, label_names)  # [C]
        if data.targets is not None:
            labels = torch.from_numpy(data.targets[rows])  # [n, C]
        return LabelTargets(labels, weights)
    text_weights = compute_text_weights(section, all_labels, label_names)  # [N]
    row_weights = torch.from_numpy(text_weights[rows])  # [n]
    if data.targets is not None:
        return ClassTargets(torch.from_numpy(data.targets[rows]), row_weights)
    return ClassTargets(F.one_hot(labels, len(label_names)).float(), row_weights)
