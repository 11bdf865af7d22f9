"""Decisions about several labels: probabilities, loss, calibration and errors."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss

from rnncls.evaluation.label_evaluation import (
    LabelDecisions,
    LabelEvaluationResult,
    summarize_labels,
)
from rnncls.evaluation.label_metrics import compute_ece
from rnncls.evaluation.run_evaluation import NUM_MISTAKES, evaluate_run

NAMES = ["joy", "anger", "fear"]


def draw(num_rows: int = 200, temperature: float = 1.5) -> LabelDecisions:
    generator = np.random.default_rng(0)
    labels = generator.random((num_rows, 3)) < [0.5, 0.2, 0.1]
    noise = generator.normal(-2, 1.5, labels.shape)
    logits = (noise + 3 * labels).astype(np.float32)
    thresholds = np.array([0.5, 0.4, 0.3])
    return LabelDecisions(labels, logits, temperature, thresholds, NAMES)


def by_hand() -> LabelDecisions:
    """Return two texts: the first misses joy, the second predicts fear wrongly."""
    labels = np.array([[1, 1, 0], [0, 0, 0]], dtype=bool)
    logits = np.array([[-3, 2, -2], [-2, -2, 1]], dtype=np.float32)
    return LabelDecisions(labels, logits, 1.0, np.full(3, 0.5), NAMES)


def test_probabilities_are_those_of_logits_divided_by_the_temperature() -> None:
    decisions = draw()
    expected = torch.sigmoid(torch.from_numpy(decisions.logits).double() / 1.5)
    np.testing.assert_allclose(decisions.probs, expected, rtol=1e-12)


def test_extreme_logits_do_not_overflow() -> None:
    labels = np.array([[True, False]])
    logits = np.array([[2000, -2000]], dtype=np.float32)
    decisions = LabelDecisions(labels, logits, 1.0, np.full(2, 0.5), ["a", "b"])
    assert decisions.probs.tolist() == [[1.0, 0.0]]
    assert decisions.scores().loss == 0.0


def test_the_loss_is_the_mean_binary_cross_entropy() -> None:
    decisions = draw()
    targets = torch.from_numpy(decisions.labels).double()
    logits = torch.from_numpy(decisions.logits).double()
    expected = F.binary_cross_entropy_with_logits(logits / 1.5, targets).item()
    raw = F.binary_cross_entropy_with_logits(logits, targets).item()
    assert decisions.scores().loss == pytest.approx(expected, rel=1e-12)
    assert decisions.calibration().raw_loss == pytest.approx(raw, rel=1e-12)


def test_the_loss_is_that_of_scikit_learn() -> None:
    decisions = draw()
    expected = log_loss(decisions.labels.ravel(), decisions.probs.ravel())
    assert decisions.scores().loss == pytest.approx(expected)


def test_calibration_pools_the_decisions_about_all_labels() -> None:
    decisions = draw()
    calibration = decisions.calibration()
    raw_probs = 1 / (1 + np.exp(-decisions.logits.astype(np.float64)))
    labels = decisions.labels.ravel()
    assert calibration.temperature == 1.5
    assert calibration.ece == compute_ece(decisions.probs.ravel(), labels)
    assert calibration.raw_ece == pytest.approx(compute_ece(raw_probs.ravel(), labels))
    assert sum(row.num_rows for row in calibration.reliability) == labels.size


def test_the_most_confident_errors_come_first() -> None:
    # joy: probability 0.05, (0.5 - 0.05) / 0.5. fear: 0.73, (0.73 - 0.5) / 0.5.
    assert by_hand().find_confident_errors(5) == [(0, 0), (1, 2)]
    assert by_hand().find_confident_errors(1) == [(0, 0)]


def test_errors_are_wrong_decisions_only() -> None:
    decisions = draw()
    cells = decisions.find_confident_errors(10_000)
    is_wrong = decisions.predicted != decisions.labels
    assert len(cells) == is_wrong.sum()
    assert all(is_wrong[cell] for cell in cells)


def test_an_error_names_the_labels_of_its_text() -> None:
    missed = by_hand().describe_error((0, 0), 7, "so happy", "id1")
    assert (missed.row, missed.label, missed.is_missed) == (7, "joy", True)
    assert (missed.labels, missed.predicted) == (["joy", "anger"], ["anger"])
    assert missed.prob == pytest.approx(1 / (1 + np.exp(3)))
    assert (missed.text, missed.id) == ("so happy", "id1")
    false_alarm = by_hand().describe_error((1, 2), 2, "boo")
    assert (false_alarm.is_missed, false_alarm.labels) == (False, [])
    assert false_alarm.predicted == ["fear"]


def test_the_result_comes_back_the_same_from_json() -> None:
    decisions = by_hand()
    result = LabelEvaluationResult(
        scores=decisions.scores(),
        calibration=decisions.calibration(),
        mistakes=[decisions.describe_error((0, 0), 1, "text")],
        origin={"path": "test.jsonl"},
        run_path=Path("runs/a"),
        device="cpu",
        coverage=decisions.coverage(),
    )
    plain = result.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["micro_f1"] == pytest.approx(2 / (2 + 1 + 1))
    assert plain["run"] == "runs/a"
    assert plain["mistakes"][0]["label"] == "joy"


def test_a_run_is_evaluated_with_its_texts(toy_run: Path, toy_csv: Path) -> None:
    evaluation = evaluate_run(toy_run, data=toy_csv)
    num_labels = len(evaluation.label_names)
    is_true = evaluation.split.labels[:, None] == np.arange(num_labels)
    split = replace(evaluation.split, labels=is_true)
    thresholds = [1.01] * num_labels
    classifier = replace(evaluation.run.classifier, thresholds=thresholds)
    run = replace(evaluation.run, classifier=classifier)
    result = summarize_labels(replace(evaluation, split=split, run=run))
    lines = toy_csv.read_text(encoding="utf-8").splitlines()
    # Nothing is predicted, so each text misses its label.
    assert result.scores.micro_f1 == 0.0
    assert len(result.mistakes) == NUM_MISTAKES
    for mistake in result.mistakes:
        label, *columns = lines[mistake.row].split(",")
        assert mistake.text == " ".join(columns)
        assert mistake.labels == [mistake.label] == [label]
    logits = evaluation.logits.double()
    probs = torch.sigmoid(logits)
    expected = log_loss(is_true.ravel(), probs.ravel())
    assert result.scores.loss == pytest.approx(expected, rel=1e-6)
    assert result.run_path == toy_run
