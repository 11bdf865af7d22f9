"""Evaluation of a run on labelled texts: scores, calibration, slices and errors.

Shapes: N texts, C classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.data.datasets import columns_of
from rnncls.data.loading import EncodedSplit
from rnncls.data.readers import find_texts, read_rows
from rnncls.data.splits import Split
from rnncls.data.unknown_labels import UnknownLabels
from rnncls.evaluation.calibration import (
    Bin,
    SelectiveAccuracy,
    compute_selective_accuracies,
    expected_calibration_error,
    reliability_bins,
)
from rnncls.evaluation.class_groups import GroupScores, score_run_groups
from rnncls.evaluation.confusion import MAX_JSON_CLASSES, find_confused_pairs
from rnncls.evaluation.error_slices import (
    Slice,
    compute_slices,
    most_confident_errors,
    unknown_shares,
)
from rnncls.evaluation.evaluator import (
    PartLogits,
    compute_logits,
    compute_part_logits,
)
from rnncls.evaluation.loading import load_rows
from rnncls.evaluation.metrics import Scores, count_confusion, score
from rnncls.evaluation.parts import PartScore, load_class_biases, score_parts
from rnncls.evaluation.scope import FitShare, OutsideResult, measure_fits
from rnncls.nn.decisions import decide, to_probs
from rnncls.runs.run import Run, load_run

NUM_MISTAKES = 20
"""Number of errors to keep, the most confident ones first."""


@dataclass(frozen=True)
class Mistake:
    """A text that the run classified wrongly.

    Attributes:
        row: Its row in its file, counted from 1.
        label: The label in the file.
        predicted: The label that the run predicted.
        prob: The probability of the predicted label.
        text: The text.
        id: The value of the column that the user chose; None: none was chosen.
    """

    row: int
    label: str
    predicted: str
    prob: float
    text: str
    id: str | None = None


@dataclass(frozen=True)
class CalibrationReport:
    """How well the probabilities match the accuracy, before and after calibration.

    Attributes:
        temperature: The logits are divided by this number; 1 means no calibration.
            For n-grams that are alone, it is 1 / (their factor).
        ece: Expected calibration error over 15 bins of equal width.
        raw_ece: The same before calibration.
        raw_loss: Mean cross-entropy in nats before calibration.
        reliability: The bins of the reliability diagram.
        raw_reliability: The bins before calibration.
    """

    temperature: float
    ece: float
    raw_ece: float
    raw_loss: float
    reliability: list[Bin]
    raw_reliability: list[Bin]


@dataclass(frozen=True)
class EvaluationResult:
    """Everything that `rnncls eval` prints and saves.

    Attributes:
        scores: Accuracy, macro-F1, loss and the scores of each class.
        calibration: How well the probabilities match the accuracy.
        by_length: Accuracy by number of tokens.
        by_unknown_share: Accuracy by the share of tokens outside the vocabulary.
        coverage: Accuracy if less certain predictions are rejected.
        mistakes: The most confident errors, the most confident first.
        origin: The file, its checksum, the split and the number of rows.
        run_path: The run folder.
        device: The device that computed the logits.
        parts: The accuracy of the network, of the n-grams and of both together; empty
            if the run has only one of them.
        text_columns: The columns of the text in the file.
        label_columns: The columns of the labels in the file.
        fits: How many texts fit one of the classes; None: the run cannot tell.
        outside: How well texts of no class are recognised; None: none were given.
        class_groups: The scores of the classes of the run that this one continues, and
            of the new ones; empty: it continues none.
    """

    scores: Scores
    calibration: CalibrationReport
    by_length: list[Slice]
    by_unknown_share: list[Slice]
    coverage: list[SelectiveAccuracy]
    mistakes: list[Mistake]
    origin: dict[str, Any]
    run_path: Path
    device: str
    parts: list[PartScore] = field(default_factory=list)
    text_columns: Sequence[str] = ()
    label_columns: Sequence[str] = ()
    fits: FitShare | None = None
    outside: OutsideResult | None = None
    class_groups: list[GroupScores] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists, dictionaries and numbers."""
        num_classes = len(self.scores.per_class)
        values: dict[str, Any] = self.scores.to_dict()
        values["confused_pairs"] = _as_dicts(find_confused_pairs(self.scores))
        if num_classes > MAX_JSON_CLASSES:
            values["confusion_matrix"] = None
        values |= asdict(self.calibration)
        values["by_length"] = _as_dicts(self.by_length)
        values["by_unknown_share"] = _as_dicts(self.by_unknown_share)
        values["coverage"] = _as_dicts(self.coverage)
        values["mistakes"] = _as_dicts(self.mistakes)
        values["parts"] = _as_dicts(self.parts)
        if self.class_groups:
            values["class_groups"] = [group.to_dict() for group in self.class_groups]
        values["data"] = self.origin
        values["run"] = str(self.run_path)
        values["device"] = self.device
        values["fits"] = None if self.fits is None else asdict(self.fits)
        if self.outside is not None:
            values["outside"] = self.outside.to_dict()
        return values


