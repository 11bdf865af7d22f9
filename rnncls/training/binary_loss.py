"""The loss of a classifier that assigns several labels to a text.

With y 1 for a label of the text and 0 for another, p its predicted probability and w
the weight of the label, the loss of a text is the sum over the labels of

    - w * y * (1 - p)^focal_gamma * log p  -  (1 - y) * p^focal_gamma * log(1 - p)

Label smoothing moves y to y * (1 - smoothing) + smoothing / C, as for one label a text:
a label that is one of many gets little of it.

R-Drop and virtual adversarial training add the divergences of the predicted
probabilities of each label, which is on its own.

Shapes: B texts, C labels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """The summed binary cross-entropy of logits [B, C] against sets of labels.

    Attributes:
        targets: [B, C] bool, or float32 probabilities.
        label_weights: [B, C] float32, the weight of each label that a text has; None:
            1.
        label_smoothing: The share of each target that is spread over all labels.
        focal_gamma: The exponent of the focal loss; 0: plain cross-entropy.
    """

    targets: torch.Tensor
    label_weights: torch.Tensor | None
    label_smoothing: float
    focal_gamma: float

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the sum over labels and texts. [B, C] -> []."""
        num_labels = logits.shape[1]
        spread = self.label_smoothing / num_labels
        targets = self.targets * (1 - self.label_smoothing) + spread  # [B, C]
        losses_if_true = F.softplus(-logits)  # [B, C], -log p
        losses_if_false = F.softplus(logits)  # [B, C], -log(1 - p)
        if self.focal_gamma:
            # As powers of e, whose gradient is finite where p is 0 or 1.
            weights_if_true = torch.exp(-self.focal_gamma * losses_if_false)  # [B, C]
            weights_if_false = torch.exp(-self.focal_gamma * losses_if_true)  # [B, C]
            losses_if_true = losses_if_true * weights_if_true
            losses_if_false = losses_if_false * weights_if_false
        if self.label_weights is not None:
            losses_if_true = losses_if_true * self.label_weights
        losses = targets * losses_if_true + (1 - targets) * losses_if_false  # [B, C]
        return losses.sum()


def binary_kl_divergence(
    logits: torch.Tensor, other_logits: torch.Tensor
) -> torch.Tensor:
    """Return the Kullback-Leibler divergence KL(p || q) of Bernoulli distributions.

    It is summed over the labels and the texts.

    Args:
        logits: [B, C] of p.
        other_logits: [B, C] of q.

    Returns:
        Scalar, in nats.
    """
    log_ratio_if_true = F.logsigmoid(logits) - F.logsigmoid(other_logits)  # [B, C]
    log_ratio_if_false = F.logsigmoid(-logits) - F.logsigmoid(-other_logits)  # [B, C]
    probs = logits.sigmoid()  # [B, C]
    divergences = probs * log_ratio_if_true + (1 - probs) * log_ratio_if_false  # [B, C]
    return divergences.sum()
