"""The loss of a classifier: cross-entropy, and optional terms of regularisation.

With y a text's label, w_y the weight of its class, q its target (the label, or a mix
of the label and the teachers' probabilities, after label smoothing) and p the predicted
probabilities, the cross-entropy of a text is

    - w_y * sum over c of  q_c * (1 - p_c)^focal_gamma * log p_c

The terms are summed over the batch; the trainer divides by the number of texts.
Adversarial training and R-Drop add further cross-entropies. R-Drop and virtual
adversarial training also add divergences, which need no label and have no weight.
torch's `cross_entropy` weights each class of a target; here the complete text has the
weight of its label. Otherwise label smoothing towards a class with a weight of fifty
would outweigh the label of every other text.

Shapes: B texts, K steps of the recurrent layers in the longest of them, E
embedding_dim, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from rnncls.config.sections import TrainSection
from rnncls.nn.dropout import Dropout
from rnncls.training.binary_loss import BinaryCrossEntropy, binary_kl_divergence
from rnncls.training.step_data import StepNoise


class Forward(Protocol):
    """A forward pass over the texts of a batch."""

    def __call__(self, inputs: torch.Tensor, dropout: Dropout, /) -> torch.Tensor:
        """Return the logits [B, C].

        Args:
            inputs: [K, B, E], what the steps of the recurrent layers read.
            dropout: The masks.
        """


class Divergence(Protocol):
    """How far predictions are from others."""

    def __call__(
        self, logits: torch.Tensor, other_logits: torch.Tensor, /
    ) -> torch.Tensor:
        """Return the divergence [] of logits [B, C] and [B, C], summed over texts."""


@dataclass(frozen=True)
class CrossEntropy:
    """The summed cross-entropy of logits [B, C] against fixed targets.

    Attributes:
        targets: [B] int64 labels, or [B, C] float32 probabilities.
        row_weights: [B] float32, the weight of each text; None: 1.
        label_smoothing: The share of each target that is spread over all classes.
        focal_gamma: The exponent of the focal loss; 0: plain cross-entropy.
    """

    targets: torch.Tensor
    row_weights: torch.Tensor | None
    label_smoothing: float
    focal_gamma: float

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the sum over the texts. [B, C] -> []."""
        if self.focal_gamma:
            targets = smooth_labels(self.targets, logits, self.label_smoothing)
            losses = focal_loss(logits, targets, self.focal_gamma)  # [B]
        else:
            losses = F.cross_entropy(
                logits,
                self.targets,
                label_smoothing=self.label_smoothing,
                reduction="none",
            )  # [B]
        if self.row_weights is None:
            return losses.sum()
        return losses @ self.row_weights


