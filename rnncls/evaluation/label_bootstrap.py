"""Bootstrap of F1 for texts with several labels, for one run and for two runs.

Texts are drawn with replacement. The counts of all samples are products of two
matrices: how often each sample has each text, and what each text adds to the counts of
each label.

Shapes: N texts, C labels, S bootstrap samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.metrics import percentile_interval

NUM_LABEL_RESAMPLES = 1_000
"""Number of bootstrap samples."""
_SAMPLES_AT_ONCE = 100

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class F1Samples:
    """Micro-, macro- and weighted F1 of each bootstrap sample.

    Attributes:
        micro: [S].
        macro: [S].
        weighted: [S].
        per_label: [C, S], F1 of each label; NaN: the sample has no text for which it is
            true or predicted.
    """

    micro: Floats
    macro: Floats
    weighted: Floats
    per_label: Floats


@dataclass(frozen=True)
class F1Difference:
    """The difference of an F1 between a run and the baseline, on the same texts.

    Attributes:
        difference: F1 of the run minus that of the baseline.
        interval: Its 95% bootstrap interval.
        p: Two-sided p-value: twice the share of the samples whose difference is not on
            the side of the more frequent sign, at most 1 (Efron and Tibshirani 1993,
            with one added to both counts, so that it is never 0).
    """

    difference: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class LabelComparison:
    """The differences between a run and the baseline, on the same texts.

    Attributes:
        micro_f1: The difference of micro-F1.
        macro_f1: The difference of macro-F1.
    """

    micro_f1: F1Difference
    macro_f1: F1Difference


def divide_counts(numerators: Floats, denominators: Floats) -> Floats:
    """Divide counts; 0 where the denominator is 0, as scikit-learn's zero_division."""
    is_defined = denominators > 0
    return np.divide(
        numerators, denominators, out=np.zeros_like(numerators), where=is_defined
    )


def compute_f1(labels: Bools, predicted: Bools) -> tuple[float, float]:
    """Return micro-F1 and macro-F1 of the decisions, as in scikit-learn.

    Args:
        labels: [N, C] bool, the true labels.
        predicted: [N, C] bool, the predicted labels.
    """
    hits = (labels & predicted).sum(axis=0, dtype=np.float64)[:, None]  # [C, 1]
    supports = labels.sum(axis=0, dtype=np.float64)[:, None]  # [C, 1]
    num_predicted = predicted.sum(axis=0, dtype=np.float64)[:, None]  # [C, 1]
    sums = supports + num_predicted  # [C, 1]
    is_present = sums > 0  # [C, 1]
    f1s = divide_counts(2 * hits, sums)  # [C, 1]
    means = divide_counts(f1s.sum(axis=0), is_present.sum(axis=0))  # [1]
    macro = float(np.mean(is_present)) * means  # [1]
    micro = divide_counts(2 * hits.sum(axis=0), sums.sum(axis=0))  # [1]
    return float(micro[0]), float(macro[0])


def bootstrap_f1(labels: Bools, predicted: Bools) -> F1Samples:
    """Compute micro-, macro- and weighted F1 of bootstrap samples of the texts.

    The samples depend on N only, so two runs on the same texts have the same samples.
    As in scikit-learn with zero_division=0, a label without a true or predicted text
    counts as 0 in macro-F1. But a label that has such texts counts with its F1 of all
    texts in samples that drew none of them. Many samples lack a rare label: as 0, it
    would make the F1 of the samples lower than that of all texts; left out, higher, as
    rare labels have a lower F1 than the others.

    Args:
        labels: [N, C] bool, the true labels.
        predicted: [N, C] bool, the predicted labels.
    """
    from scipy.sparse import csr_array

    # Few labels of a text are true or predicted: sparse products are much faster.
    hits = csr_array((labels & predicted).T, dtype=np.float64)  # [C, N]
    true = csr_array(labels.T, dtype=np.float64)  # [C, N]
    positive = csr_array(predicted.T, dtype=np.float64)  # [C, N]
    all_texts = np.ones((len(labels), 1))
    all_sums = true @ all_texts + positive @ all_texts  # [C, 1]
    f1s_of_all = divide_counts(2 * (hits @ all_texts), all_sums)  # [C, 1]
    parts = []
    for weights in _draw_weights(len(labels)):
        supports = true @ weights  # [C, samples]
        sums = supports + positive @ weights  # [C, samples]
        part = _f1_of_counts(hits @ weights, supports, sums, f1s_of_all)
        parts.append(part)
    return F1Samples(
        micro=np.concatenate([part.micro for part in parts]),
        macro=np.concatenate([part.macro for part in parts]),
        weighted=np.concatenate([part.weighted for part in parts]),
        per_label=np.concatenate([part.per_label for part in parts], axis=1),
    )


