"""Scores of a classifier that assigns several labels to a text.

scikit-learn computes every score that it has. Conventions: a ratio whose denominator
is 0 is 0 (`zero_division=0`); all C labels count in macro-F1, also those without a true
or predicted text; average precision of a label without a text, and AUROC of a label
that no text or every text has, are None. Labels that the classifier does not know are
never predicted: their F1 is 0, and they are ranked last.

Shapes: N texts, C labels, U labels that the classifier does not know.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.calibration import expected_calibration_error, reliability_bins
from rnncls.evaluation.confusion import ConfusedPair, rank_pairs
from rnncls.evaluation.label_bootstrap import bootstrap_f1, bootstrap_mean
from rnncls.evaluation.metrics import (
    Interval,
    defined_interval,
    percentile_interval,
    wilson_interval,
)
from rnncls.evaluation.ranking_bootstrap import (
    RankingIntervals,
    bootstrap_ranking,
    compute_rank_precisions,
)

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class LabelScores:
    """The scores of one label.

    Attributes:
        label: Its name.
        support: Number of texts that have it.
        num_predicted: Number of texts for which it is predicted.
        precision: Share of the predictions that are correct; 0 without predictions.
        recall: Share of its texts for which it is predicted; 0 without texts.
        f1: Harmonic mean of both.
        average_precision: Area under the precision-recall curve, as a sum of steps;
            None: no text has the label, or the classifier does not know it.
        auroc: Area under the ROC curve; None: no text, or every text, has the label, or
            the classifier does not know it.
        ece: Expected calibration error of its probability (15 bins of equal width);
            None: the classifier does not know the label.
        threshold: The label is predicted from this probability on; if it differs
            between texts, the mean; None: the classifier does not know the label.
        f1_interval: The 95% bootstrap interval of `f1`; None: there is no true or
            predicted text.
        average_precision_interval: That of `average_precision`; None: as for it.
        auroc_interval: That of `auroc`; None: as for it.
    """

    label: str
    support: int
    num_predicted: int
    precision: float
    recall: float
    f1: float
    average_precision: float | None
    auroc: float | None
    ece: float | None
    threshold: float | None
    f1_interval: Interval | None = None
    average_precision_interval: Interval | None = None
    auroc_interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as plain lists and numbers."""
        return _with_lists(asdict(self))


def _with_lists(values: dict[str, Any]) -> dict[str, Any]:
    """Return values of which tuples are replaced by lists, as in JSON."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
    }


@dataclass(frozen=True)
class MultilabelScores:
    """The scores of a classifier that assigns several labels, on N texts.

    Labels that the classifier does not know count as missed in all scores but `loss`
    and `ece`.

    Attributes:
        micro_f1: F1 of all N x C decisions.
        micro_f1_interval: Its 95% bootstrap interval.
        macro_f1: Mean F1 of the C labels.
        macro_f1_interval: Its 95% bootstrap interval.
        weighted_f1: Mean F1 of the labels, weighted by support.
        weighted_f1_interval: Its 95% bootstrap interval.
        subset_accuracy: Share of texts whose labels are all predicted, and no others.
        subset_accuracy_interval: Its 95% interval (Wilson 1927).
        hamming_loss: Share of the N x C decisions that are wrong.
        hamming_loss_interval: Its 95% bootstrap interval.
        lrap: Label ranking average precision; a text without labels counts as 1.
        lrap_interval: Its 95% bootstrap interval.
        loss: Mean binary cross-entropy in nats of the calibrated probabilities.
        ece: Expected calibration error of all N x C probabilities.
        num_rows: N.
        num_rows_without_labels: Number of texts that have no label.
        num_rows_without_predictions: Number of texts for which none is predicted.
        mean_labels: Mean number of labels of a text.
        mean_predictions: Mean number of predicted labels of a text.
        per_label: The scores of each label.
        confused_pairs: The most frequent pairs of a label that is missed and a label
            that is predicted wrongly for the same text.
        absent_labels: The labels without a true or predicted text.
    """

    micro_f1: float
    micro_f1_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    weighted_f1: float
    weighted_f1_interval: Interval
    subset_accuracy: float
    subset_accuracy_interval: Interval
    hamming_loss: float
    hamming_loss_interval: Interval
    lrap: float
    lrap_interval: Interval
    loss: float
    ece: float
    num_rows: int
    num_rows_without_labels: int
    num_rows_without_predictions: int
    mean_labels: float
    mean_predictions: float
    per_label: list[LabelScores]
    confused_pairs: list[ConfusedPair]
    absent_labels: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as plain lists, dictionaries and numbers."""
        values = _with_lists(asdict(self))
        values["per_label"] = [row.to_dict() for row in self.per_label]
        return values


