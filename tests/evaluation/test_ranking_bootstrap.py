"""Bootstrap samples of ranking scores are those of resampled texts."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import (
    average_precision_score,
    label_ranking_average_precision_score,
    roc_auc_score,
)

from rnncls.evaluation.ranking_bootstrap import (
    RankingIntervals,
    _draw_samples,
    _group_texts,
    _score_samples,
    bootstrap_ranking,
    compute_rank_precisions,
    limit_resamples,
)

Floats = npt.NDArray[np.float64]


def draw(num_rows: int, decimals: int = 9) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return a label, and probabilities that depend on it."""
    generator = np.random.default_rng(0)
    is_true = generator.random(num_rows) < 0.2
    logits = generator.normal(2 * is_true - 1, 1.5)
    return is_true, (1 / (1 + np.exp(-logits))).round(decimals)


@pytest.mark.parametrize("decimals", [9, 1])
def test_each_sample_is_scored_as_by_scikit_learn(decimals: int) -> None:
    is_true, probs = draw(60, decimals)
    groups = _group_texts(is_true, probs)
    num_values = len(np.unique(probs[is_true]))
    generator = np.random.default_rng(1)
    for samples in _draw_samples(groups, 30, generator):
        precisions, aurocs = _score_samples(samples)
        rows = zip(*samples, precisions, aurocs, strict=True)
        for true, tied, between, precision, auroc in rows:
            # A text of a group has the group's place in the order.
            places = np.arange(num_values)
            scores = np.repeat(
                -np.concatenate([places, places, np.arange(num_values + 1) - 0.5]),
                np.concatenate([true, tied, between]),
            )
            labels = np.arange(len(scores)) < true.sum()
            expected = average_precision_score(labels, scores)
            assert precision == pytest.approx(expected)
            assert auroc == pytest.approx(roc_auc_score(labels, scores))


@pytest.mark.parametrize("decimals", [9, 1])
def test_the_intervals_are_those_of_resampled_texts(decimals: int) -> None:
    is_true, probs = draw(300, decimals)
    (found,) = bootstrap_ranking(is_true[:, None], probs[:, None])
    generator = np.random.default_rng(2)
    rows = generator.integers(0, 300, (400, 300))
    for interval, score in (
        (found.average_precision, average_precision_score),
        (found.auroc, roc_auc_score),
    ):
        scores = [score(is_true[row], probs[row]) for row in rows]
        expected = np.quantile(scores, [0.025, 0.975])
        assert interval == pytest.approx(tuple(expected), abs=0.02)


def test_labels_without_a_score_have_no_interval() -> None:
    labels = np.array([[False, True, True]] * 3 + [[False, True, False]])
    probs = np.array([[0.1, 0.5, 0.9]] * 3 + [[0.2, 0.4, 0.1]])
    none, all_true, right = bootstrap_ranking(labels, probs)
    assert none == RankingIntervals(None, None)
    assert all_true == RankingIntervals((1.0, 1.0), None)
    assert right == RankingIntervals((1.0, 1.0), (1.0, 1.0))


def test_one_text_has_an_interval() -> None:
    (found,) = bootstrap_ranking(np.array([[True]]), np.array([[0.3]]))
    assert found == RankingIntervals((1.0, 1.0), None)


def test_very_many_texts_have_fewer_samples() -> None:
    assert limit_resamples(0) == limit_resamples(60_000) == 1_000
    assert limit_resamples(120_000) == 500
    assert limit_resamples(10_000_000) == 200


@pytest.mark.parametrize("shape", [(50, 6), (1, 3), (4_000, 700)])
def test_the_mean_rank_precision_is_the_lrap_of_scikit_learn(
    shape: tuple[int, int],
) -> None:
    generator = np.random.default_rng(3)
    labels = generator.random(shape) < 0.02 + 1 / shape[1]
    probs = generator.random(shape).round(2)
    found = compute_rank_precisions(labels, probs)
    expected = label_ranking_average_precision_score(labels, probs)
    assert found.mean() == pytest.approx(expected)
    assert (found[~labels.any(axis=1)] == 1).all()
