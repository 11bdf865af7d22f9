"""Scores of the parts, and the factors that join them."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.metrics import f1_score, log_loss

from rnncls.evaluation.calibration import (
    fit_class_biases,
    fit_scales,
    fit_temperature,
)
from rnncls.evaluation.label_sets import THRESHOLDS
from rnncls.evaluation.parts import score_label_parts, score_parts
from rnncls.evaluation.thresholds import fit_label_temperature


def random_parts(num_texts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of two parts, [2, N, 3], and labels, [N]."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (num_texts,), generator=generator)
    truth = torch.nn.functional.one_hot(labels, 3).float()
    noise = torch.randn(2, num_texts, 3, generator=generator)
    return torch.tensor([2.0, 4.0])[:, None, None] * (truth + noise), labels


def test_the_factors_of_two_parts_have_the_lowest_loss() -> None:
    parts, labels = random_parts(60)

    def loss(factors: np.ndarray) -> float:
        logits = torch.einsum("p,pnc->nc", torch.from_numpy(factors), parts.double())
        losses = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
        return losses.item() + float((factors - np.log(factors)).sum())

    expected = minimize(loss, [0.5, 0.5], bounds=[(1e-3, 9)] * 2, tol=1e-12).x
    assert fit_scales(parts, labels) == pytest.approx(expected, rel=1e-3)


def test_the_factor_of_one_part_is_the_inverse_temperature() -> None:
    parts, labels = random_parts(40)
    (factor,) = fit_scales(parts[:1], labels)
    assert factor == pytest.approx(1 / fit_temperature(parts[0], labels), rel=1e-6)


def test_the_biases_of_the_classes_have_the_lowest_loss() -> None:
    parts, labels = random_parts(60)
    labels[:20] = 2

    def loss(biases: np.ndarray) -> float:
        logits = parts[0].double() + torch.from_numpy(biases)
        losses = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
        return losses.item() + float((biases**2).sum()) / 0.2

    expected = minimize(loss, np.zeros(3), tol=1e-12).x
    biases = fit_class_biases(parts[0], labels)
    assert biases.tolist() == pytest.approx(expected, abs=1e-3)
    assert biases.argmax() == 2


def test_a_random_sample_of_many_rows_of_many_classes_is_enough() -> None:
    labels = torch.arange(2400) % 1200
    labels[::2] = 7
    logits = torch.nn.functional.one_hot(labels, 1200).float()
    biases = fit_class_biases(logits, labels)
    fewer_rows = fit_class_biases(logits[:1600], labels[:1600])
    assert biases.argmax() == 7
    assert biases[7].item() == pytest.approx(fewer_rows[7].item(), rel=0.05)
    factors = fit_scales(logits[None], labels)
    assert factors == pytest.approx(
        fit_scales(logits[None, :1600], labels[:1600]), 0.05
    )


@pytest.mark.parametrize("num_texts", [1, 2, 4])
def test_few_validation_rows_lead_to_moderate_factors(num_texts: int) -> None:
    parts, labels = random_parts(num_texts)
    factors = fit_scales(100 * parts, labels)
    assert all(1e-3 <= factor <= 10 for factor in factors)


def test_rows_gained_and_lost_are_counted() -> None:
    labels = np.array([0, 0, 0, 1])
    network = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    ngrams = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    together = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    first, second, both = score_parts(network, ngrams, together, labels)
    assert (first.name, first.accuracy, first.gained, first.lost) == (
        "network",
        0.5,
        2,
        1,
    )
    assert (second.accuracy, second.gained, second.lost, second.p) == (0.5, 1, 0, 1.0)
    assert (both.accuracy, both.gained, both.lost) == (0.75, 0, 0)


def random_label_parts(num_texts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of two parts, [2, N, 3], and label sets, [N, 3]."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.rand(num_texts, 3, generator=generator) < 0.3
    noise = torch.randn(2, num_texts, 3, generator=generator)
    sizes = torch.tensor([2.0, 4.0])[:, None, None]
    return sizes * (labels.float() - 0.5 + noise), labels


def test_the_factors_for_label_sets_have_the_lowest_binary_loss() -> None:
    parts, labels = random_label_parts(60)

    def loss(factors: np.ndarray) -> float:
        logits = torch.einsum("p,pnc->nc", torch.from_numpy(factors), parts.double())
        probs = logits.sigmoid().numpy().ravel()
        losses = log_loss(labels.numpy().ravel(), probs, normalize=False)
        return float(losses + (factors - np.log(factors)).sum())

    expected = minimize(loss, [0.5, 0.5], bounds=[(1e-3, 9)] * 2, tol=1e-12).x
    assert fit_scales(parts, labels) == pytest.approx(expected, rel=1e-3)


def test_the_factor_for_label_sets_of_one_part_is_the_inverse_temperature() -> None:
    parts, labels = random_label_parts(40)
    (factor,) = fit_scales(parts[:1], labels)
    expected = 1 / fit_label_temperature(parts[0], labels)
    assert factor == pytest.approx(expected, rel=1e-6)


def test_parts_of_label_sets_have_the_f1_of_their_best_threshold() -> None:
    parts, labels = random_label_parts(50)
    together = parts.sum(dim=0)
    scores = score_label_parts(parts[0], parts[1], together, labels)
    assert [score.name for score in scores] == ["network", "n-grams", "together"]
    for score, logits in zip(scores, [*parts, together], strict=True):
        f1s = []
        for threshold in THRESHOLDS:
            predicted = logits.double().sigmoid() >= threshold
            f1s.append(f1_score(labels, predicted, average="macro", zero_division=0))
        assert score.macro_f1 == pytest.approx(max(f1s))
