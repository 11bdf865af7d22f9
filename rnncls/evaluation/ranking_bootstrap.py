"""Bootstrap of average precision and AUROC of a label, without sorting each sample.

Only the order of the texts matters. Texts without the label whose probabilities lie
between those of two texts that have it are exchangeable, so a bootstrap sample is drawn
as the number of texts of each such group, which is multinomial, instead of text by
text. A rare label then costs as much as it has texts.

Shapes: N texts, C labels, K distinct probabilities of texts with the label, G groups, S
bootstrap samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.label_bootstrap import NUM_LABEL_RESAMPLES, divide_counts
from rnncls.evaluation.metrics import Interval, defined_interval

MIN_RESAMPLES = 200
"""The fewest samples, where labels have very many texts."""
_MAX_COUNTS = 60_000_000
"""Of more groups times samples, fewer samples are drawn."""
_COUNTS_AT_ONCE = 2_000_000

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class RankingIntervals:
    """The 95% bootstrap intervals of a label's ranking scores; None: it has no score.

    Attributes:
        average_precision: That of the area under the precision-recall curve.
        auroc: That of the area under the ROC curve.
    """

    average_precision: Interval | None
    auroc: Interval | None


@dataclass(frozen=True)
class _Groups:
    """How many texts of a label are in each group, the most probable ones first.

    Attributes:
        true: [K], texts with the label that have the k-th probability.
        tied: [K], texts without it that have this probability.
        between: [K + 1], texts without it that are more probable than the k-th, but not
            than the one before; those that are less probable than all come last.
    """

    true: Ints
    tied: Ints
    between: Ints

    @property
    def counts(self) -> Ints:
        """All groups. [3 K + 1]."""
        return np.concatenate([self.true, self.tied, self.between])


def bootstrap_ranking(labels: Bools, probs: Floats) -> list[RankingIntervals]:
    """Compute the intervals of the ranking scores of each label.

    Samples without a text that has the label do not count, for AUROC also those without
    a text that lacks it.

    Args:
        labels: [N, C] bool, the true labels.
        probs: [N, C], the probability of each label.
    """
    groups_of_labels = [
        _group_texts(labels[:, index], probs[:, index])
        for index in range(labels.shape[1])
    ]
    num_groups = sum(np.count_nonzero(groups.counts) for groups in groups_of_labels)
    num_samples = limit_resamples(int(num_groups))
    generator = np.random.default_rng(0)
    return [_score(groups, num_samples, generator) for groups in groups_of_labels]


def limit_resamples(num_groups: int) -> int:
    """Return the number of samples: fewer, where there are very many groups."""
    num_that_fit = _MAX_COUNTS // max(num_groups, 1)
    return min(max(num_that_fit, MIN_RESAMPLES), NUM_LABEL_RESAMPLES)


def _group_texts(is_true: Bools, probs: Floats) -> _Groups:
    """Return the groups of the texts of a label, from two arrays [N]."""
    values, true = np.unique(-probs[is_true], return_counts=True)  # [K], ascending
    others = -probs[~is_true]
    places = np.searchsorted(values, others)
    is_tied = places < len(values)
    is_tied[is_tied] = values[places[is_tied]] == others[is_tied]
    tied = np.bincount(places[is_tied], minlength=len(values))  # [K]
    between = np.bincount(places[~is_tied], minlength=len(values) + 1)  # [K + 1]
    return _Groups(true.astype(np.int64), tied, between)


def _score(
    groups: _Groups, num_samples: int, generator: np.random.Generator
) -> RankingIntervals:
    """Return the intervals of a label."""
    num_true = int(groups.true.sum())
    if num_true == 0:
        return RankingIntervals(None, None)
    num_others = int(groups.tied.sum() + groups.between.sum())
    scores = list(map(_score_samples, _draw_samples(groups, num_samples, generator)))
    precisions = np.concatenate([precision for precision, _ in scores])  # [S]
    aurocs = np.concatenate([auroc for _, auroc in scores])  # [S]
    auroc = defined_interval(aurocs) if num_others else None
    return RankingIntervals(defined_interval(precisions), auroc)


def _draw_samples(
    groups: _Groups, num_samples: int, generator: np.random.Generator
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield the groups of some samples: [s, K], [s, K] and [s, K + 1]."""
    counts = groups.counts  # [G]
    filled = np.flatnonzero(counts)
    num_rows = int(counts.sum())
    shares = counts[filled] / num_rows
    num_at_once = max(_COUNTS_AT_ONCE // len(counts), 1)
    num_true = len(groups.true)
    ends = [num_true, 2 * num_true]
    for start in range(0, num_samples, num_at_once):
        size = min(num_at_once, num_samples - start)
        drawn = generator.multinomial(num_rows, shares, size)
        sampled = np.zeros((size, len(counts)), dtype=np.int64)  # [s, G]
        sampled[:, filled] = drawn
        true, tied, between = np.split(sampled, ends, axis=1)
        yield true, tied, between


def _score_samples(
    samples: tuple[Ints, Ints, Ints],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return average precision and AUROC of samples, NaN where undefined. Two [s]."""
    true, tied, between = samples  # [s, K], [s, K], [s, K + 1]
    num_true = true.sum(axis=1)  # [s]
    num_others = tied.sum(axis=1) + between.sum(axis=1)  # [s]
    num_hits = true.cumsum(axis=1).astype(np.float64)  # [s, K]
    new_false = between[:, :-1] + tied  # [s, K]
    num_false = new_false.cumsum(axis=1)  # [s, K]
    num_predicted = num_hits + num_false  # [s, K]
    precisions = divide_counts(num_hits, num_predicted)  # [s, K]
    precision_sums = (true * precisions).sum(axis=1)  # [s]
    num_less_probable = num_others[:, None] - num_false  # [s, K]
    num_beaten = num_less_probable + tied / 2  # [s, K]
    beaten_sums = (true * num_beaten).sum(axis=1)  # [s]
    num_pairs = num_true * num_others  # [s]
    with np.errstate(invalid="ignore", divide="ignore"):
        average_precisions = precision_sums / num_true  # [s]
        aurocs = beaten_sums / num_pairs  # [s]
    return average_precisions, aurocs


def compute_rank_precisions(labels: Bools, probs: Floats) -> npt.NDArray[np.float64]:
    """Return the label ranking average precision of each text. [N].

    It is the mean, over the labels of the text, of the share of true labels among those
    that are at least as probable; 1 for a text without labels.

    Args:
        labels: [N, C] bool, the true labels.
        probs: [N, C], the probability of each label.
    """
    num_rows, num_labels = labels.shape
    rows, columns = np.nonzero(labels)  # of the true labels
    sums = np.zeros(num_rows)  # [N]
    num_at_once = max(_COUNTS_AT_ONCE // num_labels, 1)
    for start in range(0, len(rows), num_at_once):
        end = start + num_at_once
        part_rows, part_columns = rows[start:end], columns[start:end]  # [part]
        row_probs = probs[part_rows]  # [part, C]
        label_probs = probs[part_rows, part_columns]  # [part]
        is_above = row_probs >= label_probs[:, None]  # [part, C]
        is_true_above = is_above & labels[part_rows]  # [part, C]
        ranks = is_above.sum(axis=1)  # [part]
        num_true = is_true_above.sum(axis=1)  # [part]
        sums += np.bincount(part_rows, num_true / ranks, num_rows)
    counts = labels.sum(axis=1)  # [N]
    means = sums / np.maximum(counts, 1)  # [N]
    return np.where(counts > 0, means, 1.0)
