"""Thresholds maximise F1, and the temperature minimises the binary cross-entropy."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar

from rnncls.evaluation.thresholds import (
    NUM_THRESHOLD_SAMPLES,
    PRIOR_TEXTS,
    choose_common_threshold,
    choose_label_thresholds,
    fit_label_temperature,
)

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def draw(num_rows: int, shares: list[float], seed: int) -> tuple[Bools, Floats]:
    """Return labels with these shares, and logits that are 2 higher for true labels."""
    generator = np.random.default_rng(seed)
    labels = generator.random((num_rows, len(shares))) < shares
    noise = generator.normal(-2, 1, labels.shape)
    return labels, noise + 2 * labels


def to_logit(prob: float) -> float:
    return math.log(prob / (1 - prob))


def sum_f1s(labels: Bools, predicted: Bools) -> float:
    """Return macro-F1 plus micro-F1."""
    num_hits = (labels & predicted).sum(axis=0)
    sums = labels.sum(axis=0) + predicted.sum(axis=0)
    macro_f1 = float(np.mean(2 * num_hits / np.maximum(sums, 1)))
    return macro_f1 + float(2 * num_hits.sum() / sums.sum())


def test_the_common_threshold_has_nearly_the_highest_sum_of_f1s() -> None:
    labels, logits = draw(400, [0.4, 0.1, 0.05], 0)
    threshold = choose_common_threshold(labels, logits)
    chosen = sum_f1s(labels, logits >= to_logit(threshold) - 1e-9)
    best = max(sum_f1s(labels, logits >= cut) for cut in np.unique(logits))
    assert best - 0.006 <= chosen <= best


def test_the_common_threshold_separates_what_can_be_separated() -> None:
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
    logits = np.where(labels, 2.0, -3.0)
    threshold = choose_common_threshold(labels, logits)
    np.testing.assert_array_equal(logits >= to_logit(threshold) - 1e-9, labels)


def test_frequent_labels_have_nearly_the_best_thresholds() -> None:
    labels, logits = draw(6_000, [0.5, 0.1], 1)
    thresholds = choose_label_thresholds(labels, logits)
    chosen = sum_f1s(labels, logits >= list(map(to_logit, thresholds)))
    grid = np.linspace(-2.5, 0.5, 20)
    best = max(
        sum_f1s(labels, logits >= [first, second]) for first in grid for second in grid
    )
    assert chosen >= best - 0.003
    # The rarer a label, the higher its threshold.
    assert thresholds[1] > thresholds[0]


def test_a_label_without_texts_gets_the_common_threshold() -> None:
    labels, logits = draw(300, [0.4, 0.1, 0.0], 2)
    common = choose_common_threshold(labels, logits)
    thresholds = choose_label_thresholds(labels, logits)
    assert thresholds[2] == pytest.approx(common, abs=1e-12)


def test_without_any_label_the_thresholds_are_one_half() -> None:
    labels, logits = draw(50, [0.0, 0.0], 3)
    assert choose_common_threshold(labels, logits) == 0.5
    assert choose_label_thresholds(labels, logits).tolist() == [0.5, 0.5]


def test_the_threshold_of_a_label_with_few_texts_is_drawn_to_the_common_one() -> None:
    # In every sample, the best threshold of the second label is halfway between its
    # two texts, whose logits are equal, and the other texts.
    labels, logits = draw(500, [0.4, 0.0], 4)
    labels[:2, 1] = True
    logits[:, 1] = np.where(labels[:, 1], 6.0, 4.0)
    common = to_logit(choose_common_threshold(labels, logits))
    threshold = choose_label_thresholds(labels, logits)[1]
    generator = np.random.default_rng(0)
    samples = [generator.integers(0, 500, 500) for _ in range(NUM_THRESHOLD_SAMPLES)]
    num_with_text = sum(bool(labels[rows, 1].any()) for rows in samples)
    share = num_with_text / NUM_THRESHOLD_SAMPLES
    own = share * 5.0 + (1 - share) * common
    expected = (2 * own + PRIOR_TEXTS * common) / (2 + PRIOR_TEXTS)
    assert to_logit(threshold) == pytest.approx(expected, abs=1e-9)


def test_texts_with_equal_logits_are_not_separated() -> None:
    # Each text with the label ties with one that lacks it.
    labels = np.array([[1], [0], [0]] * 60, dtype=bool)
    logits = np.array([[1.0], [1.0], [-1.0]] * 60)
    threshold = choose_label_thresholds(labels, logits)[0]
    # Own threshold: 0, between 1 and -1. Common one: 1, the only true logit.
    expected = PRIOR_TEXTS * 1.0 / (60 + PRIOR_TEXTS)
    assert to_logit(threshold) == pytest.approx(expected)


def test_a_label_that_all_texts_have_is_always_predicted() -> None:
    labels = np.ones((200, 1), dtype=bool)
    logits = np.linspace(-2, 2, 200)[:, None]
    threshold = choose_label_thresholds(labels, logits)[0]
    # The last text is missing in some samples.
    assert to_logit(threshold) == pytest.approx(-2, abs=0.1)


def test_thresholds_of_the_same_rows_are_the_same() -> None:
    labels, logits = draw(200, [0.3, 0.1], 5)
    first = choose_label_thresholds(labels, logits)
    np.testing.assert_array_equal(first, choose_label_thresholds(labels, logits))


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_minimises_the_binary_cross_entropy(scale: float) -> None:
    labels, logits = draw(3_000, [0.5, 0.2], 6)
    scaled = torch.from_numpy(logits * scale)
    targets = torch.from_numpy(labels)
    temperature = fit_label_temperature(scaled.float(), targets)

    def compute_loss(inverse: float) -> float:
        loss = F.binary_cross_entropy_with_logits(
            scaled * inverse, targets.double(), reduction="sum"
        )
        return float(loss) + inverse - math.log(inverse)

    best = minimize_scalar(
        compute_loss, bounds=(1e-3, 1e3), method="bounded", options={"xatol": 1e-9}
    )
    assert 1 / temperature == pytest.approx(best.x, rel=1e-4)


def test_the_temperature_of_separable_rows_stays_finite() -> None:
    labels = torch.eye(4, dtype=torch.bool)
    temperature = fit_label_temperature(labels.float() * 8 - 4, labels)
    assert 0.1 < temperature < 10


def test_the_temperature_does_not_depend_on_the_scale_of_many_logits() -> None:
    labels, logits = draw(5_000, [0.5, 0.2], 7)
    targets = torch.from_numpy(labels)
    first = fit_label_temperature(torch.from_numpy(logits).float(), targets)
    second = fit_label_temperature(torch.from_numpy(logits * 3).float(), targets)
    assert second == pytest.approx(3 * first, rel=1e-2)


def test_a_single_label_gets_a_threshold() -> None:
    labels, logits = draw(200, [0.3], 8)
    assert choose_label_thresholds(labels, logits).shape == (1,)
