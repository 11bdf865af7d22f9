"""Scores of several labels agree with scikit-learn and with values worked by hand."""

import json
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    hamming_loss,
    label_ranking_average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from rnncls.evaluation.label_metrics import (
    MultilabelScores,
    compute_ece,
    find_confused_labels,
    score_labels,
)

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Case(NamedTuple):
    """Labels, probabilities and thresholds."""

    labels: Bools
    probs: Floats
    thresholds: Floats

    @property
    def predicted(self) -> Bools:
        return self.probs >= self.thresholds


def draw(num_rows: int, num_labels: int, seed: int) -> Case:
    """Return labels of falling frequency, and probabilities that depend on them."""
    generator = np.random.default_rng(seed)
    shares = 0.5 / np.arange(1, num_labels + 1)
    labels = generator.random((num_rows, num_labels)) < shares
    noise = generator.normal(0, 1.5, (num_rows, num_labels))
    probs = 1 / (1 + np.exp(-noise - 3 * labels + 1.5))
    thresholds = generator.uniform(0.2, 0.8, num_labels)
    # Rounded probabilities have ties.
    return Case(labels, probs.round(2), thresholds)


def with_constant_columns() -> Case:
    """Return a label that no text has, one that all have, and one never predicted."""
    case = draw(60, 5, 7)
    case.labels[:, 0] = False
    case.labels[:, 1] = True
    case.thresholds[2] = 1.1
    case.labels[:, 3] = False
    case.thresholds[3] = 1.1
    return case


def all_labels() -> Case:
    case = draw(9, 3, 1)
    return case._replace(labels=np.ones_like(case.labels))


def no_labels() -> Case:
    case = draw(9, 3, 1)
    return case._replace(labels=np.zeros_like(case.labels))


def nothing_predicted() -> Case:
    return draw(9, 3, 1)._replace(thresholds=np.full(3, 1.1))


CASES = {
    "several labels": draw(300, 6, 0),
    "few rows without any label": draw(40, 30, 1),
    "one row": draw(1, 4, 2),
    "one label": draw(50, 1, 3),
    "one label that no text has": Case(
        np.zeros((5, 1), dtype=bool), np.linspace(0, 1, 5)[:, None], np.array([0.5])
    ),
    "one label that all texts have": Case(
        np.ones((5, 1), dtype=bool), np.linspace(0, 1, 5)[:, None], np.array([0.0])
    ),
    "constant columns": with_constant_columns(),
    "every label": all_labels(),
    "no label at all": no_labels(),
    "nothing predicted": nothing_predicted(),
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


SCORED: dict[bytes, MultilabelScores] = {}
"""The scores of each case, which many tests read."""


def score_case(case: Case) -> MultilabelScores:
    key = b"".join(array.tobytes() for array in case)
    if key not in SCORED:
        names = [f"label {index}" for index in range(case.labels.shape[1])]
        SCORED[key] = score_labels(
            case.labels, case.probs, case.thresholds, 0.25, names
        )
    return SCORED[key]


def with_two_empty_columns(values: Bools) -> Bools:
    """Return the matrix with two columns of zeros, which do not change micro-F1.

    scikit-learn takes a matrix of one column for two classes.
    """
    return np.pad(values, ((0, 0), (0, 2)))


@each_case
def test_micro_f1_is_that_of_scikit_learn(case: Case) -> None:
    expected = f1_score(
        with_two_empty_columns(case.labels),
        with_two_empty_columns(case.predicted),
        average="micro",
        zero_division=0.0,
    )
    assert score_case(case).micro_f1 == pytest.approx(expected, abs=1e-12)


@each_case
@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_macro_and_weighted_f1_are_those_of_scikit_learn(
    case: Case, average: str
) -> None:
    expected = f1_score(
        with_two_empty_columns(case.labels),
        with_two_empty_columns(case.predicted),
        labels=range(case.labels.shape[1]),
        average=average,
        zero_division=0.0,
    )
    f1 = getattr(score_case(case), f"{average}_f1")
    assert f1 == pytest.approx(expected, abs=1e-12)


@each_case
def test_subset_accuracy_and_hamming_loss_are_those_of_scikit_learn(case: Case) -> None:
    scores = score_case(case)
    assert scores.subset_accuracy == accuracy_score(case.labels, case.predicted)
    assert scores.hamming_loss == hamming_loss(case.labels, case.predicted)


@each_case
def test_lrap_is_that_of_scikit_learn(case: Case) -> None:
    expected = label_ranking_average_precision_score(case.labels, case.probs)
    assert score_case(case).lrap == expected


def test_lrap_of_a_text_without_labels_is_one() -> None:
    # The first text has no label. In the second, the label is ranked second: 1/2.
    labels = np.array([[False, False], [False, True]])
    probs = np.array([[0.9, 0.1], [0.8, 0.3]])
    scores = score_labels(labels, probs, np.array([0.5, 0.5]), 0.0, ["a", "b"])
    assert scores.lrap == pytest.approx((1 + 1 / 2) / 2)


@each_case
def test_scores_of_each_label_are_those_of_scikit_learn(case: Case) -> None:
    expected = precision_recall_fscore_support(
        with_two_empty_columns(case.labels),
        with_two_empty_columns(case.predicted),
        labels=range(case.labels.shape[1]),
        zero_division=0.0,
    )
    per_label = [
        [row.precision, row.recall, row.f1, row.support]
        for row in score_case(case).per_label
    ]
    np.testing.assert_allclose(per_label, np.transpose(expected), rtol=1e-12)


@each_case
def test_average_precision_is_that_of_scikit_learn_where_it_is_defined(
    case: Case,
) -> None:
    for index, row in enumerate(score_case(case).per_label):
        is_true = case.labels[:, index]
        if is_true.any():
            expected = average_precision_score(is_true, case.probs[:, index])
            assert row.average_precision == expected
        else:
            assert row.average_precision is None


@each_case
def test_auroc_is_that_of_scikit_learn_where_it_is_defined(case: Case) -> None:
    for index, row in enumerate(score_case(case).per_label):
        is_true = case.labels[:, index]
        if is_true.any() and not is_true.all():
            assert row.auroc == roc_auc_score(is_true, case.probs[:, index])
        else:
            assert row.auroc is None


def test_the_cases_have_labels_without_average_precision_and_auroc() -> None:
    rows = score_case(with_constant_columns()).per_label
    assert rows[0].average_precision is None
    assert rows[1].average_precision == 1.0
    assert rows[1].auroc is None


# Two labels, four texts. a: 2 hits, 1 false alarm. b: 1 hit, 2 misses.
BY_HAND = Case(
    labels=np.array([[1, 0], [1, 1], [0, 1], [0, 1]], dtype=bool),
    probs=np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]]),
    thresholds=np.array([0.5, 0.5]),
)


