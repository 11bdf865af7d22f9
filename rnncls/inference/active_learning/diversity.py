"""Choose texts that are unlike each other, by their words or their states.

Shapes: N texts to choose from, M texts that are chosen already, C classes, S width of a
state, k texts to choose.
"""

import numpy as np
import torch

from rnncls.data.duplicates import find_near_pairs
from rnncls.text.tokenizer import TokenizedTexts


def order_near_copies_last(texts: TokenizedTexts) -> list[int]:
    """Return the order in which near copies of earlier texts follow all other texts.

    Near copies are found as `rnncls.data.duplicates` does: by runs of three tokens.

    Args:
        texts: N of them.

    Returns:
        N indices.
    """
    is_copy = np.zeros(len(texts.lengths), np.bool_)  # [N]
    for first, second in find_near_pairs(texts).tolist():
        if not is_copy[first]:
            is_copy[second] = True
    order: list[int] = np.argsort(is_copy, kind="stable").tolist()
    return order


def choose_centres(
    states: torch.Tensor, num_chosen: int, existing: torch.Tensor | None = None
) -> list[int]:
    """Return texts so that each other text is close to one of them.

    Each time, the text farthest from all chosen ones is added: the greedy algorithm for
    k centres (Gonzalez 1985), as in core-set selection (Sener and Savarese 2018).

    Args:
        states: [N, S].
        num_chosen: k, at most N.
        existing: [M, S], states of texts that need not be chosen again; None: there are
            none, and the first text is chosen first.

    Returns:
        k indices of texts, in the order in which they are chosen.
    """
    distances = torch.full((len(states),), torch.inf)  # [N]
    if existing is not None:
        distances = _measure_nearest(states, existing)
    chosen: list[int] = []
    for _ in range(num_chosen):
        index = int(distances.argmax())  # the first text while all are infinite
        chosen.append(index)
        step = (states - states[index]).norm(dim=1)  # [N]
        distances = torch.minimum(distances, step)
        distances[chosen] = -torch.inf  # copies of a state are not chosen twice
    return chosen


def _measure_nearest(states: torch.Tensor, existing: torch.Tensor) -> torch.Tensor:
    """Return the distance of each text to the nearest existing one. [N]."""
    parts = torch.split(states, 1024)
    nearest = [torch.cdist(part, existing).amin(dim=1) for part in parts]
    return torch.cat(nearest)  # [N]


def sample_gradients(
    states: torch.Tensor,
    errors: torch.Tensor,
    num_chosen: int,
    generator: torch.Generator,
) -> list[int]:
    """Draw texts whose gradients are large and unlike each other.

    This is BADGE (Ash et al. 2020): the gradient of the loss with respect to the last
    layer, if the prediction were true, is the outer product of the error [C] and the
    state [S]. It is long for uncertain texts. The texts are drawn as k-means++ draws
    its centres: with a probability proportional to the squared distance to the nearest
    one. The outer products are never built: their inner products are those of the
    errors and of the states, multiplied.

    Args:
        states: [N, S].
        errors: [N, C], what `compute_errors` returned.
        num_chosen: k, at most N.
        generator: Draws the texts.

    Returns:
        k indices of texts, in the order in which they are drawn.
    """
    norms = errors.square().sum(dim=1) * states.square().sum(dim=1)  # [N], squared
    chosen = [int(norms.argmax())]
    distances = torch.full_like(norms, torch.inf)  # [N], squared
    while len(chosen) < num_chosen:
        last = chosen[-1]
        products = (errors @ errors[last]) * (states @ states[last])  # [N]
        step = norms + norms[last] - 2 * products  # [N]
        distances = torch.minimum(distances, step.clamp_min(0))
        distances[chosen] = 0
        chosen.append(_draw(distances, chosen, generator))
    return chosen


def compute_errors(probs: torch.Tensor, *, has_several_labels: bool) -> torch.Tensor:
    """Return the probabilities minus the prediction as 1 and 0. [N, C] -> [N, C].

    For several labels a text, labels from a probability of 0.5 on are predicted.
    """
    if has_several_labels:
        return probs - (probs >= 0.5).float()
    predicted = torch.zeros_like(probs)  # [N, C]
    predicted.scatter_(1, probs.argmax(dim=1, keepdim=True), 1.0)
    return probs - predicted


def _draw(weights: torch.Tensor, chosen: list[int], generator: torch.Generator) -> int:
    """Draw an index by its weight; without any weight, the first one not chosen."""
    cumulative = weights.double().cumsum(dim=0)  # [N]
    total = float(cumulative[-1])
    if not total:
        return min(set(range(len(weights))) - set(chosen))
    draw = total * torch.rand(1, generator=generator, dtype=torch.float64)  # [1]
    index = int(torch.searchsorted(cumulative, draw, right=True))
    return min(index, len(weights) - 1)
