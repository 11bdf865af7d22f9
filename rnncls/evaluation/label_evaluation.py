"""Evaluation of decisions about several labels a text: scores, calibration, errors.

Shapes: N texts, C labels.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.evaluation.calibration import (
    Bin,
    expected_calibration_error,
    reliability_bins,
)
from rnncls.evaluation.class_groups import GroupScores, score_decision_groups
from rnncls.evaluation.label_coverage import (
    SelectiveLabelScores,
    compute_confidences,
    compute_label_coverage,
)
from rnncls.evaluation.label_metrics import (
    MultilabelScores,
    pad_columns,
    score_labels,
)
from rnncls.evaluation.parts import LabelPartScore, score_label_parts
from rnncls.evaluation.run_evaluation import (
    NUM_MISTAKES,
    CalibrationReport,
    Evaluation,
    read_ids,
    read_texts,
)
from rnncls.runs.continuation import load_continuation

Floats = npt.NDArray[np.float64]

_NEVER = -1e4
"""A logit below all thresholds, of labels that a classifier does not know."""


@dataclass(frozen=True)
class LabelMistake:
    """A wrong decision about one label of a text.

    Attributes:
        row: The row of the text in its file, counted from 1.
        label: The label.
        is_missed: Whether the text has the label, so that it is missed; otherwise it is
            predicted wrongly.
        prob: Its probability.
        labels: All labels of the text in the file.
        predicted: All labels that the run predicted.
        text: The text.
        id: The value of the column that the user chose; None: none was chosen.
    """

    row: int
    label: str
    is_missed: bool
    prob: float
    labels: list[str]
    predicted: list[str]
    text: str
    id: str | None = None


@dataclass(frozen=True)
class LabelEvaluationResult:
    """Everything that `rnncls eval` prints and saves for several labels a text.

    Attributes:
        scores: F1, ranking scores and the scores of each label.
        calibration: How well the probabilities of all labels match how often texts have
            them.
        mistakes: The most confident wrong decisions, the most confident first.
        origin: The file, its checksum, the split and the number of rows.
        run_path: The run folder.
        device: The device that computed the logits.
        parts: The F1 of the network, of the n-grams and of both together; empty if the
            run has only one of them.
        coverage: The scores if less certain texts are rejected.
        class_groups: The scores of the labels of the run that this one continues, and
            of the new ones; empty: it continues none.
    """

    scores: MultilabelScores
    calibration: CalibrationReport
    mistakes: list[LabelMistake]
    origin: dict[str, Any]
    run_path: Path
    device: str
    parts: list[LabelPartScore] = field(default_factory=list)
    coverage: list[SelectiveLabelScores] = field(default_factory=list)
    class_groups: list[GroupScores] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists, dictionaries and numbers."""
        values = self.scores.to_dict()
        values |= asdict(self.calibration)
        values["mistakes"] = [asdict(mistake) for mistake in self.mistakes]
        values["parts"] = [part.to_dict() for part in self.parts]
        values["coverage"] = [row.to_dict() for row in self.coverage]
        if self.class_groups:
            values["class_groups"] = [group.to_dict() for group in self.class_groups]
        values["data"] = self.origin
        values["run"] = str(self.run_path)
        values["device"] = self.device
        return values


@dataclass(frozen=True)
class LabelDecisions:
    """What a classifier decides about C labels of N texts.

    The texts may have U further labels, which the classifier does not know. They are
    never predicted, and have no probability.

    Attributes:
        labels: [N, C + U] bool, the true labels.
        logits: [N, C] float32, not calibrated.
        temperature: The probabilities are sigmoid(logits / temperature).
        thresholds: [C] float64; a label is predicted if its probability reaches its
            threshold.
        label_names: The C + U labels.
    """

    labels: npt.NDArray[np.bool_]
    logits: npt.NDArray[np.float32]
    temperature: float
    thresholds: Floats
    label_names: Sequence[str]

    @cached_property
    def probs(self) -> Floats:
        """The calibrated probabilities. [N, C]."""
        return _to_probs(self._calibrated_logits)

    @cached_property
    def predicted(self) -> npt.NDArray[np.bool_]:
        """Which labels are predicted. [N, C + U]."""
        return pad_columns(self._predicted_known, self.labels.shape[1])

    @cached_property
    def _predicted_known(self) -> npt.NDArray[np.bool_]:
        """Which of the labels that the classifier knows are predicted. [N, C]."""
        return self.probs >= self.thresholds

    @property
    def _known_labels(self) -> npt.NDArray[np.bool_]:
        """The true labels that the classifier knows. [N, C]."""
        return self.labels[:, : len(self.thresholds)]

    @property
    def _calibrated_logits(self) -> Floats:
        logits = self.logits.astype(np.float64)
        return logits / self.temperature

    def scores(self) -> MultilabelScores:
        """Compute the scores, with their intervals."""
        loss = _mean_loss(self._calibrated_logits, self._known_labels)
        return score_labels(
            self.labels, self.probs, self.thresholds, loss, self.label_names
        )

    def calibration(self) -> CalibrationReport:
        """Compute the calibration of all labels before and after temperature scaling.

        The "accuracy" of a bin is the share of its probabilities whose text has the
        label.
        """
        raw_logits = self.logits.astype(np.float64)
        bins = self._bins(self.probs)
        raw_bins = self._bins(_to_probs(raw_logits))
        return CalibrationReport(
            temperature=self.temperature,
            ece=expected_calibration_error(bins),
            raw_ece=expected_calibration_error(raw_bins),
            raw_loss=_mean_loss(raw_logits, self._known_labels),
            reliability=bins,
            raw_reliability=raw_bins,
        )

    def _bins(self, probs: Floats) -> list[Bin]:
        return reliability_bins(probs.ravel(), self._known_labels.ravel())

    def coverage(self) -> list[SelectiveLabelScores]:
        """Compute the scores if less certain texts are rejected."""
        confidences = compute_confidences(
            self._calibrated_logits, self._predicted_known
        )  # [N]
        return compute_label_coverage(confidences, self.labels, self.predicted)

    def find_confident_errors(self, limit: int) -> list[tuple[int, int]]:
        """Return the text and the label of the most confident wrong decisions.

        The confidence of a decision is the distance of its probability from the
        threshold, divided by the largest possible distance on that side.
        """
        predicted = self._predicted_known  # [N, C]
        above = (self.probs - self.thresholds) / np.maximum(1 - self.thresholds, 1e-12)
        below = (self.thresholds - self.probs) / np.maximum(self.thresholds, 1e-12)
        confidences = np.where(predicted, above, below)  # [N, C]
        errors = np.flatnonzero(predicted != self._known_labels)  # [errors]
        order = np.argsort(-confidences.ravel()[errors], kind="stable")
        first = errors[order[:limit]]
        rows, columns = np.unravel_index(first, predicted.shape)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def describe_error(
        self, cell: tuple[int, int], row: int, text: str, row_id: str | None = None
    ) -> LabelMistake:
        """Describe a wrong decision, whose text and id the caller has read.

        Args:
            cell: The index of the text and of the label.
            row: The row of the text in its file, counted from 1.
            text: The text.
            row_id: Its id.
        """
        index, label = cell
        return LabelMistake(
            row=row,
            label=self.label_names[label],
            is_missed=bool(self.labels[cell]),
            prob=float(self.probs[cell]),
            labels=self.name_true(index),
            predicted=self.name_predicted(index),
            text=text,
            id=row_id,
        )

    def name_true(self, index: int) -> list[str]:
        """Return the labels of a text in the file."""
        return self._name_labels(self.labels[index])

    def name_predicted(self, index: int) -> list[str]:
        """Return the labels that are predicted for a text."""
        return self._name_labels(self.predicted[index])

    def _name_labels(self, is_chosen: npt.NDArray[np.bool_]) -> list[str]:
        chosen = np.flatnonzero(is_chosen).tolist()
        return [self.label_names[index] for index in chosen]


