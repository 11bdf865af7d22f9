"""Bootstrap samples of several labels are those of resampled rows."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import f1_score

from rnncls.evaluation.label_bootstrap import (
    NUM_LABEL_RESAMPLES,
    bootstrap_f1,
    compare_labels,
    compute_f1,
)
from rnncls.evaluation.metrics import percentile_interval

Bools = npt.NDArray[np.bool_]


def draw(num_rows: int, num_labels: int, seed: int) -> tuple[Bools, Bools]:
    """Return labels, and predictions that are wrong in a fifth of the cells."""
    generator = np.random.default_rng(seed)
    labels = generator.random((num_rows, num_labels)) < 0.3
    is_wrong = generator.random((num_rows, num_labels)) < 0.2
    return labels, labels ^ is_wrong


def draw_rows() -> npt.NDArray[np.int32]:
    """Return the first samples of 12 texts, a hundred, which are drawn together."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 12, (100, 12), dtype=np.int32)


@pytest.mark.parametrize("average", ["micro", "weighted"])
def test_each_sample_is_scored_as_by_scikit_learn(average: str) -> None:
    labels, predicted = draw(12, 4, 0)
    samples = getattr(bootstrap_f1(labels, predicted), average)
    assert samples.shape == (NUM_LABEL_RESAMPLES,)
    expected = [
        f1_score(labels[row], predicted[row], average=average, zero_division=0.0)
        for row in draw_rows()
    ]
    np.testing.assert_allclose(samples[:100], expected, rtol=1e-12)


def test_labels_that_a_sample_lacks_keep_their_f1() -> None:
    labels, predicted = draw(12, 4, 0)
    labels[:, 0] = predicted[:, 0] = False
    labels[0, 0] = predicted[0, 0] = True
    labels[:, 1] = predicted[:, 1] = False
    labels[1, 1] = predicted[2, 1] = True
    samples = bootstrap_f1(labels, predicted)
    f1s_of_all = f1_score(labels, predicted, average=None, zero_division=0.0)
    assert f1s_of_all[:2].tolist() == [1.0, 0.0]
    num_lacking = 0
    for index, row in enumerate(draw_rows()):
        f1s = f1_score(labels[row], predicted[row], average=None, zero_division=np.nan)
        np.testing.assert_allclose(samples.per_label[:, index], f1s, rtol=1e-12)
        is_lacking = np.isnan(f1s)
        num_lacking += int(is_lacking.sum())
        expected = np.where(is_lacking, f1s_of_all, f1s).mean()
        assert samples.macro[index] == pytest.approx(expected, rel=1e-12)
    assert num_lacking > 10


def test_the_interval_of_macro_f1_holds_it_if_rare_labels_are_never_found() -> None:
    # 5 labels with 50 texts each, of which nearly all are found; 100 with one each.
    labels = np.zeros((350, 105), dtype=bool)
    labels[np.arange(250), np.arange(250) % 5] = True
    labels[np.arange(250, 350), np.arange(5, 105)] = True
    predicted = labels & (np.arange(105) < 5)
    predicted[:20] = False
    _, macro_f1 = compute_f1(labels, predicted)
    low, high = percentile_interval(bootstrap_f1(labels, predicted).macro)
    assert low < macro_f1 < high


def test_the_samples_of_the_same_texts_are_the_same() -> None:
    labels, predicted = draw(50, 4, 1)
    first = bootstrap_f1(labels, predicted)
    second = bootstrap_f1(labels, predicted)
    np.testing.assert_array_equal(first.micro, second.micro)
    np.testing.assert_array_equal(first.macro, second.macro)