def pad_columns(values: npt.NDArray[Scalar], num_columns: int) -> npt.NDArray[Scalar]:
    """Return a matrix with columns of zeros after its own. [N, `num_columns`]."""
    num_added = num_columns - values.shape[1]
    return np.pad(values, ((0, 0), (0, num_added))) if num_added else values


def score_labels(
    labels: Bools,
    probs: Floats,
    thresholds: Floats,
    loss: float,
    label_names: Sequence[str],
) -> MultilabelScores:
    """Compute all scores of the probabilities and thresholds of N texts.

    Args:
        labels: [N, C + U] bool, the true labels, N at least 1; those that the
            classifier does not know are last.
        probs: [N, C], the calibrated probability of each label.
        thresholds: [C], or [N, C] if they differ between texts; a label is predicted if
            its probability reaches its threshold.
        loss: Mean binary cross-entropy in nats.
        label_names: The C + U labels.
    """
    from sklearn.metrics import (
        accuracy_score,
        hamming_loss,
        label_ranking_average_precision_score,
    )

    num_labels = labels.shape[1]
    predicted = pad_columns(probs >= thresholds, num_labels)  # [N, C + U]
    ranking = pad_columns(probs.astype(np.float64), num_labels)  # [N, C + U]
    known_labels = labels[:, : probs.shape[1]]  # [N, C]
    samples = bootstrap_f1(labels, predicted)
    f1_intervals = list(map(defined_interval, samples.per_label))
    per_label = [
        replace(scores, f1_interval=interval)
        for scores, interval in zip(
            _score_each_label(labels, probs, thresholds, label_names),
            f1_intervals,
            strict=True,
        )
    ]
    num_rows = len(labels)
    subset_accuracy = float(accuracy_score(labels, predicted))
    is_present = labels.any(axis=0) | predicted.any(axis=0)  # [C]
    absent = np.flatnonzero(~is_present).tolist()
    return MultilabelScores(
        micro_f1=_average_f1(labels, predicted, "micro"),
        micro_f1_interval=percentile_interval(samples.micro),
        macro_f1=_average_f1(labels, predicted, "macro"),
        macro_f1_interval=percentile_interval(samples.macro),
        weighted_f1=_average_f1(labels, predicted, "weighted"),
        weighted_f1_interval=percentile_interval(samples.weighted),
        subset_accuracy=subset_accuracy,
        subset_accuracy_interval=wilson_interval(subset_accuracy * num_rows, num_rows),
        hamming_loss=float(hamming_loss(labels, predicted)),
        hamming_loss_interval=_interval_of_mean((labels != predicted).mean(axis=1)),
        lrap=float(label_ranking_average_precision_score(labels, ranking)),
        lrap_interval=_interval_of_mean(compute_rank_precisions(labels, ranking)),
        loss=loss,
        ece=compute_ece(probs.ravel(), known_labels.ravel()),
        num_rows=num_rows,
        num_rows_without_labels=int((~labels.any(axis=1)).sum()),
        num_rows_without_predictions=int((~predicted.any(axis=1)).sum()),
        mean_labels=float(labels.sum() / num_rows),
        mean_predictions=float(predicted.sum() / num_rows),
        per_label=per_label,
        confused_pairs=find_confused_labels(labels, predicted, label_names),
        absent_labels=[label_names[index] for index in absent],
    )


def _interval_of_mean(values: npt.NDArray[np.float64]) -> Interval:
    """Return the 95% bootstrap interval of the mean of a value of each text, [N]."""
    return percentile_interval(bootstrap_mean(values))


def _average_f1(labels: Bools, predicted: Bools, average: str) -> float:
    from sklearn.metrics import f1_score

    if labels.shape[1] == 1:
        # scikit-learn takes one column for classes 0 and 1, and would average over
        # both.
        average = "binary"
    return float(f1_score(labels, predicted, average=average, zero_division=0.0))


