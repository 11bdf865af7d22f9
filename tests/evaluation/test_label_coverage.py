"""Rejecting less certain texts, where a text may have several labels."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import accuracy_score, f1_score

from rnncls.evaluation.label_coverage import (
    CONFIDENCES,
    compute_confidences,
    compute_label_coverage,
)
from rnncls.evaluation.metrics import wilson_interval


def to_logits(probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.array(probs, dtype=np.float64)
    return np.log(values) - np.log1p(-values)


def test_the_confidence_is_the_product_of_the_probabilities_of_the_decisions() -> None:
    logits = to_logits([[0.9, 0.2], [0.3, 0.6]])
    # The threshold of the first label is 0.25: 0.3 is predicted, and right in 30%.
    predicted = np.array([[True, False], [True, True]])
    confidences = compute_confidences(logits, predicted)
    np.testing.assert_allclose(confidences, [0.9 * 0.8, 0.3 * 0.6])


def test_extreme_logits_have_a_confidence() -> None:
    logits = np.array([[2000.0, -2000.0], [2000.0, -2000.0]])
    predicted = np.array([[True, False], [False, False]])
    assert compute_confidences(logits, predicted).tolist() == [1.0, 0.0]


def test_independent_labels_are_all_right_as_often_as_the_confidence_says() -> None:
    generator = np.random.default_rng(0)
    probs = generator.random((20_000, 4))
    labels = generator.random(probs.shape) < probs
    predicted = probs >= 0.4
    confidences = compute_confidences(to_logits(probs), predicted)
    is_right = (labels == predicted).all(axis=1)
    for low in (0.1, 0.2, 0.3, 0.4):
        inside = (confidences >= low) & (confidences < low + 0.1)
        assert inside.sum() > 500
        error = is_right[inside].mean() - confidences[inside].mean()
        assert abs(error) < 0.05


def test_the_scores_of_the_kept_texts_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    labels = generator.random((500, 5)) < 0.3
    predicted = labels ^ (generator.random(labels.shape) < 0.1)
    confidences = generator.random(500)
    rows = compute_label_coverage(confidences, labels, predicted)
    assert [row.min_confidence for row in rows] == list(CONFIDENCES)
    for row in rows:
        kept = confidences >= row.min_confidence
        assert (row.num_rows, row.share) == (kept.sum(), kept.mean())
        accuracy = accuracy_score(labels[kept], predicted[kept])
        assert row.subset_accuracy == pytest.approx(accuracy)
        num_right = round(accuracy * row.num_rows)
        assert row.interval == wilson_interval(num_right, row.num_rows)
        micro_f1 = f1_score(labels[kept], predicted[kept], average="micro")
        assert row.micro_f1 == pytest.approx(micro_f1)


def test_a_confidence_that_no_text_reaches_is_left_out() -> None:
    labels = np.array([[True], [False]])
    rows = compute_label_coverage(np.array([0.35, 0.2]), labels, labels)
    assert [row.min_confidence for row in rows] == [0.0, 0.1, 0.2, 0.3]
    assert [row.num_rows for row in rows] == [2, 2, 2, 1]
