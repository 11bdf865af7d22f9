"""What a training step minimises: the cross-entropy of the labels, and what may be asked of the network beside that.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, C classes.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from rnncls.config import TrainSection
from rnncls.recurrent import Dropout


class Judge(Protocol):
    """The network on the texts of a batch: logits [B, C] under some dropout, and a change [T, B, E] of word vectors."""

    def __call__(self, *, dropout: Dropout, shift: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits."""


@dataclass(frozen=True)
class Draws:
    """All that chance decides in a step on the texts of a batch, drawn beforehand.

    Attributes:
        dropout: What is dropped.
        again: What is dropped the second time that R-Drop reads the texts.
        probe: [T, B, E] float32, where virtual adversarial training begins to look; 0 on padding.
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
    section: TrainSection, judge: Judge, targets: torch.Tensor, draws: Draws, inputs: torch.Size
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of what is to be minimised over the texts, and their logits.

    Args:
        section: What is asked for.
        judge: The network.
        targets: [B] int64 labels, or [B, C] float32 probabilities.
        draws: What chance decides.
        inputs: T, B, E.

    Returns:
        [], and [B, C].
    """

    def miss(logits: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, targets, label_smoothing=section.label_smoothing, reduction="sum")

    shift = targets.new_zeros(inputs, dtype=torch.float32).requires_grad_() if section.adversarial else None
    logits = judge(dropout=draws.dropout, shift=shift)  # [B, C]
    losses = miss(logits)
    if shift is not None:
        (gradient,) = torch.autograd.grad(losses, shift, retain_graph=True)  # [T, B, E]
        losses = losses + miss(judge(dropout=draws.dropout, shift=scale_to(gradient, section.adversarial)))
    if draws.probe is not None:
        shift = find_shift(judge, logits, draws, section.virtual_adversarial)
        losses = losses + divergence(logits.detach(), judge(dropout=draws.dropout, shift=shift))
    if draws.again is not None:
        other = judge(dropout=draws.again)
        losses = losses + miss(other) + section.r_drop * (divergence(logits, other) + divergence(other, logits)) / 2
    return losses, logits


def find_shift(judge: Judge, logits: torch.Tensor, draws: Draws, length: float) -> torch.Tensor:
    """Return about the change of that length that moves the prediction most: one power iteration. [T, B, E].

    It looks at the same distance, rather than from next to nothing as the paper does, which bfloat16 could not tell.
    """
    assert draws.probe is not None
    shift = scale_to(draws.probe, length).requires_grad_()
    moved = divergence(logits.detach(), judge(dropout=draws.dropout, shift=shift))
    return scale_to(torch.autograd.grad(moved, shift)[0], length)


def divergence(logits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence from the first prediction to the other, summed, in nats. [B, C] -> []."""
    own, theirs = logits.log_softmax(dim=1), other.log_softmax(dim=1)
    return F.kl_div(theirs, own, reduction="sum", log_target=True)


def scale_to(change: torch.Tensor, length: float) -> torch.Tensor:
    """Return each text's change with this 2-norm over all its words; a change of zero stays. [T, B, E]."""
    norms = change.square().sum(dim=(0, 2), keepdim=True).sqrt()  # [1, B, 1]
    return change * (length / norms.clamp_min(torch.finfo(change.dtype).tiny))