def test_f1_by_hand() -> None:
    scores = score_case(BY_HAND)
    # micro: 3 hits, 1 false alarm, 2 misses. a: 4 / (2 + 3). b: 2 / (3 + 1).
    assert scores.micro_f1 == pytest.approx(6 / (6 + 1 + 2))
    assert scores.macro_f1 == pytest.approx((4 / 5 + 2 / 4) / 2)
    assert scores.weighted_f1 == pytest.approx((2 * 4 / 5 + 3 * 2 / 4) / 5)


def test_decisions_by_hand() -> None:
    scores = score_case(BY_HAND)
    assert scores.subset_accuracy == 2 / 4
    assert scores.hamming_loss == 3 / 8
    assert [row.num_predicted for row in scores.per_label] == [3, 1]
    assert scores.mean_labels == 5 / 4
    assert scores.mean_predictions == 4 / 4


def test_a_probability_equal_to_the_threshold_is_a_prediction() -> None:
    case = BY_HAND._replace(thresholds=np.array([0.7, 0.91]))
    assert [row.num_predicted for row in score_case(case).per_label] == [3, 0]


def test_rows_without_labels_and_without_predictions_are_counted() -> None:
    labels = np.array([[0, 0], [1, 0], [0, 1]], dtype=bool)
    probs = np.array([[0.1, 0.1], [0.9, 0.1], [0.2, 0.1]])
    scores = score_labels(labels, probs, np.array([0.5, 0.5]), 0.0, ["a", "b"])
    assert scores.num_rows_without_labels == 1
    assert scores.num_rows_without_predictions == 2


def test_only_labels_without_a_true_or_predicted_row_are_absent() -> None:
    assert score_case(with_constant_columns()).absent_labels == ["label 3"]


def test_calibration_of_a_label_by_hand() -> None:
    # Bins of width 1/15: 0.9 and 0.91 are in one, with a mean of 0.905 and one true.
    probs = np.array([0.9, 0.91, 0.1])
    is_true = np.array([True, False, False])
    expected = (2 * abs(0.905 - 0.5) + abs(0.1 - 0.0)) / 3
    assert compute_ece(probs, is_true) == pytest.approx(expected)


def test_calibration_of_all_labels_pools_their_probabilities() -> None:
    scores = score_case(BY_HAND)
    expected = compute_ece(BY_HAND.probs.ravel(), BY_HAND.labels.ravel())
    assert scores.ece == expected
    assert scores.per_label[1].ece == compute_ece(
        BY_HAND.probs[:, 1], BY_HAND.labels[:, 1]
    )


