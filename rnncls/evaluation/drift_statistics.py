"""Two-sample tests with effect sizes, for texts that are independent of each other.

The two samples are the reference and the file. Does not import torch.

Shapes: N texts of the reference, M texts of the file, C labels, S width of a state.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, mannwhitneyu
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MIN_EXPECTED = 5.0
"""If a label has a lower expected count, the chi-squared distribution is a bad
approximation (Cochran 1954)."""
_CHI_SQUARED, _EXACT = "chi-squared", "Fisher's exact test"
_NUM_PERMUTATIONS = 9_999
_ROUNDING = 1e-9
_INVERSE_PENALTY = 0.01
"""C of the logistic regression. States are correlated and often wider than a small
sample is long: a strong penalty finds differences of small samples that a weak one does
not."""
_SEED = 0

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """How large a difference is, and how likely one as large is by chance.

    Attributes:
        size: The effect size; 0 means no difference.
        p: The p-value of the test, if there is no difference.
        test: The name of the test.
    """

    size: float
    p: float
    test: str


def compare_distributions(reference: Floats, file: Floats) -> Effect:
    """Compare the values of the texts with the test of Kolmogorov and Smirnov.

    The effect size is the largest distance between the two cumulative distributions. If
    many values are equal, p is too large rather than too small.

    Args:
        reference: [N].
        file: [M].
    """
    result = ks_2samp(reference, file, method="asymp")
    return Effect(float(result.statistic), float(result.pvalue), "Kolmogorov-Smirnov")


# Shares of tokens


@dataclass(frozen=True)
class TokenShare:
    """The share of some tokens among all tokens of texts.

    Attributes:
        share: The share; 0 if the texts have no tokens.
        variance: The variance of its error, if texts are drawn, not tokens.
        num_texts: The number of texts.
        num_tokens: The number of all tokens.
    """

    share: float
    variance: float
    num_texts: int
    num_tokens: int

    @property
    def with_complement(self) -> Floats:
        """The share of these tokens and that of all others. [2]."""
        return np.array([self.share, 1 - self.share])

    @property
    def spread_of_variance(self) -> float:
        """The term of Welch's degrees of freedom."""
        return self.variance**2 / (self.num_texts - 1)


def estimate_share(counts: Ints, lengths: Ints) -> TokenShare:
    """Estimate a share of tokens and the variance of the estimate.

    The tokens of a text depend on each other, so the variance is that of a ratio of two
    sums over texts (Cochran 1977, "Sampling Techniques", chapter 6).

    Args:
        counts: [N], the tokens of each text that count.
        lengths: [N], all tokens of each text.
    """
    num_texts = len(lengths)
    num_tokens = int(lengths.sum())
    if num_tokens == 0:
        return TokenShare(0.0, 0.0, num_texts, num_tokens)
    share = float(counts.sum()) / num_tokens
    residuals = counts - share * lengths  # [N]
    sum_of_squares = float(np.square(residuals).sum()) / num_tokens**2
    variance = sum_of_squares * num_texts / (num_texts - 1)
    return TokenShare(share, variance, num_texts, num_tokens)


def compare_shares(reference: TokenShare, file: TokenShare) -> Effect:
    """Compare two shares with Welch's t-test; the effect size is Cramér's V.

    Texts without tokens have no share to compare.
    """
    test = "Welch's t of a ratio"
    if 0 in {reference.num_tokens, file.num_tokens}:
        return Effect(0.0, 1.0, test)
    size = compute_cramers_v(
        reference.with_complement,
        file.with_complement,
    )
    variance = reference.variance + file.variance
    difference = abs(reference.share - file.share)
    if variance == 0:
        return Effect(size, float(difference == 0), test)
    spread = reference.spread_of_variance + file.spread_of_variance
    degrees_of_freedom = variance**2 / spread
    t = difference / math.sqrt(variance)
    p = 2 * float(student.sf(t, degrees_of_freedom))
    return Effect(size, p, test)