class _ProbScores(NamedTuple):
    """The scores of a label that need its probabilities; None without them."""

    average_precision: float | None = None
    auroc: float | None = None
    ece: float | None = None
    threshold: float | None = None
    intervals: RankingIntervals = RankingIntervals(None, None)


def _score_each_label(
    labels: Bools, probs: Floats, thresholds: Floats, label_names: Sequence[str]
) -> list[LabelScores]:
    """Compute the scores of each label on its own."""
    predicted = pad_columns(probs >= thresholds, len(label_names))  # [N, C + U]
    precisions, recalls, f1s = _precisions_recalls_f1s(labels, predicted)
    num_predicted = predicted.sum(axis=0)  # [C]
    intervals = bootstrap_ranking(labels[:, : probs.shape[1]], probs)
    scores = []
    for index, name in enumerate(label_names):
        is_true = labels[:, index]  # [N]
        of_probs = _ProbScores()
        if index < probs.shape[1]:
            threshold = float(thresholds[..., index].mean())
            of_probs = _score_probs(
                is_true, probs[:, index], threshold, intervals[index]
            )
        label_scores = LabelScores(
            label=name,
            support=int(is_true.sum()),
            num_predicted=int(num_predicted[index]),
            precision=float(precisions[index]),
            recall=float(recalls[index]),
            f1=float(f1s[index]),
            average_precision=of_probs.average_precision,
            auroc=of_probs.auroc,
            ece=of_probs.ece,
            threshold=of_probs.threshold,
            average_precision_interval=of_probs.intervals.average_precision,
            auroc_interval=of_probs.intervals.auroc,
        )
        scores.append(label_scores)
    return scores


def _precisions_recalls_f1s(
    labels: Bools, predicted: Bools
) -> tuple[Floats, Floats, Floats]:
    """Compute precision, recall and F1 of each label. Three arrays [C]."""
    from sklearn.metrics import precision_recall_fscore_support

    label_ids = np.arange(labels.shape[1])
    if len(label_ids) == 1:
        # scikit-learn takes one column for classes 0 and 1; the label is class 1.
        label_ids = np.array([1])
    precisions, recalls, f1s, _ = precision_recall_fscore_support(
        labels, predicted, labels=label_ids, zero_division=0.0
    )
    return precisions, recalls, f1s


def _score_probs(
    is_true: Bools, probs: Floats, threshold: float, intervals: RankingIntervals
) -> _ProbScores:
    """Compute the scores of a label's probabilities, from two arrays [N]."""
    average_precision, auroc = _rank_scores(is_true, probs)
    ece = compute_ece(probs, is_true)
    return _ProbScores(average_precision, auroc, ece, threshold, intervals)


def _rank_scores(is_true: Bools, probs: Floats) -> tuple[float | None, float | None]:
    """Compute average precision and AUROC of a label, where they are defined.

    Args:
        is_true: [N] bool, which texts have the label.
        probs: [N], its probabilities.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    if not is_true.any():
        return None, None
    average_precision = float(average_precision_score(is_true, probs))
    if is_true.all():
        return average_precision, None
    return average_precision, float(roc_auc_score(is_true, probs))


def compute_ece(probs: Floats, is_true: Bools) -> float:
    """Return the expected calibration error of probabilities, from two arrays [N]."""
    bins = reliability_bins(probs.astype(np.float64), is_true)
    return expected_calibration_error(bins)


def find_confused_labels(
    labels: Bools, predicted: Bools, label_names: Sequence[str]
) -> list[ConfusedPair]:
    """Return the pairs of labels of which one is often missed and the other predicted.

    The number of rows of a pair is the number of texts that have the label, for which
    it is not predicted, and for which the other one is predicted wrongly.

    Args:
        labels: [N, C] bool, the true labels.
        predicted: [N, C] bool, the predicted labels.
        label_names: The C labels.

    Returns:
        The most frequent pairs first.
    """
    from scipy.sparse import csr_array

    missed = csr_array((labels & ~predicted).astype(np.int64))  # [N, C]
    false_alarms = csr_array((predicted & ~labels).astype(np.int64))  # [N, C]
    counts = (missed.T @ false_alarms).toarray()  # [C, C]
    return rank_pairs(counts, labels.sum(axis=0), label_names)
