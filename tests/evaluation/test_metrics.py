"""Scores agree with scikit-learn and with formulas worked out by hand."""

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from rnncls.evaluation.metrics import (
    Scores,
    accuracy_of,
    bootstrap,
    count_confusion,
    macro_f1_of,
    percentile_interval,
    score,
)

Labels = npt.NDArray[np.int64]
# Rows are true classes: of three cats two are right, of two dogs one, of one fish none.
BY_HAND = np.array([[2, 1, 0], [1, 1, 0], [0, 1, 0]])
NAMES = ["cat", "dog", "fish"]


def draw(num_rows: int, num_classes: int, seed: int) -> tuple[Labels, Labels]:
    """Return labels and predictions that agree in about half of the rows."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, num_rows)
    predictions = np.where(
        generator.random(num_rows) < 0.5,
        labels,
        generator.integers(0, num_classes, num_rows),
    )
    return labels, predictions


def score_drawn(num_rows: int, num_classes: int, seed: int) -> Scores:
    confusion = count_confusion(*draw(num_rows, num_classes, seed), num_classes)
    return score(confusion, 0.5, [str(number) for number in range(num_classes)])


each_draw = pytest.mark.parametrize(
    ("num_rows", "num_classes", "seed"),
    [(1, 2, 0), (7, 4, 1), (100, 2, 2), (1000, 5, 3), (20, 30, 4)],
)


def test_a_row_of_the_confusion_matrix_is_a_true_class() -> None:
    confusion = count_confusion(np.array([0, 0, 0, 1]), np.array([2, 2, 0, 1]), 3)
    assert confusion.tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 0]]


@each_draw
def test_the_confusion_matrix_is_that_of_scikit_learn(
    num_rows: int, num_classes: int, seed: int
) -> None:
    labels, predictions = draw(num_rows, num_classes, seed)
    expected = confusion_matrix(labels, predictions, labels=np.arange(num_classes))
    np.testing.assert_array_equal(
        count_confusion(labels, predictions, num_classes), expected
    )


def test_confusion_matrices_of_parts_add_up_to_that_of_the_whole() -> None:
    labels, predictions = draw(100, 4, 0)
    parts = [
        count_confusion(labels[part], predictions[part], 4)
        for part in (slice(33), slice(33, None))
    ]
    np.testing.assert_array_equal(sum(parts), count_confusion(labels, predictions, 4))


def test_the_confusion_matrix_of_no_rows_is_zero() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert count_confusion(none, none, 2).tolist() == [[0, 0], [0, 0]]


def test_accuracy_is_the_share_on_the_diagonal() -> None:
    assert accuracy_of(BY_HAND) == 3 / 6


def test_macro_f1_is_the_mean_over_classes() -> None:
    # cat: precision 2/3, recall 2/3, F1 2/3. dog: precision 1/3, recall 1/2, F1 2/5.
    # fish: never predicted, F1 0.
    assert macro_f1_of(BY_HAND) == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)


def test_macro_f1_leaves_out_a_class_without_a_true_or_predicted_row() -> None:
    assert macro_f1_of(np.array([[3, 0], [0, 0]])) == 1.0


def test_macro_f1_counts_a_class_that_is_only_predicted_as_zero() -> None:
    # a: precision 1, recall 3/4, F1 6/7. b: never true, F1 0.
    assert macro_f1_of(np.array([[3, 1], [0, 0]])) == pytest.approx(3 / 7)


def test_classes_without_a_true_or_predicted_row_are_named() -> None:
    confusion = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert score(confusion, 0.0, NAMES).absent_classes == ["fish"]
    assert score(BY_HAND, 0.0, NAMES).absent_classes == []


@each_draw
def test_accuracy_is_that_of_scikit_learn(
    num_rows: int, num_classes: int, seed: int
) -> None:
    labels, predictions = draw(num_rows, num_classes, seed)
    assert score_drawn(num_rows, num_classes, seed).accuracy == accuracy_score(
        labels, predictions
    )


@each_draw
def test_macro_f1_is_that_of_scikit_learn(
    num_rows: int, num_classes: int, seed: int
) -> None:
    labels, predictions = draw(num_rows, num_classes, seed)
    expected = f1_score(labels, predictions, average="macro", zero_division=0.0)
    assert macro_f1_of(
        count_confusion(labels, predictions, num_classes)
    ) == pytest.approx(expected, rel=1e-12)


@each_draw
def test_macro_f1_is_the_same_alone_and_among_all_scores(
    num_rows: int, num_classes: int, seed: int
) -> None:
    confusion = count_confusion(*draw(num_rows, num_classes, seed), num_classes)
    assert score_drawn(num_rows, num_classes, seed).macro_f1 == pytest.approx(
        macro_f1_of(confusion), rel=1e-12
    )


@each_draw
def test_scores_of_each_class_are_those_of_scikit_learn(
    num_rows: int, num_classes: int, seed: int
) -> None:
    expected = precision_recall_fscore_support(
        *draw(num_rows, num_classes, seed),
        labels=np.arange(num_classes),
        zero_division=0.0,
    )
    per_class = score_drawn(num_rows, num_classes, seed).per_class
    found = [[each.precision, each.recall, each.f1, each.support] for each in per_class]
    np.testing.assert_allclose(found, np.transpose(expected), rtol=1e-12)


def test_classes_keep_their_names_and_order() -> None:
    assert [each.label for each in score(BY_HAND, 0.0, NAMES).per_class] == NAMES


def test_support_is_the_number_of_rows_of_the_true_class() -> None:
    assert [each.support for each in score(BY_HAND, 0.0, NAMES).per_class] == [3, 2, 1]


def test_a_class_that_is_never_predicted_scores_zero() -> None:
    fish = score(BY_HAND, 0.0, NAMES).per_class[2]
    assert (fish.precision, fish.recall, fish.f1) == (0.0, 0.0, 0.0)


def test_a_class_that_never_occurs_scores_zero() -> None:
    absent = score(np.array([[3, 1], [0, 0]]), 0.0, ["there", "absent"]).per_class[1]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (
        0.0,
        0.0,
        0.0,
        0,
    )


@pytest.mark.parametrize(
    ("right", "num_rows"), [(0, 1), (1, 1), (5, 10), (10, 10), (92, 100), (7000, 7600)]
)
def test_the_interval_of_accuracy_is_wilsons(right: int, num_rows: int) -> None:
    # Wilson (1927): (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z the 97.5%
    # point of the normal curve.
    p, n, z = right / num_rows, num_rows, 1.959963984540054
    centre, half = (
        p + z**2 / (2 * n),
        z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)),
    )
    interval = score(
        np.array([[right, num_rows - right], [0, 0]]), 0.0, ["a", "b"]
    ).accuracy_interval
    expected = ((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n))
    assert interval == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_half_right_of_ten_is_the_published_one() -> None:
    # A worked example found in many texts: 5 of 10 gives 0.2366 to 0.7634.
    interval = score(np.array([[5, 5], [0, 0]]), 0.0, ["a", "b"]).accuracy_interval
    assert interval == pytest.approx((0.2366, 0.7634), abs=5e-5)


def test_num_rows_and_loss_are_handed_on() -> None:
    scores = score(BY_HAND, 0.25, NAMES)
    assert (scores.num_rows, scores.loss) == (6, 0.25)


def test_scores_come_back_the_same_from_json() -> None:
    plain = score(BY_HAND, 0.25, NAMES).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_scores_as_a_dictionary_have_the_promised_keys() -> None:
    assert set(score(BY_HAND, 0.25, NAMES).to_dict()) == {
        "accuracy",
        "accuracy_interval",
        "accuracy_bootstrap_interval",
        "macro_f1",
        "macro_f1_interval",
        "loss",
        "num_rows",
        "per_class",
        "confusion_matrix",
        "absent_classes",
    }


def test_scores_as_a_dictionary_hold_the_matrix_and_the_classes_as_plain_lists() -> (
    None
):
    plain = score(BY_HAND, 0.25, NAMES).to_dict()
    fish = {"label": "fish", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert (plain["confusion_matrix"], plain["per_class"][2]) == (
        [[2, 1, 0], [1, 1, 0], [0, 1, 0]],
        fish,
    )


def test_scores_as_a_dictionary_hold_the_intervals_as_lists() -> None:
    scores = score(BY_HAND, 0.25, NAMES)
    plain = scores.to_dict()
    assert plain["accuracy_interval"] == list(scores.accuracy_interval)
    assert plain["macro_f1_interval"] == list(scores.macro_f1_interval)


def test_the_bootstrap_of_the_accuracy_is_binomial() -> None:
    confusion = np.array([[40, 10], [5, 145]])
    low, high = binom.ppf([0.025, 0.975], 200, 185 / 200) / 200
    found = score(confusion, 0.5, ["a", "b"]).accuracy_bootstrap_interval
    assert found == pytest.approx((low, high), abs=0.006)


def test_the_bootstrap_of_macro_f1_is_that_of_rows_drawn_one_by_one() -> None:
    labels, predictions = draw(150, 4, 7)
    generator = np.random.default_rng(1)
    drawn = (generator.integers(0, 150, 150) for _ in range(200))
    scores = [
        f1_score(labels[rows], predictions[rows], average="macro", labels=range(4))
        for rows in drawn
    ]
    found = percentile_interval(bootstrap(count_confusion(labels, predictions, 4))[1])
    assert found == pytest.approx(np.quantile(scores, [0.025, 0.975]), abs=0.03)


def test_each_sample_of_the_bootstrap_scores_as_its_own_confusion_matrix_would() -> (
    None
):
    accuracies, macro_f1s = bootstrap(
        np.array([[7, 0], [0, 3]])
    )  # all right: so is every sample of them
    assert set(accuracies.tolist()) == {1.0}
    # A sample that lacks the second class is scored without it.
    assert set(macro_f1s.tolist()) == {1.0}


def test_a_sample_that_lacks_a_class_counts_only_the_others() -> None:
    # Of a, right; of b, one row, predicted as a. F1 of b is 0 in all samples that have
    # it, and those without it are all right.
    _, macro_f1s = bootstrap(np.array([[9, 0], [1, 0]]))
    assert (macro_f1s == 1.0).mean() == pytest.approx(0.9**10, abs=0.03)
    assert macro_f1s[macro_f1s < 1.0].max() <= 0.5


def test_samples_of_many_cells_are_those_of_rows_drawn_one_by_one() -> None:
    # 6,000 cells of one row each: the texts themselves are drawn. 2,000 are right.
    labels = np.arange(6_000) % 2_000
    predictions = np.where(np.arange(6_000) < 2_000, labels, (labels * 7 + 1) % 2_000)
    predictions[4_000:] = (labels[4_000:] * 11 + 5) % 2_000
    confusion = count_confusion(labels, predictions, 2_000)
    assert np.count_nonzero(confusion) > 5_000
    accuracies, macro_f1s = bootstrap(confusion)
    share = np.trace(confusion) / 6_000
    low, high = binom.ppf([0.025, 0.975], 6_000, share) / 6_000
    assert percentile_interval(accuracies) == pytest.approx((low, high), abs=0.002)
    generator = np.random.default_rng(1)
    rows = generator.integers(0, 6_000, (20, 6_000))
    scores = [
        f1_score(labels[each], predictions[each], average="macro", zero_division=0.0)
        for each in rows
    ]
    assert macro_f1s.mean() == pytest.approx(np.mean(scores), abs=0.005)


def test_the_same_rows_have_the_same_interval() -> None:
    assert score_drawn(100, 3, 5) == score_drawn(100, 3, 5)
