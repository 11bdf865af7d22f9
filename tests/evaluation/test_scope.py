"""The threshold of texts that fit none of the classes, and how well it finds them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rnncls.evaluation.scope import (
    MIN_SHARE_DEVIATION,
    choose_scope_threshold,
    choose_unknown_weight,
    compute_auroc,
    fit_scope_rule,
    score_scope,
    score_texts,
)
from rnncls.text.encoded_texts import EncodedTexts

NOTHING = -np.inf


def build_texts(*texts: list[int]) -> EncodedTexts:
    """Return texts of token ids; 1 is <unk>."""
    lengths = np.array([len(text) for text in texts])
    token_ids = np.concatenate(texts).astype(np.int32)
    return EncodedTexts(token_ids, lengths, np.cumsum(lengths) - lengths)


def test_unknown_tokens_lower_the_score() -> None:
    texts = build_texts([2, 2, 1, 1], [2], [1, 1])
    logits = np.array([[3.0, -1e4], [7.0, -1e4], [9.0, -1e4]], np.float32)
    scores = score_texts(logits, texts, unknown_weight=4.0)
    assert scores.tolist() == [1.0, 7.0, NOTHING]  # the last one has no known word


def test_both_parts_of_the_score_vary_equally() -> None:
    texts = build_texts([2, 1], [2, 2], [2, 1], [2, 2])  # the deviation is 0.25
    logits = np.array([[8.0], [8.0], [4.0], [4.0]], np.float32)  # the deviation is 2
    assert choose_unknown_weight(logits, texts) == pytest.approx(8.0)
    rule = fit_scope_rule(logits, texts)
    assert rule.unknown_weight == pytest.approx(8.0)
    assert rule.threshold == pytest.approx(0.0, abs=1e-3)


def test_one_unknown_token_does_not_decide_where_they_are_rare() -> None:
    texts = build_texts(*([2] * 9 for _ in range(4)))
    logits = np.array([[8.0], [8.0], [4.0], [4.0]], np.float32)
    weight = choose_unknown_weight(logits, texts)
    assert weight == pytest.approx(2 / MIN_SHARE_DEVIATION)


def test_the_threshold_refuses_a_twentieth_of_the_texts() -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
    assert choose_scope_threshold(scores) == 5.5


def test_of_equal_scores_all_or_none_fit() -> None:
    threshold = choose_scope_threshold(np.array([1.0] * 10 + [2.0] * 90))
    assert 0.99 < threshold < 1.0


def test_texts_without_a_known_word_are_among_the_refused_ones() -> None:
    scores = np.array([NOTHING] * 3 + list(range(97)), np.float64)
    assert choose_scope_threshold(scores) == 1.5


@pytest.mark.parametrize(
    "scores", [[3.0, 1.0, 2.0], [NOTHING] * 2 + [1.0] * 18, [NOTHING, 1.0]]
)
def test_of_few_texts_all_with_a_known_word_fit(scores: list[float]) -> None:
    threshold = choose_scope_threshold(np.array(scores))
    assert 0.99 < threshold < 1.0


def test_texts_of_which_none_has_a_known_word_have_a_finite_threshold() -> None:
    assert choose_scope_threshold(np.array([NOTHING] * 2)) == 0.0


def test_auroc_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    high = generator.integers(2, 12, 50).astype(np.float64)  # with ties
    low = generator.integers(0, 9, 30).astype(np.float64)
    low[:3] = NOTHING
    is_high = [1] * 50 + [0] * 30
    ranks = np.unique(np.concatenate([high, low]), return_inverse=True)[1]
    assert compute_auroc(high, low) == pytest.approx(roc_auc_score(is_high, ranks))


def test_scores_of_texts_in_scope_and_out_of_scope() -> None:
    inside = np.arange(1.0, 101.0)  # 5.5 keeps 95 of these
    outside = np.array([NOTHING, 1.0, 5.0, 6.0, 200.0])
    is_correct = np.arange(100) >= 10  # the scores from 11 on
    scores = score_scope(inside, outside, 100.0, is_correct)
    assert scores.num_rows == 5
    assert (scores.at_95.threshold, scores.at_95.kept) == (5.5, 0.95)
    assert scores.at_95.accuracy == 0.9
    assert scores.at_95.recall == 0.6
    low, high = scores.at_95.recall_interval
    assert low < 0.6 < high
    assert scores.stored is not None
    assert (scores.stored.kept, scores.stored.recall) == (0.01, 0.8)
    assert scores.auroc == pytest.approx((1 + 0.995 + 0.955 + 0.945 + 0) / 5)
    assert scores.auroc_interval is not None
    assert scores.auroc_interval[0] < scores.auroc < scores.auroc_interval[1]


def test_a_run_without_a_threshold_has_no_shares_of_its_own() -> None:
    scores = score_scope(np.array([2.0]), np.array([1.0]), None, np.array([True]))
    assert (scores.stored, scores.auroc) == (None, 1.0)
