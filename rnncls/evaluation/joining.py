"""Join the network and the n-grams of a classifier, by what the validation rows say.

Both are multiplied by a factor and added up, and each class may get a bias. The network
and the biases are used only if the validation loss is lower with them. That loss is
cross-fitted, so what fits the validation rows alone is left out.

Shapes: N validation texts, C classes, P parts that are used.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rnncls.evaluation.calibration import fit_class_biases, fit_scales

_NUM_FOLDS = 5


@dataclass(frozen=True)
class Join:
    """How the logits of the parts are added up.

    Attributes:
        network_factor: The factor of the network; None: its logits are left out.
        ngram_factor: The factor of the n-grams.
        biases: [C] float32, what is added for each class; None: nothing is added.
        valid_logits: [N, C], those of the validation texts, each joined by numbers that
            are fitted to other texts. Their scores are not too optimistic.
    """

    network_factor: float | None
    ngram_factor: float
    biases: torch.Tensor | None
    valid_logits: torch.Tensor


@dataclass(frozen=True)
class _Candidate:
    """One way to join the parts, with its cross-fitted logits.

    Attributes:
        parts: [P, N, C], the logits of the parts that are used.
        has_biases: Whether the classes get biases.
        logits: [N, C], each row joined by numbers that are fitted to other rows.
    """

    parts: torch.Tensor
    has_biases: bool
    logits: torch.Tensor


def fit_join(
    network: torch.Tensor | None,
    ngrams: torch.Tensor,
    labels: torch.Tensor,
    *,
    may_add_biases: bool,
) -> Join:
    """Fit the factors and the biases that have the lowest cross-fitted loss.

    Args:
        network: [N, C], the logits of the network; None: there is no network.
        ngrams: [N, C], the logits of the n-gram part.
        labels: [N] int64; for several labels a text [N, C] bool.
        may_add_biases: Whether the classes may get biases.
    """
    choices = [ngrams[None]]
    if network is not None:
        choices.append(torch.stack([network, ngrams]))
    candidates = []
    for parts in choices:
        plain, biased = cross_fit(parts, labels, may_add_biases=may_add_biases)
        candidates.append(_Candidate(parts, has_biases=False, logits=plain))
        if biased is not None:
            candidates.append(_Candidate(parts, has_biases=True, logits=biased))
    best = min(candidates, key=lambda candidate: compute_loss(candidate.logits, labels))
    factors = fit_scales(best.parts, labels)
    network_factor = factors[0] if len(factors) > 1 else None
    biases: torch.Tensor | None = None
    if best.has_biases:
        biases = fit_class_biases(_add_up(best.parts, factors), labels)  # [C]
    return Join(network_factor, factors[-1], biases, best.logits)


def compute_loss(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the mean loss of logits [N, C] for classes [N] or label sets [N, C]."""
    if labels.ndim > 1:
        return F.binary_cross_entropy_with_logits(logits, labels.float()).item()
    return F.cross_entropy(logits, labels).item()


def cross_fit(
    parts: torch.Tensor, labels: torch.Tensor, *, may_add_biases: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the logits of the parts together, each row with factors of other rows.

    Args:
        parts: [P, N, C], the logits of the parts.
        labels: [N] int64; for several labels a text [N, C] bool.
        may_add_biases: Whether the classes may get biases.

    Returns:
        [N, C] without biases, and [N, C] with biases or None.
    """
    plain = torch.empty_like(parts[0])  # [N, C]
    biased = torch.empty_like(plain) if may_add_biases else None  # [N, C]
    fold_of = torch.arange(len(labels)) % _NUM_FOLDS  # [N]
    for fold in range(min(_NUM_FOLDS, len(labels))):
        is_held_out = fold_of == fold  # [N]
        others = parts[:, ~is_held_out]  # [P, n, C]
        other_labels = labels[~is_held_out]  # [n], or [n, C]
        factors = fit_scales(others, other_labels)
        joined = _add_up(parts[:, is_held_out], factors)  # [N - n, C]
        plain[is_held_out] = joined
        if biased is not None:
            biases = fit_class_biases(_add_up(others, factors), other_labels)  # [C]
            biased[is_held_out] = joined + biases
    return plain, biased


def _add_up(parts: torch.Tensor, factors: list[float]) -> torch.Tensor:
    """Return the sum of the parts [P, N, C], each multiplied by its factor. [N, C]."""
    weights = torch.tensor(factors)[:, None, None]  # [P, 1, 1]
    return (weights * parts).sum(dim=0)
