"""What a training step minimises: the cross-entropy of the labels, and what may be
asked
of the network beside that.

With y a text's label, w_y the weight of its class, q its target (the label, or that and
the teachers' word, spread by label smoothing) and p the prediction, its loss is

    miss(p) = - w_y * sum over c of  q_c * (1 - p_c)^focal_gamma * log p_c

summed over the batch and divided by its number of texts. Adversarial training and
R-Drop add further misses; what R-Drop and virtual adversarial training ask beside them
needs no label, and is asked of each text alike. torch weighs each class of a target,
not each text: what label smoothing gives to a class that counts fifty times would then
outweigh the label of every other text.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls import ConfigError
from rnncls.config.sections import TrainSection
from rnncls.nn.dropout import Dropout


class Judge(Protocol):
    """The network on the texts of a batch: logits [B, C] under some dropout, and a
    change [T, B, E] of word vectors.
    """

    def __call__(
        self, *, dropout: Dropout, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the logits."""


@dataclass(frozen=True)
class Draws:
    """All that chance decides in a step on the texts of a batch, drawn beforehand.

    Attributes:
        dropout: What is dropped.
        again: What is dropped the second time that R-Drop reads the texts.
        probe: [T, B, E] float32, where virtual adversarial training begins to look; 0
            on padding.
    """

    dropout: Dropout
    again: Dropout | None = None
    probe: torch.Tensor | None = None

    def of(self, texts: slice) -> "Draws":
        """Return those of some of the texts."""
        again = None if self.again is None else self.again.of(texts)
        probe = None if self.probe is None else self.probe[:, texts]
        return Draws(self.dropout.of(texts), again, probe)


def find_losses(
    section: TrainSection,
    judge: Judge,
    targets: torch.Tensor,
    draws: Draws,
    inputs: torch.Size,
    weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of what is to be minimised over the texts, and their logits.

    Args:
        section: What is asked for.
        judge: The network.
        targets: [B] int64 labels, or [B, C] float32 probabilities.
        draws: What chance decides.
        inputs: T, B, E.
        weights: [B] float32, what each text counts; None: 1.

    Returns:
        [], and [B, C].
    """

    def miss(logits: torch.Tensor) -> torch.Tensor:
        smoothing = section.label_smoothing
        if section.focal_gamma:
            losses = focal_loss(
                logits, smooth(targets, logits, smoothing), section.focal_gamma
            )  # [B]
        else:
            losses = F.cross_entropy(
                logits, targets, label_smoothing=smoothing, reduction="none"
            )  # [B]
        return losses.sum() if weights is None else losses @ weights

    shift = (
        targets.new_zeros(inputs, dtype=torch.float32).requires_grad_()
        if section.adversarial
        else None
    )
    logits = judge(dropout=draws.dropout, shift=shift)  # [B, C]
    losses = miss(logits)
    if shift is not None:
        (gradient,) = torch.autograd.grad(losses, shift, retain_graph=True)  # [T, B, E]
        losses = losses + miss(
            judge(dropout=draws.dropout, shift=scale_to(gradient, section.adversarial))
        )
    if draws.probe is not None:
        shift = find_shift(judge, logits, draws, section.virtual_adversarial)
        losses = losses + divergence(
            logits.detach(), judge(dropout=draws.dropout, shift=shift)
        )
    if draws.again is not None:
        other = judge(dropout=draws.again)
        losses = (
            losses
            + miss(other)
            + section.r_drop
            * (divergence(logits, other) + divergence(other, logits))
            / 2
        )
    return losses, logits


def find_class_weights(
    section: TrainSection, labels: npt.NDArray[np.int64], label_names: Sequence[str]
) -> torch.Tensor | None:
    """Return what each class counts, or None where all count 1.

    `balanced` is what scikit-learn's `compute_class_weight` returns, N / (C * count).
    Weights of one's own are scaled so that a text counts 1 in the mean, as it does with
    those: they change the balance of the classes, not the step.

    Args:
        section: What is asked for.
        labels: [N] those of the training rows.
        label_names: The C classes.

    Returns:
        [C] float32.

    Raises:
        ConfigError: There are more or fewer weights than classes.
    """
    if section.class_weights is None:
        return None
    counts = np.bincount(labels, minlength=len(label_names)).astype(np.float64)
    if section.class_weights == "balanced":
        weights = 1 / np.maximum(counts, 1)
    elif len(section.class_weights) == len(label_names):
        weights = np.array(section.class_weights)
    else:
        raise ConfigError(
            f"train.class_weights: found {len(section.class_weights)} for"
            f" {len(label_names)} classes: expected one for each of"
            f" {', '.join(label_names)}, in this order"
        )
    shares = (
        counts / counts.sum()
        if section.sampling == "uniform"
        else (counts > 0) / (counts > 0).sum()
    )
    return torch.from_numpy(weights / (weights @ shares)).float()


def smooth(targets: torch.Tensor, logits: torch.Tensor, share: float) -> torch.Tensor:
    """Return labels [B] or probabilities [B, C] as probabilities, a share of them
    spread over all classes. [B, C].
    """
    num_classes = logits.shape[1]
    if not targets.is_floating_point():
        targets = F.one_hot(targets, num_classes).to(logits.dtype)
    return targets * (1 - share) + share / num_classes


def focal_loss(
    logits: torch.Tensor, targets: torch.Tensor, gamma: float
) -> torch.Tensor:
    """Return the focal loss of each text (Lin et al. 2017), as Keras' categorical one
    the
    sum over the classes.

    Args:
        logits: [B, C] float32.
        targets: [B, C] probabilities.
        gamma: Above 0.

    Returns:
        [B].
    """
    log_probs = logits.log_softmax(dim=1)  # [B, C]
    missing = -torch.expm1(log_probs)  # 1 - p, exact where p is near 1
    # Away from 0, where a power below 1 has no gradient.
    missing = missing.clamp_min(torch.finfo(missing.dtype).tiny)
    return -(targets * missing**gamma * log_probs).sum(dim=1)


def find_shift(
    judge: Judge, logits: torch.Tensor, draws: Draws, length: float
) -> torch.Tensor:
    """Return about the change of that length that moves the prediction most: one power
    iteration. [T, B, E].

    It looks at the same distance, rather than from next to nothing as the paper does,
    which bfloat16 could not tell.
    """
    assert draws.probe is not None
    shift = scale_to(draws.probe, length).requires_grad_()
    moved = divergence(logits.detach(), judge(dropout=draws.dropout, shift=shift))
    return scale_to(torch.autograd.grad(moved, shift)[0], length)


def divergence(logits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence from the first prediction to the other,
    summed, in nats. [B, C] -> [].
    """
    own, theirs = logits.log_softmax(dim=1), other.log_softmax(dim=1)
    return F.kl_div(theirs, own, reduction="sum", log_target=True)


def scale_to(change: torch.Tensor, length: float) -> torch.Tensor:
    """Return each text's change with this 2-norm over all its words; a change of zero
    stays. [T, B, E].
    """
    tiny = torch.finfo(change.dtype).tiny
    # By its largest number first: the squares of small ones would be zero.
    change = change / change.abs().amax(dim=(0, 2), keepdim=True).clamp_min(tiny)
    norms = (
        change.square().sum(dim=(0, 2), keepdim=True).sqrt()
    )  # [1, B, 1], 0 or at least 1
    return change * (length / norms.clamp_min(1.0))
