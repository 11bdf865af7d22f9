"""Slices and mistakes, worked out by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from rnncls.evaluation.error_slices import (
    Slice,
    compute_slices,
    most_confident_errors,
    unknown_shares,
)
from rnncls.text.encoded_texts import EncodedTexts


def test_slices_are_cut_at_the_quantiles() -> None:
    values = np.array([5.0, 1.0, 2.0, 3.0, 4.0, 10.0, 9.0, 8.0, 7.0, 6.0])
    is_right = values > 2
    slices = compute_slices(values, is_right)
    assert [(each.low, each.high, each.num_rows) for each in slices] == [
        (1, 2, 2),
        (3, 4, 2),
        (5, 6, 2),
        (7, 8, 2),
        (9, 10, 2),
    ]
    assert [each.accuracy for each in slices] == [0, 1, 1, 1, 1]


def test_texts_of_one_value_stay_together() -> None:
    values = np.array([0.0] * 70 + [0.5] * 20 + [1.0] * 10)
    slices = compute_slices(values, np.ones(100, dtype=np.bool_))
    assert [(each.low, each.high, each.num_rows) for each in slices] == [
        (0, 0, 70),
        (0.5, 0.5, 20),
        (1, 1, 10),
    ]


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_one_value_is_one_slice(value: float) -> None:
    (only,) = compute_slices(np.full(9, value), np.arange(9) < 3)
    assert (only.low, only.high, only.num_rows, only.accuracy) == (
        value,
        value,
        9,
        1 / 3,
    )


def test_the_interval_of_a_slice_is_wilsons() -> None:
    (only,) = compute_slices(np.zeros(40), np.arange(40) < 31)
    expected = binomtest(31, 40).proportion_ci(0.95, method="wilson")
    assert only.interval == pytest.approx((expected.low, expected.high))


def test_every_text_is_in_one_slice() -> None:
    values = np.random.default_rng(0).poisson(5, 997).astype(np.float64)
    is_right = values % 2 == 0
    slices = compute_slices(values, is_right)
    assert sum(each.num_rows for each in slices) == 997
    assert sum(each.num_rows * each.accuracy for each in slices) == pytest.approx(
        is_right.sum()
    )
    for each in slices:
        inside = (values >= each.low) & (values <= each.high)
        assert (inside.sum(), is_right[inside].mean()) == (
            each.num_rows,
            pytest.approx(each.accuracy),
        )


def test_unknown_words_are_counted_in_each_text() -> None:
    token_ids = np.array([1, 5, 6, 1, 1, 7], dtype=np.int32)
    texts = EncodedTexts(token_ids, np.array([3, 2, 1]), np.array([0, 3, 5]))
    assert unknown_shares(texts).tolist() == [1 / 3, 1.0, 0.0]
    assert unknown_shares(texts.select(np.array([2, 0]))).tolist() == [0.0, 1 / 3]


def test_the_surest_mistake_comes_first() -> None:
    confidences = np.array([0.9, 0.8, 0.99, 0.7, 0.95])
    is_right = np.array([False, True, True, False, False])
    assert most_confident_errors(confidences, is_right, 2).tolist() == [4, 0]
    assert most_confident_errors(confidences, is_right, 9).tolist() == [4, 0, 3]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.0, 0.0, "0.0%"), (0.01, 0.0104, "1.0%"), (0.0, 0.031, "0.0% to 3.1%")],
)
def test_a_range_whose_ends_read_alike_is_one_value(
    low: float, high: float, words: str
) -> None:
    assert Slice(low, high, 3, 1.0, (0.4, 1.0)).describe("{:.1%}") == words
