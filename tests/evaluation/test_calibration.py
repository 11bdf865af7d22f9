"""Calibration agrees with SciPy, scikit-learn and values computed by hand."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.calibration import calibration_curve

from rnncls.evaluation.calibration import (
    Bin,
    accuracy_by_coverage,
    compute_selective_accuracies,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def draw_logits(
    num_rows: int, num_classes: int, temperature: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits, and labels drawn from what they say once they are divided by a
    temperature."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=3.0, size=(num_rows, num_classes)).astype(
        np.float32
    )
    chances = np.exp(log_softmax(logits / temperature, axis=1))
    labels = (
        (chances.cumsum(axis=1) < generator.random((num_rows, 1)))
        .sum(axis=1)
        .clip(max=num_classes - 1)
    )
    return torch.from_numpy(logits), torch.from_numpy(labels)


def draw_confidences(num_rows: int, seed: int) -> tuple[Floats, Bools]:
    """Return probabilities, and whether each text is right, a little less often than
    they say."""
    generator = np.random.default_rng(seed)
    confidences = generator.beta(4, 1, num_rows)
    return confidences, generator.random(num_rows) < confidences**1.3


@pytest.mark.parametrize(
    ("num_rows", "num_classes", "temperature"),
    [(5, 2, 1.0), (40, 4, 0.3), (300, 3, 2.5), (50, 20, 5.0)],
)
def test_the_temperature_is_the_one_that_scipy_finds(
    num_rows: int, num_classes: int, temperature: float
) -> None:
    logits, labels = draw_logits(num_rows, num_classes, temperature, seed=num_rows)

    def loss(log_temperature: float) -> float:
        own = np.exp(log_temperature)
        chances = log_softmax(logits.double().numpy() / own, axis=1)
        return float(
            -chances[np.arange(num_rows), labels.numpy()].sum() + 1 / own + np.log(own)
        )

    expected = np.exp(
        minimize_scalar(
            loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10}
        ).x
    )
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_many_rows_tell_the_temperature_that_their_labels_were_drawn_at(
    temperature: float,
) -> None:
    assert fit_temperature(
        *draw_logits(20_000, 4, temperature, seed=1)
    ) == pytest.approx(temperature, rel=0.04)


def test_a_few_rows_that_are_all_right_do_not_make_every_probability_one() -> None:
    logits = torch.tensor([[2.0, 0.0]] * 10 + [[0.0, 2.0]] * 10)
    labels = torch.tensor([0] * 10 + [1] * 10)
    temperature = fit_temperature(logits, labels)
    # The slope in b = 1 / temperature is 1 - 1/b - 20 * 2 / (1 + exp(2b)): zero at b =
    # 1.75.
    assert 1 - temperature - 40 / (1 + np.exp(2 / temperature)) == pytest.approx(
        0, abs=1e-6
    )
    assert 0.4 < temperature < 0.7


def test_logits_that_say_nothing_are_left_as_they_are() -> None:
    assert fit_temperature(
        torch.zeros(7, 3), torch.zeros(7, dtype=torch.int64)
    ) == pytest.approx(1.0)


@pytest.mark.parametrize("num_rows", [3, 100, 5_000])
def test_the_bins_are_those_of_scikit_learn(num_rows: int) -> None:
    confidences, is_right = draw_confidences(num_rows, seed=num_rows)
    accuracies, means = calibration_curve(
        is_right, confidences, n_bins=15, strategy="uniform"
    )
    bins = reliability_bins(confidences, is_right)
    assert [each.accuracy for each in bins] == pytest.approx(accuracies)
    assert [each.confidence for each in bins] == pytest.approx(means)
    assert sum(each.num_rows for each in bins) == num_rows
    assert all(each.low <= each.confidence <= each.high for each in bins)


def test_the_error_is_the_mean_gap_over_all_texts() -> None:
    bins = [Bin(0.0, 0.5, 1, 0.4, 0.0), Bin(0.5, 1.0, 3, 0.9, 1.0)]
    assert expected_calibration_error(bins) == pytest.approx((0.4 + 3 * 0.1) / 4)


def test_the_error_of_drawn_texts_is_that_of_a_loop_over_them() -> None:
    confidences, is_right = draw_confidences(2_000, seed=5)
    gaps = np.zeros(15)
    for confidence, right in zip(confidences, is_right, strict=True):
        gaps[min(14, int(confidence * 15))] += right - confidence
    expected = np.abs(gaps).sum() / 2_000
    assert expected_calibration_error(
        reliability_bins(confidences, is_right)
    ) == pytest.approx(expected)


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    (only,) = reliability_bins(np.array([1.0, 0.95]), np.array([True, False]))
    assert (only.low, only.high, only.num_rows, only.accuracy) == (14 / 15, 1.0, 2, 0.5)


def test_texts_at_or_above_each_round_threshold_are_kept() -> None:
    confidences = np.array([0.6, 0.9, 0.7, 0.8, 0.5, 0.94, 0.9, 0.65, 0.55, 0.4])
    is_right = np.array(
        [False, True, True, False, True, True, True, True, False, False]
    )
    found = compute_selective_accuracies(confidences, is_right)
    assert [
        (each.min_confidence, each.num_rows, each.share, each.accuracy)
        for each in found
    ] == [
        (0.0, 10, 1.0, 0.6),
        (0.5, 9, 0.9, 6 / 9),
        (0.6, 7, 0.7, 5 / 7),
        (0.7, 5, 0.5, 0.8),
        (0.8, 4, 0.4, 0.75),
        (0.9, 3, 0.3, 1.0),
    ]  # no text reaches 0.95


def test_the_curve_ends_at_the_accuracy_of_all() -> None:
    confidences, is_right = draw_confidences(50, seed=2)
    shares, accuracies = accuracy_by_coverage(confidences, is_right)
    best = np.argmax(confidences)
    assert (shares[0], accuracies[0]) == (1 / 50, float(is_right[best]))
    assert (shares[-1], accuracies[-1]) == (1.0, is_right.mean())
    kept = confidences >= np.sort(confidences)[::-1][9]
    assert accuracies[9] == pytest.approx(is_right[kept].mean())


def test_the_temperature_is_at_most_a_thousand() -> None:
    logits = torch.tensor([[1e9, 0.0]])
    fitted = fit_temperature(logits, torch.tensor([1]))
    assert fitted == pytest.approx(1000, rel=1e-9)
