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
    best_loss, best = float("inf"), (choices[0], False, ngrams)
    for parts in choices:
        for has_biases in (False, True) if may_add_biases else (False,):
            joined = cross_fit(parts, labels, has_biases=has_biases)  # [N, C]
            loss = compute_loss(joined, labels)
            if loss < best_loss:
                best_loss, best = loss, (parts, has_biases, joined)
    parts, has_biases, joined = best
    factors, biases = _fit(parts, labels, has_biases=has_biases)
    network_factor = factors[0] if len(parts) > 1 else None
    return Join(network_factor, factors[-1], biases, joined)


def compute_loss(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the mean loss of logits [N, C] for classes [N] or label sets [N, C]."""
    if labels.ndim > 1:
        return F.binary_cross_entropy_with_logits(logits, labels.float()).item()
    return F.cross_entropy(logits, labels).item()


def cross_fit(
    parts: torch.Tensor, labels: torch.Tensor, *, has_biases: bool
) -> torch.Tensor:
    """Return the logits of the parts together, each row with factors of other rows.

    Args:
        parts: [P, N, C], the logits of the parts.
        labels: [N] int64; for several labels a text [N, C] bool.
        has_biases: Whether to add the biases of the classes.

    Returns:
        [N, C].
    """
    together = torch.empty_like(parts[0])  # [N, C]
    fold_of = torch.arange(len(labels)) % _NUM_FOLDS  # [N]
    for fold in range(min(_NUM_FOLDS, len(labels))):
        is_held_out = fold_of == fold  # [N]
        others = parts[:, ~is_held_out]  # [P, n, C]
        factors, biases = _fit(others, labels[~is_held_out], has_biases=has_biases)
        joined = _add_up(parts[:, is_held_out], factors)
        together[is_held_out] = joined if biases is None else joined + biases
    return together


def _fit(
    parts: torch.Tensor, labels: torch.Tensor, *, has_biases: bool
) -> tuple[list[float], torch.Tensor | None]:
    """Return the factors of the parts [P, N, C], and the biases [C] if wanted."""
    factors = fit_scales(parts, labels)
    if not has_biases:
        return factors, None
    return factors, fit_class_biases(_add_up(parts, factors), labels)


def _add_up(parts: torch.Tensor, factors: list[float]) -> torch.Tensor:
    """Return the sum of the parts [P, N, C], each multiplied by its factor. [N, C]."""
    weights = torch.tensor(factors)[:, None, None]  # [P, 1, 1]
    return (weights * parts).sum(dim=0)