def test_the_interval_of_macro_f1_holds_it_with_many_rare_labels() -> None:
    generator = np.random.default_rng(0)
    num_rows, num_labels = 100, 200
    shares = 1 / np.arange(1, num_labels + 1)
    labels = generator.random((num_rows, num_labels)) < 0.5 * shares
    is_right = generator.random(labels.shape) < 0.9
    samples = bootstrap_f1(labels, labels & is_right).macro
    low, high = percentile_interval(samples)
    _, macro_f1 = compute_f1(labels, labels & is_right)
    assert not labels.any(axis=0).all()
    assert low < macro_f1 < high
    assert samples.mean() == pytest.approx(macro_f1, abs=0.01)


def test_the_interval_has_the_width_that_theory_expects() -> None:
    # One label that all texts have: F1 = 2p / (1 + p) for the share p that is found,
    # whose standard deviation is sqrt(p (1 - p) / N) * 2 / (1 + p)^2.
    num_rows, share = 2_000, 0.8
    labels = np.ones((num_rows, 1), dtype=bool)
    predicted = (np.arange(num_rows) < share * num_rows)[:, None]
    samples = bootstrap_f1(labels, predicted).micro
    low, high = percentile_interval(samples)
    deviation = np.sqrt(share * (1 - share) / num_rows) * 2 / (1 + share) ** 2
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.08)


def test_predictions_without_any_label_score_zero() -> None:
    none = np.zeros((5, 3), dtype=bool)
    samples = bootstrap_f1(none, none)
    assert samples.micro.max() == samples.macro.max() == samples.weighted.max() == 0.0


@pytest.mark.parametrize("num_labels", [2, 7])
def test_f1_is_that_of_scikit_learn(num_labels: int) -> None:
    labels, predicted = draw(9, num_labels, 4)
    labels[:, 0] = predicted[:, 0] = False
    expected = [
        f1_score(labels, predicted, average=average, zero_division=0.0)
        for average in ("micro", "macro")
    ]
    assert compute_f1(labels, predicted) == pytest.approx(expected, abs=1e-12)


def test_f1_of_one_label_is_that_of_the_label_alone() -> None:
    labels, predicted = draw(20, 1, 5)
    expected = f1_score(labels[:, 0], predicted[:, 0])
    assert compute_f1(labels, predicted) == pytest.approx((expected, expected))


def test_a_run_does_not_differ_from_itself() -> None:
    labels, predicted = draw(50, 4, 2)
    comparison = compare_labels(labels, predicted, predicted)
    for difference in (comparison.micro_f1, comparison.macro_f1):
        assert difference.difference == 0.0
        assert difference.interval == (0.0, 0.0)
        assert difference.p == 1.0


def test_a_run_that_is_always_better_has_a_small_p() -> None:
    labels, predicted = draw(300, 4, 3)
    better = compare_labels(labels, labels, predicted).macro_f1
    worse = compare_labels(labels, predicted, labels).macro_f1
    assert better.interval[0] > 0
    assert better.p == worse.p == pytest.approx(2 / (NUM_LABEL_RESAMPLES + 1))
    assert better.difference == pytest.approx(1 - compute_f1(labels, predicted)[1])
    assert worse.difference == -better.difference


def test_the_difference_is_that_of_the_same_samples() -> None:
    labels, predicted = draw(40, 3, 6)
    other = predicted ^ draw(40, 3, 7)[0]
    differences = (
        bootstrap_f1(labels, predicted).micro - bootstrap_f1(labels, other).micro
    )
    found = compare_labels(labels, predicted, other).micro_f1
    assert found.interval == percentile_interval(differences)
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    assert found.p == pytest.approx(min(1, 2 * (tail + 1) / 1001))


def test_p_is_seldom_small_for_runs_that_are_equally_good() -> None:
    generator = np.random.default_rng(5)
    num_small = 0
    for _ in range(60):
        labels = generator.random((150, 3)) < 0.4
        first = labels ^ (generator.random(labels.shape) < 0.2)
        second = labels ^ (generator.random(labels.shape) < 0.2)
        num_small += compare_labels(labels, first, second).micro_f1.p < 0.05
    # Binomial(60, 0.05): more than 8 would be seen in one of a hundred experiments.
    assert num_small <= 8
