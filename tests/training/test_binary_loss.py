"""Binary cross-entropy, against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from rnncls.training.binary_loss import BinaryCrossEntropy, binary_kl_divergence

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 0.0, 1.0]], dtype=torch.float64)
TARGETS = torch.tensor([[True, False, True], [False, False, True]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_torch(smoothing: float) -> None:
    targets = TARGETS.double() * (1 - smoothing) + smoothing / 3
    expected = F.binary_cross_entropy_with_logits(LOGITS, targets, reduction="sum")
    loss = BinaryCrossEntropy(TARGETS, None, smoothing, 0.0)(LOGITS)
    torch.testing.assert_close(loss, expected)


def test_weights_apply_to_the_labels_of_a_text() -> None:
    weights = torch.tensor([2.0, 3.0, 0.5], dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(
        LOGITS, TARGETS.double(), pos_weight=weights, reduction="sum"
    )
    rows = weights.expand(2, 3)
    torch.testing.assert_close(
        BinaryCrossEntropy(TARGETS, rows, 0, 0)(LOGITS), expected
    )


def test_focal_loss_reduces_the_weight_of_sure_decisions() -> None:
    probs = LOGITS.sigmoid()  # [B, C]
    right = torch.where(TARGETS, probs, 1 - probs)  # [B, C]
    expected = -((1 - right) ** 2 * right.log()).sum()
    loss = BinaryCrossEntropy(TARGETS, None, 0.0, 2.0)(LOGITS)
    torch.testing.assert_close(loss, expected)


def test_the_divergence_is_that_of_torch_summed_over_the_labels() -> None:
    other_logits = torch.tensor([[1.0, -2.0, 0.5], [4.0, 0.3, -1.0]]).double()
    first = torch.distributions.Bernoulli(logits=LOGITS)
    second = torch.distributions.Bernoulli(logits=other_logits)
    expected = torch.distributions.kl_divergence(first, second).sum()
    torch.testing.assert_close(binary_kl_divergence(LOGITS, other_logits), expected)
    assert binary_kl_divergence(LOGITS, LOGITS) == 0


def test_the_divergence_of_sure_predictions_has_a_finite_gradient() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    divergence = binary_kl_divergence(logits, -logits.detach())
    (gradient,) = torch.autograd.grad(divergence, logits)
    assert divergence.item() == 400
    assert gradient.isfinite().all()