def summarize_labels(
    evaluation: Evaluation, id_column: str | None = None
) -> LabelEvaluationResult:
    """Compute all results of an evaluation of several labels a text.

    Args:
        evaluation: The evaluation; the labels of its rows are [N, C] bool.
        id_column: A column of the file that names the rows of the errors.

    Raises:
        DataError: The texts cannot be read again, or the file has no such column.
    """
    decisions = decide_labels(evaluation)
    return LabelEvaluationResult(
        scores=decisions.scores(),
        calibration=decisions.calibration(),
        mistakes=_describe_errors(evaluation, decisions, id_column),
        origin=evaluation.origin,
        run_path=evaluation.run.path,
        device=evaluation.device,
        parts=score_run_parts(evaluation),
        coverage=decisions.coverage(),
        class_groups=_score_groups(evaluation, decisions),
    )


def _score_groups(
    evaluation: Evaluation, decisions: LabelDecisions
) -> list[GroupScores]:
    """Return the scores of earlier and new labels, if the run continues another."""
    continuation = load_continuation(evaluation.run.path)
    if continuation is None:
        return []
    num_labels = len(decisions.thresholds)
    return score_decision_groups(
        decisions.predicted[:, :num_labels],
        decisions.labels[:, :num_labels],
        len(continuation.label_names),
    )


def decide_labels(evaluation: Evaluation) -> LabelDecisions:
    """Return what a run decides about the texts of an evaluation.

    Args:
        evaluation: The evaluation; the labels of its rows are [N, C] bool.
    """
    classifier = evaluation.run.classifier
    calibrated_logits: npt.NDArray[np.float32] = evaluation.logits.numpy()
    return LabelDecisions(
        labels=evaluation.split.labels.astype(np.bool_),
        logits=calibrated_logits * np.float32(classifier.temperature),
        temperature=classifier.temperature,
        thresholds=np.array(classifier.thresholds),
        label_names=evaluation.label_names,
    )


def score_run_parts(evaluation: Evaluation) -> list[LabelPartScore]:
    """Return the F1 of the network, the n-grams and both, if the run has both."""
    parts = evaluation.parts
    if parts is None:
        return []
    labels = torch.from_numpy(evaluation.split.labels)  # [N, C + U]
    num_unknown = labels.shape[1] - parts.together.shape[1]
    network, ngrams, together = (
        F.pad(logits, (0, num_unknown), value=_NEVER)
        for logits in (parts.network, parts.ngrams, parts.together)
    )
    return score_label_parts(network, ngrams, together, labels)


def _describe_errors(
    evaluation: Evaluation, decisions: LabelDecisions, id_column: str | None
) -> list[LabelMistake]:
    """Read the texts of the most confident errors, and describe them."""
    cells = decisions.find_confident_errors(NUM_MISTAKES)
    indices = np.array([index for index, _ in cells], dtype=np.int64)
    texts = read_texts(evaluation, indices)
    ids = read_ids(evaluation, indices, id_column)
    rows = (evaluation.split.rows[indices] + 1).tolist()
    return list(map(decisions.describe_error, cells, rows, texts, ids))


def _to_probs(logits: Floats) -> Floats:
    """Return the logistic sigmoid of logits of any shape, without overflow."""
    probs: Floats = np.exp(-np.logaddexp(0, -logits))
    return probs


def _mean_loss(logits: Floats, labels: npt.NDArray[np.bool_]) -> float:
    """Return the mean binary cross-entropy in nats."""
    losses = np.logaddexp(0, logits) - logits * labels  # [N, C]
    return float(losses.mean())
