"""Two-sample tests: against scipy's, against values by hand, and on pure noise."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2_contingency, ttest_ind

from rnncls.evaluation.drift_statistics import (
    adjust_holm,
    classify_samples,
    compare_distributions,
    compare_label_sets,
    compare_labels,
    compare_shares,
    compute_cramers_v,
    estimate_share,
)

Ints = npt.NDArray[np.int64]


def test_the_effect_of_two_distributions_is_their_largest_distance() -> None:
    low, high = np.arange(100.0), np.arange(100.0) + 25
    effect = compare_distributions(low, high)
    assert effect.size == pytest.approx(0.25)
    assert 0.001 < effect.p < 0.01
    same = compare_distributions(low, low)
    assert [same.size, same.p] == pytest.approx([0, 1])


def test_the_variance_of_a_share_counts_texts() -> None:
    share = estimate_share(np.array([1, 0]), np.array([2, 2]))
    # The residuals are 0.5 and -0.5, divided by the 4 tokens, times 2 / (2 - 1).
    assert [share.share, share.variance] == pytest.approx([0.25, 0.0625])


def test_shares_of_equally_long_texts_are_compared_as_welch_does() -> None:
    generator = np.random.default_rng(0)
    lengths = np.full(60, 10)
    first, second = generator.binomial(10, 0.1, 60), generator.binomial(10, 0.2, 40)
    effect = compare_shares(
        estimate_share(first, lengths), estimate_share(second, lengths[:40])
    )
    expected = ttest_ind(first / 10, second / 10, equal_var=False)
    assert effect.p == pytest.approx(float(expected.pvalue))


def test_a_text_of_unknown_words_counts_once() -> None:
    """One long text in which all words are unknown is not significant."""
    lengths = np.full(50, 10)
    lengths[0] = 100
    counts = np.zeros(50, dtype=np.int64)
    known = estimate_share(counts, lengths)
    counts[0] = 100
    effect = compare_shares(known, estimate_share(counts, lengths))
    assert effect.size > 0.2
    assert effect.p > 0.1


@pytest.mark.parametrize(("unknown", "p"), [(0, 1.0), (10, 0.0)])
def test_shares_without_a_variance_are_equal_or_not(unknown: int, p: float) -> None:
    lengths = np.full(20, 10)
    none = estimate_share(np.zeros(20, np.int64), lengths)
    all_or_none = estimate_share(np.full(20, unknown), lengths)
    assert compare_shares(none, all_or_none).p == p


def test_labels_are_compared_by_chi_squared() -> None:
    first, second = np.array([500, 400, 100]), np.array([600, 300, 100])
    effect = compare_labels(first, second)
    expected = chi2_contingency(np.stack([first, second]), correction=False)
    assert effect.p == pytest.approx(float(expected.pvalue))
    assert effect.test == "chi-squared"
    # V squared: (0.01 / 1.1 + 0.01 / 0.7) / 2, of which 2 / 4 * 2 / 1000 by chance.
    assert effect.size**2 == pytest.approx(0.0116883 - 0.001, abs=1e-6)


def test_two_labels_have_an_exact_test() -> None:
    effect = compare_labels(np.array([8, 2, 0]), np.array([1, 5, 0]))
    # Of 16 over 10 tables, 9 over 8 times 7 over 2 have an 8, and so on: those with
    # an 8, 9 or 3 are at most as probable.
    assert effect.p == pytest.approx((189 + 7 + 84) / 8008)
    assert effect.test == "Fisher's exact test"


def test_v_is_one_if_no_label_is_in_both() -> None:
    assert compute_cramers_v(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_the_size_of_a_sample_does_not_change_v() -> None:
    first, second = np.array([5_000, 5_000]), np.array([60_000, 40_000])
    same_sizes = compare_labels(first * 10, second)
    assert compare_labels(first, second).size == pytest.approx(same_sizes.size, 0.01)


def test_rare_labels_have_a_permutation_test() -> None:
    effect = compare_labels(np.array([8, 8, 8, 8]), np.array([200, 0, 0, 0]))
    assert effect.test == "chi-squared, by permutation"
    assert effect.p == 1 / 10_000
    assert effect.size > 0.7


def test_the_permutation_test_is_close_to_the_exact_one() -> None:
    first, second = np.array([6, 3, 1]), np.array([1, 4, 5])
    effect = compare_labels(first, second)
    assert effect.test == "chi-squared, by permutation"
    assert effect.p == pytest.approx(exact_p(first, second), abs=0.01)


def exact_p(first: Ints, second: Ints) -> float:
    """Add up the probabilities of all counts that are at least as far apart."""
    totals, size = first + second, int(second.sum())
    num_draws = math.comb(int(totals.sum()), size)
    expected = totals * size / totals.sum()

    def distance(counts: Ints) -> float:
        return float((np.square(counts - expected) / totals).sum())

    p = 0.0
    for drawn in itertools.product(*(range(total + 1) for total in totals)):
        counts = np.array(drawn)
        if counts.sum() == size and distance(counts) > distance(second) - 1e-9:
            p += math.prod(map(math.comb, totals.tolist(), drawn)) / num_draws
    return p


def test_a_single_label_is_not_compared() -> None:
    effect = compare_labels(np.array([20, 0]), np.array([30, 0]))
    assert (effect.size, effect.p) == (0, 1)


def test_texts_without_tokens_have_no_share_to_compare() -> None:
    none = np.zeros(20, dtype=np.int64)
    empty = estimate_share(none, none)
    some = estimate_share(none + 1, none + 10)
    for effect in (compare_shares(empty, some), compare_shares(some, empty)):
        assert (effect.size, effect.p) == (0, 1)


def test_one_changed_label_of_several_is_found() -> None:
    generator = np.random.default_rng(0)
    shares = np.array([0.5, 0.2, 0.1])
    first = generator.random((400, 3)) < shares
    second = generator.random((300, 3)) < shares
    assert compare_label_sets(first, second).p > 0.05
    second[:, 2] = generator.random(300) < 0.4
    changed = compare_label_sets(first, second)
    alone = compare_labels(
        np.bincount(first[:, 2], minlength=2), np.bincount(second[:, 2], minlength=2)
    )
    assert changed.p == pytest.approx(3 * alone.p)
    assert changed.test == "Fisher's exact test of each label"
    assert changed.size == alone.size > 0.3


def draw_states(seed: int, num_texts: int, shift: float) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.normal(shift, 1, (num_texts, 8)).astype(np.float32)


def test_shifted_states_are_told_apart() -> None:
    result = classify_samples(draw_states(0, 200, 0.0), draw_states(1, 300, 1.0))
    # The distance of the means is 8 ** 0.5, so AUROC is Phi(8 ** 0.5 / 2 ** 0.5).
    assert result.auroc == pytest.approx(0.977, abs=0.02)
    assert result.p < 1e-20
    assert len(result.scores) == 300
    assert result.effect.size == 2 * result.auroc - 1


def test_the_texts_that_stand_out_have_the_highest_scores() -> None:
    file = np.concatenate([draw_states(1, 190, 0.0), draw_states(2, 10, 3.0)])
    scores = classify_samples(draw_states(0, 200, 0.0), file).scores
    assert set(np.argsort(-scores)[:10].tolist()) == set(range(190, 200))


def test_states_of_one_distribution_are_rarely_told_apart() -> None:
    ps = []
    for seed in range(40):
        samples = draw_states(2 * seed, 40, 0.0), draw_states(2 * seed + 1, 30, 0.0)
        ps.append(classify_samples(*samples).p)
    assert sum(p < 0.1 for p in ps) <= 8
    assert min(ps) > 0.0005


def test_equal_states_are_not_told_apart() -> None:
    states = np.zeros((20, 3), np.float32)
    result = classify_samples(states, states)
    assert (result.auroc, result.p) == (0.5, 1)


def test_holms_correction_is_that_of_a_textbook() -> None:
    assert adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_holm([0.9, 0.8]) == [1, 1]