def compute_loss(  # noqa: PLR0913 - the targets of one label and of several differ
    section: TrainSection,
    forward: Forward,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    noise: StepNoise,
    row_weights: torch.Tensor | None = None,
    column_scales: torch.Tensor | None = None,
    *,
    weights: Sequence[torch.Tensor],
    has_several_labels: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the summed loss of some texts, and the logits of the first forward pass.

    Args:
        section: Which terms the loss has.
        forward: The network on these texts.
        inputs: [K, B, E], what the steps of its recurrent layers read.
        targets: [B] int64 labels, or [B, C] float32 probabilities; for several labels a
            text [B, C], bool sets of labels or float32 probabilities.
        noise: The random numbers of these texts.
        row_weights: [B] float32, the weight of each text; for sets of labels [B, C],
            that of each label of the text; None: 1.
        column_scales: [E], or [] for all columns, the units of a change of the inputs;
            None: 1.
        weights: All other tensors that the logits depend on and that the loss may be
            differentiated by: the weights of the network.
        has_several_labels: Whether a text has a set of labels.

    Returns:
        The loss [] and the logits [B, C].
    """
    kind = BinaryCrossEntropy if has_several_labels else CrossEntropy
    divergence = binary_kl_divergence if has_several_labels else kl_divergence
    cross_entropy = kind(
        targets, row_weights, section.label_smoothing, section.focal_gamma
    )
    if column_scales is None:
        column_scales = torch.ones((), device=targets.device)
    logits = forward(inputs, noise.dropout)  # [B, C]
    loss = cross_entropy(logits)
    if section.adversarial:
        # R-Drop reads the graph of the logits again.
        loss, gradient = differentiate(
            loss, inputs, weights, retain_graph=section.r_drop > 0
        )
        change = find_adversarial_change(gradient, section.adversarial, column_scales)
        adversarial_logits = forward(inputs + change, noise.dropout)  # [B, C]
        loss = loss + cross_entropy(adversarial_logits)
    if noise.vat_direction is not None:
        size = section.virtual_adversarial
        loss = loss + virtual_adversarial_loss(
            forward, inputs, logits, noise, size, column_scales, divergence
        )
    if noise.second_dropout is not None:
        second_logits = forward(inputs, noise.second_dropout)  # [B, C]
        loss = loss + cross_entropy(second_logits)
        both_ways = r_drop_divergence(logits, second_logits, divergence)
        loss = loss + section.r_drop * both_ways / 2
    return loss, logits


def count_passes(section: TrainSection) -> int:
    """Return how many passes, forward and backward, the loss of a batch takes."""
    num_passes = 1
    if section.adversarial:
        num_passes += 1
    if section.virtual_adversarial:
        num_passes += 2  # one of them to find the change
    if section.r_drop:
        num_passes += 1
    return num_passes


def smooth_labels(
    targets: torch.Tensor, logits: torch.Tensor, label_smoothing: float
) -> torch.Tensor:
    """Return labels [B] or probabilities [B, C] as smoothed probabilities [B, C]."""
    num_classes = logits.shape[1]
    if not targets.is_floating_point():
        targets = F.one_hot(targets, num_classes).to(logits.dtype)
    return targets * (1 - label_smoothing) + label_smoothing / num_classes


def focal_loss(
    logits: torch.Tensor, targets: torch.Tensor, gamma: float
) -> torch.Tensor:
    """Return the focal loss of each text (Lin et al. 2017).

    Like Keras' categorical focal loss, it is the sum over all classes.

    Args:
        logits: [B, C] float32.
        targets: [B, C] probabilities.
        gamma: Above 0.

    Returns:
        [B].
    """
    log_probs = logits.log_softmax(dim=1)  # [B, C]
    one_minus_p = -torch.expm1(log_probs)  # [B, C], exact where p is near 1
    # Not 0, where a power below 1 has no finite gradient.
    one_minus_p = one_minus_p.clamp_min(torch.finfo(one_minus_p.dtype).tiny)
    return -(targets * one_minus_p**gamma * log_probs).sum(dim=1)


class _DifferentiatedLoss(torch.autograd.Function):
    """A loss whose gradients are known, so that it needs no graph."""

    @staticmethod
    def forward(
        ctx: Any,
        loss: torch.Tensor,
        gradients: Sequence[torch.Tensor | None],
        *weights: torch.Tensor,  # noqa: ARG004 - makes them inputs of the function
    ) -> torch.Tensor:
        """Return the loss [] as a function of the weights."""
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the known gradients times the factor [] of this loss in another."""
        known = (
            None if gradient is None else gradient * factor
            for gradient in ctx.gradients
        )
        return None, None, *known


def differentiate(
    loss: torch.Tensor,
    inputs: torch.Tensor,
    weights: Sequence[torch.Tensor],
    *,
    retain_graph: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the gradients of a loss with respect to the inputs and to the weights.

    One backward pass finds all. The loss that is returned has the same gradients as
    the one that was given, but they are not computed again, and the graph from the
    inputs to the loss is freed.

    Args:
        loss: Scalar.
        inputs: [K, B, E], a function of the word vectors.
        weights: What else the loss may be differentiated by.
        retain_graph: Whether the graph of the loss is needed again.

    Returns:
        The loss [], and its gradient with respect to the inputs, [K, B, E].
    """
    gradients = torch.autograd.grad(
        loss, [inputs, *weights], retain_graph=retain_graph, allow_unused=True
    )
    known = _DifferentiatedLoss.apply(loss.detach(), gradients, inputs, *weights)  # type: ignore[no-untyped-call]
    return known, gradients[0]


def find_adversarial_change(
    gradient: torch.Tensor, size: float, column_scales: torch.Tensor
) -> torch.Tensor:
    """Return the change of the inputs that raises the loss most.

    Source: Miyato, Dai and Goodfellow 2017, "Adversarial training methods for
    semi-supervised text classification".

    Args:
        gradient: [K, B, E], of the loss with respect to the inputs.
        size: The 2-norm of each text's change, in units of `column_scales`.
        column_scales: [E], or [] for all columns.

    Returns:
        [K, B, E], without a graph.
    """
    return scale_to(gradient * column_scales, size) * column_scales


def virtual_adversarial_loss(  # noqa: PLR0913 - the network and its inputs are two
    forward: Forward,
    inputs: torch.Tensor,
    logits: torch.Tensor,
    noise: StepNoise,
    size: float,
    column_scales: torch.Tensor,
    divergence: Divergence,
) -> torch.Tensor:
    """Return how far the prediction moves under the worst change of the inputs.

    Source: as for `find_adversarial_change`. It needs no labels.

    The change is found by one power iteration from `noise.vat_direction`. It starts at
    the full distance, not close to 0 as in the paper, which bfloat16 could not resolve.

    Args:
        forward: The network.
        inputs: [K, B, E].
        logits: [B, C] of the unchanged texts.
        noise: With a `vat_direction`.
        size: The 2-norm of each text's change, in units of `column_scales`.
        column_scales: [E], or [] for all columns.
        divergence: What measures how far the prediction moves.

    Returns:
        Scalar, the summed divergence.
    """
    assert noise.vat_direction is not None
    reference = logits.detach()  # [B, C]
    start = scale_to(noise.vat_direction, size) * column_scales  # [K, B, E]
    start.requires_grad_()
    moved = divergence(reference, forward(inputs.detach() + start, noise.dropout))
    (gradient,) = torch.autograd.grad(moved, start)  # [K, B, E]
    change = find_adversarial_change(gradient, size, column_scales)  # [K, B, E]
    return divergence(reference, forward(inputs + change, noise.dropout))


def r_drop_divergence(
    logits: torch.Tensor, second_logits: torch.Tensor, divergence: Divergence
) -> torch.Tensor:
    """Return the divergences of two forward passes in both directions, summed.

    Source: Liang et al. 2021, "R-Drop". [B, C], [B, C] -> [].
    """
    forward_divergence = divergence(logits, second_logits)
    backward_divergence = divergence(second_logits, logits)
    return forward_divergence + backward_divergence


def kl_divergence(logits: torch.Tensor, other_logits: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence KL(p || q), summed over the texts.

    Args:
        logits: [B, C] of p.
        other_logits: [B, C] of q.

    Returns:
        Scalar, in nats.
    """
    log_p = logits.log_softmax(dim=1)  # [B, C]
    log_q = other_logits.log_softmax(dim=1)  # [B, C]
    return F.kl_div(log_q, log_p, reduction="sum", log_target=True)


def scale_to(change: torch.Tensor, norm: float) -> torch.Tensor:
    """Scale each text's change of its inputs to a 2-norm; zeros stay zeros.

    Args:
        change: [K, B, E].
        norm: The 2-norm over K and E.

    Returns:
        [K, B, E].
    """
    tiny = torch.finfo(change.dtype).tiny
    # Divide by the largest value first: the squares of small values would be 0.
    largest = change.abs().amax(dim=(0, 2), keepdim=True)  # [1, B, 1]
    change = change / largest.clamp_min(tiny)
    squares = change.square().sum(dim=(0, 2), keepdim=True)  # [1, B, 1]
    norms = squares.sqrt()  # [1, B, 1], 0 or at least 1
    return change * (norm / norms.clamp_min(1.0))
