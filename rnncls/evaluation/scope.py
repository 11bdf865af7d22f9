"""Texts that fit none of the classes: the threshold, and how well it finds them.

A text in scope belongs to one of the classes, a text out of scope to none of them
(Larson et al. 2019). No text out of scope is needed to choose the threshold.

Shapes: N texts, C classes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.error_slices import token_shares, unknown_shares
from rnncls.evaluation.metrics import Interval, wilson_interval
from rnncls.evaluation.ranking_bootstrap import bootstrap_ranking
from rnncls.nn.scope import Floats, ScopeRule, compute_energies, compute_scores
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import UNK_ID

REFUSED_PERCENT = 5
"""How many percent of the texts in scope a threshold refuses."""
MIN_SHARE_DEVIATION = 0.02
"""The least standard deviation of the share of unknown tokens. Otherwise one such token
would decide where the validation texts have hardly any."""
_MARGIN = 1e-4
"""Scores of the same text differ by less between runtimes."""


@dataclass(frozen=True)
class FitShare:
    """How many texts in scope fit one of the classes, by the rule of a run.

    Attributes:
        threshold: The lowest score of a text that fits.
        unknown_weight: The weight of the share of unknown tokens in the score.
        kept: The share of the texts that fit.
        kept_interval: Its 95% interval (Wilson 1927).
    """

    threshold: float
    unknown_weight: float
    kept: float
    kept_interval: Interval


@dataclass(frozen=True)
class ScopeShares:
    """What a threshold does with texts in scope and texts out of scope.

    Attributes:
        threshold: The lowest score of a text that fits.
        kept: The share of the texts in scope that fit.
        kept_interval: Its 95% interval (Wilson 1927).
        accuracy: The share of the texts in scope that fit and get the right class.
        accuracy_interval: Its 95% interval (Wilson 1927).
        recall: The share of the texts out of scope that do not fit.
        recall_interval: Its 95% interval (Wilson 1927).
    """

    threshold: float
    kept: float
    kept_interval: Interval
    accuracy: float
    accuracy_interval: Interval
    recall: float
    recall_interval: Interval


@dataclass(frozen=True)
class ScopeScores:
    """How well texts in scope and texts out of scope are told apart.

    Attributes:
        num_rows: Number of texts out of scope.
        auroc: The probability that a text in scope has a higher score than a text out
            of scope.
        auroc_interval: Its 95% bootstrap interval; None: it is undefined.
        at_95: The shares with the threshold that keeps 95% of these texts in scope.
        stored: The shares with the threshold of the run; None: the run has none.
    """

    num_rows: int
    auroc: float
    auroc_interval: Interval | None
    at_95: ScopeShares
    stored: ScopeShares | None


@dataclass(frozen=True)
class OutsideResult:
    """How well a run tells texts of its classes from those of a file.

    Attributes:
        path: The file of texts out of scope.
        sha256: Its checksum.
        scores: The scores.
    """

    path: str
    sha256: str
    scores: ScopeScores

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain dictionaries and numbers."""
        return {"path": self.path, "sha256": self.sha256, **asdict(self.scores)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "OutsideResult":
        """Return the result that `to_dict` returned the values of."""
        stored = values["stored"]
        scores = ScopeScores(
            values["num_rows"],
            values["auroc"],
            values["auroc_interval"],
            ScopeShares(**values["at_95"]),
            None if stored is None else ScopeShares(**stored),
        )
        return cls(values["path"], values["sha256"], scores)


def fit_scope_rule(logits: npt.NDArray[np.float32], texts: EncodedTexts) -> ScopeRule:
    """Return the rule that `REFUSED_PERCENT` of these texts do not fit.

    Args:
        logits: [N, C], calibrated, of texts in scope that were not trained on.
        texts: The texts.
    """
    weight = choose_unknown_weight(logits, texts)
    scores = score_texts(logits, texts, weight)  # [N]
    return ScopeRule(choose_scope_threshold(scores), weight)


def choose_unknown_weight(
    logits: npt.NDArray[np.float32], texts: EncodedTexts
) -> float:
    """Return the weight of the share of unknown tokens in the score.

    With it, both parts of the score vary equally: their standard deviations over these
    texts are the same. No text out of scope is needed for that.

    Args:
        logits: [N, C], calibrated, of texts in scope that were not trained on.
        texts: The texts.
    """
    deviation = max(float(unknown_shares(texts).std()), MIN_SHARE_DEVIATION)
    return float(compute_energies(logits).std()) / deviation


def score_texts(
    logits: npt.NDArray[np.float32], texts: EncodedTexts, unknown_weight: float
) -> Floats:
    """Return how well texts fit the classes; those without a known word rank last.

    Args:
        logits: [N, C], calibrated.
        texts: The texts.
        unknown_weight: The weight of the share of unknown tokens.

    Returns:
        [N] float64, minus infinity for a text without a word that is known or has a
        vector of its character n-grams.
    """
    is_readable = token_shares(texts, texts.token_ids == UNK_ID) < 1  # [N]
    return compute_scores(logits, unknown_shares(texts), is_readable, unknown_weight)


def choose_scope_threshold(scores: Floats) -> float:
    """Return the threshold that `REFUSED_PERCENT` of these texts do not reach.

    It is halfway between two scores, so that rounding changes no decision about these
    texts. If there are too few texts to refuse one, it is just below their lowest
    score.

    Args:
        scores: [N], what `score_texts` returned, of texts in scope that were not
            trained on.
    """
    ranked = np.sort(scores)
    num_refused = len(scores) * REFUSED_PERCENT // 100
    num_unreadable = int(np.isneginf(ranked).sum())
    if num_unreadable == len(scores):
        return 0.0
    if num_refused <= num_unreadable:
        return float(ranked[num_unreadable]) - _MARGIN
    low, high = map(float, ranked[num_refused - 1 : num_refused + 1])
    return min((low + high) / 2, high - _MARGIN)  # the scores may be equal


def measure_fits(
    logits: npt.NDArray[np.float32], texts: EncodedTexts, rule: ScopeRule | None
) -> FitShare | None:
    """Return how many texts in scope fit one of the classes; None: there is no rule.

    Args:
        logits: [N, C], calibrated.
        texts: The texts.
        rule: From which score on a text fits; None: the run cannot tell.
    """
    if rule is None:
        return None
    scores = score_texts(logits, texts, rule.unknown_weight)  # [N]
    num_kept = _count_from(scores, rule.threshold)
    interval = wilson_interval(num_kept, len(scores))
    return FitShare(
        rule.threshold, rule.unknown_weight, num_kept / len(scores), interval
    )


def score_scope(
    inside: Floats,
    outside: Floats,
    threshold: float | None,
    is_correct: npt.NDArray[np.bool_],
) -> ScopeScores:
    """Compute how well scores tell texts in scope from texts out of scope.

    Args:
        inside: [N], what `score_texts` returned for texts in scope.
        outside: The same for texts out of scope.
        threshold: The threshold of the run; None: it has none.
        is_correct: [N], which texts in scope are classified correctly.
    """
    is_outside = np.repeat([False, True], [len(inside), len(outside)])  # [N]
    strangeness = -np.concatenate([inside, outside])  # [N]
    (intervals,) = bootstrap_ranking(is_outside[:, None], strangeness[:, None])
    correct = inside[is_correct]
    at_95 = _share(inside, outside, correct, choose_scope_threshold(inside))
    stored = None
    if threshold is not None:
        stored = _share(inside, outside, correct, threshold)
    return ScopeScores(
        num_rows=len(outside),
        auroc=compute_auroc(inside, outside),
        auroc_interval=intervals.auroc,
        at_95=at_95,
        stored=stored,
    )


def compute_auroc(high: Floats, low: Floats) -> float:
    """Return the share of pairs whose first score is higher; a tie counts as half.

    Args:
        high: The scores that should be higher.
        low: The scores that should be lower.
    """
    ranked = np.sort(low)
    num_lower = np.searchsorted(ranked, high, side="left")
    num_lower_or_tied = np.searchsorted(ranked, high, side="right")
    num_won = (num_lower + num_lower_or_tied) / 2
    return float(num_won.mean() / len(low))


def _share(
    inside: Floats, outside: Floats, correct: Floats, threshold: float
) -> ScopeShares:
    """Return what a threshold does with texts in scope and texts out of scope.

    Args:
        inside: The scores of the texts in scope.
        outside: The scores of the texts out of scope.
        correct: The scores of the texts in scope that are classified correctly.
        threshold: The threshold.
    """
    num_correct = _count_from(correct, threshold)
    num_kept = _count_from(inside, threshold)
    num_found = len(outside) - _count_from(outside, threshold)
    return ScopeShares(
        threshold,
        kept=num_kept / len(inside),
        kept_interval=wilson_interval(num_kept, len(inside)),
        accuracy=num_correct / len(inside),
        accuracy_interval=wilson_interval(num_correct, len(inside)),
        recall=num_found / len(outside),
        recall_interval=wilson_interval(num_found, len(outside)),
    )


def _count_from(scores: npt.NDArray[np.float64], threshold: float) -> int:
    return int((scores >= threshold).sum())