# Labels


def compare_labels(reference: Ints, file: Ints) -> Effect:
    """Compare how often each label occurs with a chi-squared test.

    Each text has one label. Two labels have Fisher's exact test. If a label is so rare
    that the chi-squared distribution is a bad approximation, the p-value is that of a
    permutation test. The effect size is Cramér's V, without what is expected by chance
    (Bergsma 2013).

    Args:
        reference: [C], the number of texts with each label.
        file: [C].
    """
    table = np.stack([reference, file])  # [2, C]
    table = table[:, table.any(axis=0)]
    num_labels = table.shape[1]
    if num_labels < 2:
        return Effect(0.0, 1.0, _CHI_SQUARED)
    sizes = table.sum(axis=1)  # [2]
    shares = table / sizes[:, None]  # [2, C]
    expected = (num_labels - 1) / 4 * float((1 / sizes).sum())
    size = compute_cramers_v(shares[0], shares[1], expected)
    p, test = _test_labels(table)
    return Effect(size, p, test)


def compare_label_sets(reference: Bools, file: Bools) -> Effect:
    """Compare how often each label occurs if a text may have several, or none.

    The labels of a text depend on each other, so each label has its own exact test. p
    is the smallest of them times their number (Bonferroni), and the effect size is that
    of this label.

    Args:
        reference: [N, C].
        file: [M, C].
    """
    smallest = Effect(0.0, 1.0, _EXACT)
    num_labels = reference.shape[1]
    for label in range(num_labels):
        effect = compare_labels(
            np.bincount(reference[:, label], minlength=2),
            np.bincount(file[:, label], minlength=2),
        )
        if (effect.p, -effect.size) < (smallest.p, -smallest.size):
            smallest = effect
    p = min(1.0, num_labels * smallest.p)
    return Effect(smallest.size, p, f"{_EXACT} of each label")


def compute_cramers_v(reference: Floats, file: Floats, expected: float = 0.0) -> float:
    """Return Cramér's V of two distributions, as of two samples of the same size.

    It is 0 for the same distribution and 1 if no label is in both.

    Args:
        reference: [C], the share of each label.
        file: [C].
        expected: The square of V that is expected by chance, which is subtracted.
    """
    sums = reference + file  # [C]
    is_present = sums > 0
    squares = np.square(reference - file)[is_present] / sums[is_present]
    return math.sqrt(max(0.0, float(squares.sum()) / 2 - expected))


def _test_labels(table: Ints) -> tuple[float, str]:
    """Test whether both samples have the same shares: the p-value, and the test's name.

    Args:
        table: [2, C], the counts of both samples, C > 1. Each label occurs.
    """
    if table.shape[1] == 2:
        return float(fisher_exact(table).pvalue), _EXACT
    result = chi2_contingency(table, correction=False)
    if result.expected_freq.min() >= MIN_EXPECTED:
        return float(result.pvalue), _CHI_SQUARED
    p = _permute_labels(table, result.expected_freq[1])
    return p, f"{_CHI_SQUARED}, by permutation"


def _permute_labels(table: Ints, expected: Floats) -> float:
    """Return the p-value of a permutation test with the chi-squared statistic.

    Args:
        table: [2, C], the counts of both samples.
        expected: [C], the expected counts of the file.
    """
    totals = table.sum(axis=0)  # [C]
    generator = np.random.default_rng(_SEED)
    drawn = generator.multivariate_hypergeometric(
        totals,
        int(table[1].sum()),
        _NUM_PERMUTATIONS,
        method="marginals",
    )  # [P, C]
    # Of two samples with these totals, this is proportional to the statistic.
    distances = (np.square(drawn - expected) / totals).sum(axis=1)  # [P]
    distance = float((np.square(table[1] - expected) / totals).sum())
    is_as_large = distances >= distance * (1 - _ROUNDING)  # [P]
    return (int(is_as_large.sum()) + 1) / (_NUM_PERMUTATIONS + 1)


