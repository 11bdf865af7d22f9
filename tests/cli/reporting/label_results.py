"""An evaluation of several labels a text, for the tests of its reports."""

from pathlib import Path

import numpy as np

from rnncls.evaluation.label_evaluation import LabelDecisions, LabelEvaluationResult


def evaluate(num_rows: int = 120, num_labels: int = 5) -> LabelEvaluationResult:
    """Return the evaluation of drawn labels; later labels are rarer."""
    generator = np.random.default_rng(0)
    shares = np.append(0.6 / np.arange(2, num_labels + 1), 0.0)
    labels = generator.random((num_rows, num_labels)) < shares
    noise = generator.normal(-2, 1.5, labels.shape)
    decisions = LabelDecisions(
        labels=labels,
        logits=(noise + 3 * labels).astype(np.float32),
        temperature=1.25,
        thresholds=np.linspace(0.5, 0.3, num_labels),
        label_names=[f"<b>label {index}</b>" for index in range(num_labels)],
    )
    cells = decisions.find_confident_errors(5)
    mistakes = [
        decisions.describe_error(cell, cell[0] + 1, "<i>a text</i>") for cell in cells
    ]
    return LabelEvaluationResult(
        scores=decisions.scores(),
        calibration=decisions.calibration(),
        mistakes=mistakes,
        origin={"path": "test.jsonl", "split": "test", "num_rows": num_rows},
        run_path=Path("runs/emotions"),
        device="cpu",
        coverage=decisions.coverage(),
    )
