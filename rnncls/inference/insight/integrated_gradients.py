"""Integrated Gradients: what each token of a text adds to a logit.

The method is that of Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep
networks". The path runs straight from a baseline, a text of as many `<unk>`, to the
text. It is cut into segments, and a segment is halved where the gradient at its middle
does not agree with the logits at its ends: the prediction for a long text may change
within a thousandth of the path.

Shapes: T tokens of the text, E embedding_dim, K segments or points of the path, B
points in a batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from rnncls.nn.classifier import TextClassifier
from rnncls.text.vocab import UNK_ID

MAX_RESIDUAL = 0.01
"""Largest accepted error of the contributions' sum, as a share of the difference
between the logits of the text and of the baseline."""
INITIAL_SEGMENTS = 64
"""Number of segments of equal width at the start."""
MAX_POINTS = 2048
"""No segment is halved once that many points of the path were evaluated."""
_POINTS_PER_BATCH = 64

PathGradients = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""`path_gradients` for one model, text and class: points to logits and slopes."""


@dataclass(frozen=True)
class Integral:
    """Integrated Gradients of one logit.

    Attributes:
        contributions: [T] float64, what each token adds to the logit.
        num_points: How many points of the path were evaluated.
        residual: The contributions' sum minus the difference between the two logits.
    """

    contributions: torch.Tensor
    num_points: int
    residual: float


@dataclass(frozen=True)
class _Segments:
    """K segments of a path, all float64 on the CPU.

    Attributes:
        starts: [K], the point at which each begins.
        widths: [K], its width.
        logits: [K], the logit at its start.
        rises: [K], the logit at its end minus that at its start.
        middle_logits: [K], the logit at its middle.
        contributions: [K, T], what each token adds to the logit within it, by the
            gradient at its middle.
    """

    starts: torch.Tensor
    widths: torch.Tensor
    logits: torch.Tensor
    rises: torch.Tensor
    middle_logits: torch.Tensor
    contributions: torch.Tensor

    def errors(self) -> torch.Tensor:
        """Return how much each segment's contributions miss its rise. [K]."""
        return (self.rises - self.contributions.sum(dim=1)).abs()

    def select(self, rows: torch.Tensor) -> "_Segments":
        """Return some of the segments."""
        return _Segments(
            self.starts[rows],
            self.widths[rows],
            self.logits[rows],
            self.rises[rows],
            self.middle_logits[rows],
            self.contributions[rows],
        )

    def joined(self, others: "_Segments") -> "_Segments":
        """Return these segments and others."""
        return _Segments(
            torch.cat([self.starts, others.starts]),
            torch.cat([self.widths, others.widths]),
            torch.cat([self.logits, others.logits]),
            torch.cat([self.rises, others.rises]),
            torch.cat([self.middle_logits, others.middle_logits]),
            torch.cat([self.contributions, others.contributions]),
        )


def integrate_gradients(
    model: TextClassifier,
    token_ids: torch.Tensor,
    target: int,
    *,
    max_residual: float = MAX_RESIDUAL,
    max_points: int = MAX_POINTS,
) -> Integral:
    """Compute what each token adds to a logit, from `<unk>` to its own vector.

    Args:
        model: The model, on any device, bound to the text.
        token_ids: [T] int64, of one text.
        target: The class.
        max_residual: Stop once the contributions add up to the difference of the logits
            within this share of it.
        max_points: Stop once that many points of the path were evaluated.
    """
    if not _compute_path(model, token_ids).any():
        # The text is its own baseline. Segments would be halved to the last, because
        # no rounding error of the logits is a small enough share of no difference.
        nothing = torch.zeros(len(token_ids), dtype=torch.float64)  # [T]
        return Integral(nothing, num_points=0, residual=0.0)
    evaluate = partial(path_gradients, model, token_ids, target)
    segments, difference = _initial_segments(evaluate)
    num_points = 2 * INITIAL_SEGMENTS + 1
    tolerance = max_residual * abs(difference)
    while True:
        contributions = segments.contributions.sum(dim=0)  # [T]
        total = contributions.sum().item()
        residual = total - difference
        is_exact = abs(residual) <= tolerance
        if is_exact or num_points >= max_points:
            return Integral(contributions, num_points, residual)
        segments, num_halved = _halve_worst(evaluate, segments, tolerance)
        num_points += 2 * num_halved