# States


@dataclass(frozen=True)
class TwoSampleTest:
    """A classifier that tells the texts of the file from those of the reference.

    Attributes:
        auroc: The probability that it takes a text of the file, rather than one of the
            reference, for one of the file; 0.5 if it cannot tell them apart.
        p: The p-value.
        scores: [M], the probability of each text of the file to be one of the file, if
            both are equally frequent, by a classifier not trained on it.
    """

    auroc: float
    p: float
    scores: Floats

    @property
    def effect(self) -> Effect:
        """2 AUROC - 1, which is 0 for guesses and 1 for a perfect classifier."""
        size = max(0.0, 2 * self.auroc - 1)
        return Effect(size, self.p, "classifier two-sample test")


def classify_samples(
    reference: npt.NDArray[np.float32], file: npt.NDArray[np.float32]
) -> TwoSampleTest:
    """Run a classifier two-sample test (Lopez-Paz and Oquab 2017).

    Each half of the texts is scored by a logistic regression that is trained on the
    other half. Given this classifier, the one-sided test of Mann and Whitney on the
    half is valid. The p-value is twice the smaller one of both halves, which is valid
    although the halves depend on each other.

    Args:
        reference: [N, S], the states of the texts.
        file: [M, S].
    """
    states = np.concatenate([reference, file])  # [N + M, S]
    is_file = np.arange(len(states)) >= len(reference)  # [N + M]
    generator = np.random.default_rng(_SEED)
    halves = [
        _draw_half(len(reference), generator),
        _draw_half(len(file), generator),
    ]
    is_first = np.concatenate(halves)  # [N + M]
    scores = np.empty(len(states))  # [N + M]
    scores[is_first] = _score_states(states, is_file, is_first)
    scores[~is_first] = _score_states(states, is_file, ~is_first)
    first = _compare_scores(scores[is_first], is_file[is_first])
    second = _compare_scores(scores[~is_first], is_file[~is_first])
    return TwoSampleTest(
        auroc=(first.size + second.size) / 2,
        p=min(1.0, 2 * min(first.p, second.p)),
        scores=scores[is_file],
    )


def _draw_half(num_texts: int, generator: np.random.Generator) -> Bools:
    """Draw half of the texts. [`num_texts`] bool."""
    is_drawn: Bools = generator.permutation(num_texts) < num_texts // 2
    return is_drawn


def _score_states(
    states: npt.NDArray[np.float32], is_file: Bools, is_scored: Bools
) -> Floats:
    """Return the probability of some texts to be of the file.

    Args:
        states: [N + M, S].
        is_file: [N + M], which texts are of the file.
        is_scored: [N + M], which texts to score; the others train the classifier.
    """
    regression = LogisticRegression(
        C=_INVERSE_PENALTY,
        class_weight="balanced",
        max_iter=1000,
    )
    classifier = make_pipeline(StandardScaler(), regression)
    classifier.fit(states[~is_scored], is_file[~is_scored])
    probs = classifier.predict_proba(states[is_scored])  # [scored, 2]
    scores: Floats = probs[:, 1]
    return scores


def _compare_scores(scores: Floats, is_file: Bools) -> Effect:
    """Return AUROC and the p-value of the test of Mann and Whitney. [n], [n] bool."""
    result = mannwhitneyu(
        scores[is_file],
        scores[~is_file],
        alternative="greater",
    )
    num_pairs = int(is_file.sum()) * int((~is_file).sum())
    auroc = float(result.statistic) / num_pairs
    return Effect(auroc, float(result.pvalue), "Mann-Whitney")


# Several tests


def adjust_holm(ps: Sequence[float]) -> list[float]:
    """Return p-values that hold for all tests together (Holm 1979), in their order."""
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(np.argsort(ps, kind="stable").tolist()):
        largest = max(largest, (len(ps) - rank) * ps[index])
        adjusted[index] = min(1.0, largest)
    return adjusted