@dataclass(frozen=True)
class Evaluation:
    """A run's logits for N labelled texts, and what is computed from them.

    Attributes:
        run: The run.
        split: The texts and their labels.
        origin: The file, its checksum, the split and the number of rows.
        logits: [N, C] float32 on the CPU, calibrated.
        parts: The logits of the network and of the n-grams, which have no biases that
            were fitted for both together; None: the run has no n-grams, or only
            n-grams.
    """

    run: Run
    split: EncodedSplit
    origin: dict[str, Any]
    logits: torch.Tensor
    parts: PartLogits | None = None

    @property
    def device(self) -> str:
        """The device that computed the logits."""
        return str(self.run.classifier.model.linear.weight.device)

    @property
    def label_names(self) -> list[str]:
        """The classes of the run, and the unknown labels that count as wrong."""
        names = list(self.run.classifier.label_names)
        if self.origin.get("unknown_labels_are") == "wrong":
            names += [entry["label"] for entry in self.origin["unknown_labels"]]
        return names

    @cached_property
    def predictions(self) -> npt.NDArray[np.int64]:
        """The most probable class of each text. [N]."""
        predictions: npt.NDArray[np.int64] = decide(self.logits).numpy()
        return predictions

    @cached_property
    def is_correct(self) -> npt.NDArray[np.bool_]:
        """Whether the prediction of each text equals its label. [N]."""
        is_correct: npt.NDArray[np.bool_] = self.predictions == self.split.labels
        return is_correct

    @cached_property
    def confidences(self) -> npt.NDArray[np.float64]:
        """The probability of the predicted class of each text. [N]."""
        return _confidences(self.logits)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How often class i was predicted as class j. [C, C]."""
        num_classes = len(self.label_names)
        return count_confusion(self.split.labels, self.predictions, num_classes)

    def scores(self) -> Scores:
        """Compute the scores, with their intervals."""
        return score(self.confusion, self._loss(self.logits), self.label_names)

    @property
    def temperature(self) -> float:
        """The number that divides the logits, to calibrate them.

        If n-grams are alone, they have a factor instead: it is 1 / (that factor).
        """
        classifier = self.run.classifier
        ngrams = classifier.model.ngrams
        if ngrams is not None and ngrams.is_alone:
            return 1 / ngrams.scale
        return classifier.temperature

    def calibration(self) -> CalibrationReport:
        """Compute the calibration before and after temperature scaling."""
        raw_logits = self.logits * self.temperature
        bins = reliability_bins(self.confidences, self.is_correct)
        raw_bins = reliability_bins(_confidences(raw_logits), self.is_correct)
        return CalibrationReport(
            temperature=self.temperature,
            ece=expected_calibration_error(bins),
            raw_ece=expected_calibration_error(raw_bins),
            raw_loss=self._loss(raw_logits),
            reliability=bins,
            raw_reliability=raw_bins,
        )

    def part_scores(self) -> list[PartScore]:
        """Compute the accuracy of the network and of the n-grams, if it has both."""
        if self.parts is None:
            return []
        parts = self.parts
        return score_parts(
            parts.network, parts.ngrams, parts.together, self.split.labels
        )

    def slices_by_length(self) -> list[Slice]:
        """Compute the accuracy by number of tokens."""
        lengths = self.split.texts.lengths.astype(np.float64)
        return compute_slices(lengths, self.is_correct)

    def slices_by_unknown_share(self) -> list[Slice]:
        """Compute the accuracy by the share of tokens outside the vocabulary."""
        return compute_slices(unknown_shares(self.split.texts), self.is_correct)

    def most_confident_errors(self, limit: int) -> npt.NDArray[np.int64]:
        """Return the indices of the most confident errors. [at most `limit`]."""
        return most_confident_errors(self.confidences, self.is_correct, limit)

    def mistake(self, index: int, text: str, row_id: str | None = None) -> Mistake:
        """Describe the error at this index, whose text and id the caller has read."""
        label_names = self.label_names
        return Mistake(
            row=int(self.split.rows[index]) + 1,
            label=label_names[self.split.labels[index]],
            predicted=label_names[self.predictions[index]],
            prob=float(self.confidences[index]),
            text=text,
            id=row_id,
        )

    def result(self, mistakes: list[Mistake]) -> EvaluationResult:
        """Compute everything and put it together with the given mistakes."""
        section, rule = self.run.config.data, self.run.classifier.scope_rule
        return EvaluationResult(
            scores=self.scores(),
            calibration=self.calibration(),
            by_length=self.slices_by_length(),
            by_unknown_share=self.slices_by_unknown_share(),
            coverage=compute_selective_accuracies(self.confidences, self.is_correct),
            mistakes=mistakes,
            origin=self.origin,
            run_path=self.run.path,
            device=self.device,
            parts=self.part_scores(),
            text_columns=section.text,
            label_columns=section.label_columns,
            fits=measure_fits(self.logits.numpy(), self.split.texts, rule),
            class_groups=score_run_groups(self.run, self.confusion),
        )

    def _loss(self, logits: torch.Tensor) -> float:
        """Return the mean cross-entropy of the rows whose label the run knows."""
        labels = torch.from_numpy(self.split.labels)  # [N]
        is_known = labels < logits.shape[1]
        return F.cross_entropy(logits[is_known].double(), labels[is_known]).item()


def evaluate_run(
    run: Run | Path,
    *,
    split: Split = "test",
    data: Path | None = None,
    unknown_labels: UnknownLabels = "error",
    device: str | None = None,
    use_cache: bool = True,
) -> Evaluation:
    """Evaluate a run that is loaded, or that is in a folder.

    For the other arguments and errors see `load_run_and_split`.
    """
    if isinstance(run, Path):
        run = load_run(run)
    rows, origin = load_rows(
        run,
        split=split,
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=use_cache,
    )
    model = run.classifier.model
    if model.ngrams is None or not model.section.has_network:
        return Evaluation(run, rows, origin, compute_logits(model, rows.texts))
    parts = compute_part_logits(model, rows.texts)
    biases = load_class_biases(run.path, len(run.classifier.label_names))  # [C]
    alone = replace(parts, ngrams=parts.ngrams - biases)
    return Evaluation(run, rows, origin, parts.together, alone)


def read_texts(evaluation: Evaluation, indices: npt.NDArray[np.int64]) -> list[str]:
    """Read the texts at these indices again, as they are in their file.

    Raises:
        DataError: The file cannot be read.
    """
    columns = replace(columns_of(evaluation.run.config.data), label=None)
    path = Path(evaluation.origin["path"])
    return find_texts(path, columns, evaluation.split.rows[indices].tolist())


def read_ids(
    evaluation: Evaluation, indices: npt.NDArray[np.int64], id_column: str | None
) -> list[str] | list[None]:
    """Read a column of the rows at these indices; without a column, each id is None.

    Raises:
        DataError: The file has no such column.
    """
    if id_column is None:
        return [None] * len(indices)
    section = evaluation.run.config.data
    hint = "name a column of the file with --id"
    columns = replace(columns_of(section), text=(id_column,), label=None, hint=hint)
    path = Path(evaluation.origin["path"])
    if not len(indices):
        next(read_rows(path, columns), None)  # a wrong name is an error in any case
    return find_texts(path, columns, evaluation.split.rows[indices].tolist())


def summarize(evaluation: Evaluation, id_column: str | None = None) -> EvaluationResult:
    """Compute all results of an evaluation, and read the texts of its worst errors.

    Args:
        evaluation: The evaluation.
        id_column: A column of the file that names the rows of the errors.

    Raises:
        DataError: The texts cannot be read again, or the file has no such column.
    """
    indices = evaluation.most_confident_errors(NUM_MISTAKES)
    texts = read_texts(evaluation, indices)
    ids = read_ids(evaluation, indices, id_column)
    mistakes = list(map(evaluation.mistake, indices.tolist(), texts, ids))
    return evaluation.result(mistakes)


def _as_dicts(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def _confidences(logits: torch.Tensor) -> npt.NDArray[np.float64]:
    """Return the probability of each text's predicted class. [N, C] -> [N]."""
    probs = to_probs(logits.double())  # [N, C]
    confidences: npt.NDArray[np.float64] = probs.amax(dim=1).numpy()
    return confidences