def test_a_pair_is_a_missed_label_and_a_false_alarm_of_the_same_text() -> None:
    labels = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
    predicted = np.array([[0, 1, 0], [0, 1, 1], [1, 1, 0], [0, 1, 1]], dtype=bool)
    pairs = find_confused_labels(labels, predicted, ["a", "b", "c"])
    assert [asdict(pair) for pair in pairs] == [
        {"label": "a", "predicted": "b", "num_rows": 2, "share": 2 / 3},
        {"label": "a", "predicted": "c", "num_rows": 1, "share": 1 / 3},
    ]


def test_scores_come_back_the_same_from_json() -> None:
    plain = score_case(with_constant_columns()).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_scores_as_a_dictionary_have_the_promised_keys() -> None:
    promised = {
        "micro_f1",
        "macro_f1",
        "weighted_f1",
        "subset_accuracy",
        "hamming_loss",
        "lrap",
        "loss",
        "per_label",
        "micro_f1_interval",
        "macro_f1_interval",
    }
    assert promised <= set(score_case(BY_HAND).to_dict())


def test_an_unknown_label_is_missed_in_every_score() -> None:
    known = draw(80, 4, 5)
    unknown = np.zeros((80, 1), dtype=bool)
    unknown[:10] = True
    labels = np.hstack([known.labels, unknown])
    names = ["a", "b", "c", "d", "unknown"]
    scores = score_labels(labels, known.probs, known.thresholds, 0.25, names)
    # scikit-learn gets the label as one that is never predicted, and ranked last.
    predicted = np.pad(known.predicted, ((0, 0), (0, 1)))
    ranking = np.pad(known.probs, ((0, 0), (0, 1)))
    for average in ("micro", "macro", "weighted"):
        expected = f1_score(labels, predicted, average=average, zero_division=0.0)
        assert getattr(scores, f"{average}_f1") == pytest.approx(expected)
    assert scores.subset_accuracy == accuracy_score(labels, predicted)
    assert scores.hamming_loss == hamming_loss(labels, predicted)
    lrap = label_ranking_average_precision_score(labels, ranking)
    assert scores.lrap == pytest.approx(lrap)
    # It has no probability.
    assert scores.ece == score_case(known).ece
    assert asdict(scores.per_label[-1]) == {
        "label": "unknown",
        "support": 10,
        "num_predicted": 0,
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "average_precision": None,
        "auroc": None,
        "ece": None,
        "threshold": None,
        "f1_interval": (0.0, 0.0),
        "average_precision_interval": None,
        "auroc_interval": None,
    }
    plain = score_labels(known.labels, known.probs, known.thresholds, 0.25, names[:4])
    assert scores.per_label[:-1] == plain.per_label


@each_case
def test_every_score_is_in_its_interval(case: Case) -> None:
    scores = score_case(case)
    for key in ("micro_f1", "weighted_f1", "hamming_loss", "lrap", "subset_accuracy"):
        low, high = getattr(scores, f"{key}_interval")
        assert low - 1e-12 <= getattr(scores, key) <= high + 1e-12


@each_case
def test_a_score_of_a_label_has_an_interval_if_it_is_defined(case: Case) -> None:
    for row in score_case(case).per_label:
        is_present = row.support > 0 or row.num_predicted > 0
        assert (row.f1_interval is not None) == is_present
        for key in ("average_precision", "auroc"):
            score, interval = getattr(row, key), getattr(row, f"{key}_interval")
            assert (interval is None) == (score is None)
            if interval is not None and row.support > 10:
                assert interval[0] - 1e-12 <= score <= interval[1] + 1e-12


def test_the_interval_of_the_f1_of_a_label_is_that_of_resampled_texts() -> None:
    case = draw(150, 3, 4)
    row = score_case(case).per_label[1]
    generator = np.random.default_rng(5)
    is_true, predicted = case.labels[:, 1], case.predicted[:, 1]
    rows = generator.integers(0, 150, (1_000, 150))
    hits = (is_true & predicted)[rows].sum(axis=1)
    f1s = 2 * hits / (is_true[rows].sum(axis=1) + predicted[rows].sum(axis=1))
    expected = tuple(np.quantile(f1s, [0.025, 0.975]))
    assert row.f1_interval == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("case", [draw(300, 6, 0), draw(2_000, 2, 1)])
def test_calibration_of_each_label_is_that_of_scikit_learn(case: Case) -> None:
    # Not at the ends of bins, of which scikit-learn's include the upper one.
    case = case._replace(probs=case.probs * 0.99 + 0.001)
    for index, row in enumerate(score_case(case).per_label):
        probs, is_true = case.probs[:, index], case.labels[:, index]
        shares, means = calibration_curve(is_true, probs, n_bins=15)
        edges = np.linspace(0, 1, 16)
        counts, _ = np.histogram(probs, edges)
        filled = counts[counts > 0]
        expected = np.average(np.abs(shares - means), weights=filled)
        assert row.ece == pytest.approx(expected)