def _halve_worst(
    evaluate: PathGradients, segments: _Segments, tolerance: float
) -> tuple[_Segments, int]:
    """Halve the segments with the largest errors.

    Args:
        evaluate: The logits and slopes at points of the path.
        segments: K segments.
        tolerance: Largest accepted error of all segments together, as a logit.

    Returns:
        The new segments, and how many were halved.
    """
    errors = segments.errors()  # [K]
    is_large = errors > tolerance / (2 * len(errors))  # [K]
    num_halved = int(is_large.sum().clamp(1, INITIAL_SEGMENTS // 2))
    order = errors.argsort(descending=True, stable=True)  # [K]
    worst = segments.select(order[:num_halved])
    others = segments.select(order[num_halved:])
    return others.joined(_halve(evaluate, worst)), num_halved


def _initial_segments(evaluate: PathGradients) -> tuple[_Segments, float]:
    """Cut the path into equal segments; return these and the logits' difference."""
    num_edges = INITIAL_SEGMENTS + 1
    edges = torch.linspace(0, 1, num_edges, dtype=torch.float64)  # [K + 1]
    logits, _ = evaluate(edges)  # [K + 1]
    segments = _measure(
        evaluate,
        starts=edges[:-1],
        widths=edges.diff(),
        logits=logits[:-1],
        rises=logits.diff(),
    )
    first_logit = logits[0].item()
    last_logit = logits[-1].item()
    return segments, last_logit - first_logit


def _measure(
    evaluate: PathGradients,
    starts: torch.Tensor,
    widths: torch.Tensor,
    logits: torch.Tensor,
    rises: torch.Tensor,
) -> _Segments:
    """Evaluate the middle of each segment."""
    middle_logits, slopes = evaluate(starts + widths / 2)  # [K], [K, T]
    contributions = slopes * widths[:, None]  # [K, T]
    return _Segments(starts, widths, logits, rises, middle_logits, contributions)


def _halve(evaluate: PathGradients, segments: _Segments) -> _Segments:
    """Return the two halves of each segment."""
    half_widths = segments.widths / 2
    first_rises = segments.middle_logits - segments.logits
    return _measure(
        evaluate,
        starts=torch.cat([segments.starts, segments.starts + half_widths]),
        widths=torch.cat([half_widths, half_widths]),
        logits=torch.cat([segments.logits, segments.middle_logits]),
        rises=torch.cat([first_rises, segments.rises - first_rises]),
    )


def path_gradients(
    model: TextClassifier, token_ids: torch.Tensor, target: int, points: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a logit at points of the path, and each token's share of its slope there.

    Args:
        model: The model.
        token_ids: [T] int64, of the text at the end of the path.
        target: The class.
        points: [K] float64, from 0, where all words are `<unk>`, to 1.

    Returns:
        Logits [K] and slopes [K, T], float64 on the CPU.
    """
    path = _compute_path(model, token_ids)  # [T, E]
    ids = token_ids.to(path.device).long()
    all_logits, all_slopes = [], []
    for batch in torch.split(points.to(path), _POINTS_PER_BATCH):
        logits, slopes = _batch_gradients(model, ids, target, path, batch)
        all_logits.append(logits.cpu().double())
        all_slopes.append(slopes.cpu().double())
    return torch.cat(all_logits), torch.cat(all_slopes)


def _compute_path(model: TextClassifier, token_ids: torch.Tensor) -> torch.Tensor:
    """Return the path from the baseline's word vectors to the text's. [T] -> [T, E]."""
    embedding = model.embedding.weight.detach()
    ids = token_ids.to(embedding.device).long()
    path: torch.Tensor = model.embed(ids).detach() - embedding[UNK_ID]  # [T, E]
    return path


def _batch_gradients(
    model: TextClassifier,
    token_ids: torch.Tensor,
    target: int,
    path: torch.Tensor,
    points: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `path_gradients` does, in one forward and one backward pass.

    Args:
        model: The model.
        token_ids: [T] int64, on the model's device.
        target: The class.
        path: [T, E], from the baseline's word vectors to the text's.
        points: [B], of the path.

    Returns:
        Logits [B] and slopes [B, T], on the model's device.
    """
    num_points, num_tokens = len(points), len(token_ids)
    # From the text back to the point: at the end of the path, these are the vectors of
    # the text, without a rounding error.
    distance = points - 1  # [B]
    text_vectors = model.embed(token_ids).detach()  # [T, E]
    vectors = text_vectors + distance[:, None, None] * path  # [B, T, E]
    vectors.requires_grad_()
    rows = torch.arange(num_points * num_tokens, device=token_ids.device)
    lengths = token_ids.new_full((num_points,), num_tokens)  # [B]
    inputs, num_steps = model.embed_steps(
        rows.view(num_points, num_tokens),
        lengths,
        vectors.flatten(0, 1),
        is_ragged=False,
    )  # [steps, B, E], [B]
    logits = model.classify_steps(inputs, num_steps, is_ragged=False)  # [B, C]
    target_logits = logits[:, target]  # [B]
    total = target_logits.sum()  # []
    (gradient,) = torch.autograd.grad(total, vectors)  # [B, T, E]
    along_path = gradient * path  # [B, T, E]
    slopes = along_path.sum(dim=2)  # [B, T]
    return target_logits.detach(), slopes
