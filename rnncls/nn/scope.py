"""Whether a text fits one of the classes, or none of them. Does not import torch.

The score of a text is the logarithm of the summed exponentials of its logits, the
negative free energy (Liu et al. 2020, https://arxiv.org/abs/2010.03759), minus a weight
times the share of its tokens that the vocabulary lacks. The first is low if no class
has a high logit; a probability only compares the classes with each other. The second is
high for texts about something else, of which few words occur in the training texts.

Shapes: N texts, C classes.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Logits = npt.NDArray[np.floating[Any]]


class ScopeRule(NamedTuple):
    """From which score on a text fits one of the classes.

    Attributes:
        threshold: The lowest score of a text that fits.
        unknown_weight: The weight of the share of unknown tokens in the score.
    """

    threshold: float
    unknown_weight: float


def compute_energies(logits: Logits) -> Floats:
    """Return the logarithm of the summed exponentials of logits. [..., C] -> [...]."""
    wide = logits.astype(np.float64)  # [..., C]
    largest = wide.max(axis=-1)  # [...]
    sums = np.exp(wide - largest[..., None]).sum(axis=-1)  # [...]
    energies: Floats = largest + np.log(sums)
    return energies


def compute_scores(
    logits: Logits, unknown_shares: Floats, is_readable: Bools, unknown_weight: float
) -> Floats:
    """Return how well texts fit the classes. [N] float64.

    A text without a known word has the score minus infinity: its logits say nothing
    about its words.

    Args:
        logits: [N, C], calibrated.
        unknown_shares: [N], the share of each text's tokens that are unknown.
        is_readable: [N], which texts have a token with a vector of its own.
        unknown_weight: The weight of the share of unknown tokens.
    """
    scores = compute_energies(logits) - unknown_weight * unknown_shares  # [N]
    return np.where(is_readable, scores, -np.inf)


def find_fitting(
    logits: Logits, counts: Ints, rule: ScopeRule, *, reads_unknown: bool
) -> Bools:
    """Return which texts fit one of the classes. [N] bool.

    A text without a known word fits none.

    Args:
        logits: [N, C], calibrated.
        counts: [N, 3], what `count_tokens` returned.
        rule: From which score on a text fits.
        reads_unknown: Whether unknown words have vectors, of their character n-grams.
    """
    num_tokens, num_unknown = counts[:, 0], counts[:, 1]  # [N], [N]
    unknown_shares = num_unknown / np.maximum(num_tokens, 1)  # [N]
    is_readable = num_tokens > (0 if reads_unknown else num_unknown)  # [N]
    weight = rule.unknown_weight
    scores = compute_scores(logits, unknown_shares, is_readable, weight)  # [N]
    is_fitting: Bools = scores >= rule.threshold
    return is_fitting