def bootstrap_mean(values: Floats) -> Floats:
    """Return the mean of bootstrap samples of the texts. [S].

    The samples are those of `bootstrap_f1`.

    Args:
        values: [N], the value of each text.
    """
    num_rows = len(values)
    means = [values @ weights / num_rows for weights in _draw_weights(num_rows)]
    return np.concatenate(means)


def _f1_of_counts(
    hits: Floats, supports: Floats, sums: Floats, f1s_of_all: Floats
) -> F1Samples:
    """Compute F1 of samples from their counts.

    Args:
        hits: [C, S], number of true and predicted texts.
        supports: [C, S], number of true texts.
        sums: [C, S], number of true texts plus number of predicted texts.
        f1s_of_all: [C, 1], F1 of all texts, of labels that a sample lacks.
    """
    f1s = divide_counts(2 * hits, sums)  # [C, S]
    is_drawn = sums > 0  # [C, S]
    weighted_sums = (f1s * supports).sum(axis=0)  # [S]
    return F1Samples(
        micro=divide_counts(2 * hits.sum(axis=0), sums.sum(axis=0)),
        macro=np.where(is_drawn, f1s, f1s_of_all).mean(axis=0),
        weighted=divide_counts(weighted_sums, supports.sum(axis=0)),
        per_label=np.where(is_drawn, f1s, np.nan),
    )


def _draw_weights(num_rows: int) -> Iterator[Floats]:
    """Yield how often each text is in each sample. [N, `_SAMPLES_AT_ONCE`]."""
    generator = np.random.default_rng(0)
    for _ in range(NUM_LABEL_RESAMPLES // _SAMPLES_AT_ONCE):
        shape = (_SAMPLES_AT_ONCE, num_rows)
        rows = generator.integers(0, num_rows, shape, dtype=np.int32)
        weights = np.empty((num_rows, _SAMPLES_AT_ONCE))
        for index, sampled_rows in enumerate(rows):
            weights[:, index] = np.bincount(sampled_rows, minlength=num_rows)
        yield weights


def compare_labels(
    labels: Bools, predicted: Bools, baseline_predicted: Bools
) -> LabelComparison:
    """Compare the predictions of a run and of the baseline by a paired bootstrap.

    Args:
        labels: [N, C] bool, the true labels.
        predicted: [N, C] bool, what the run predicts.
        baseline_predicted: [N, C] bool, what the baseline predicts.
    """
    micro_f1, macro_f1 = compute_f1(labels, predicted)
    baseline_micro_f1, baseline_macro_f1 = compute_f1(labels, baseline_predicted)
    samples = bootstrap_f1(labels, predicted)
    baseline_samples = bootstrap_f1(labels, baseline_predicted)
    return LabelComparison(
        micro_f1=_compare_f1(
            micro_f1 - baseline_micro_f1, samples.micro - baseline_samples.micro
        ),
        macro_f1=_compare_f1(
            macro_f1 - baseline_macro_f1, samples.macro - baseline_samples.macro
        ),
    )


def _compare_f1(difference: float, differences: Floats) -> F1Difference:
    """Return the interval and the p-value of a difference of F1.

    Args:
        difference: F1 of the run minus that of the baseline, on all texts.
        differences: [S], the same in each bootstrap sample.
    """
    num_not_better = int((differences <= 0).sum())
    num_not_worse = int((differences >= 0).sum())
    tail = min(num_not_better, num_not_worse)
    p = 2 * (tail + 1) / (len(differences) + 1)
    return F1Difference(
        difference=difference,
        interval=percentile_interval(differences),
        p=min(1.0, p),
    )
