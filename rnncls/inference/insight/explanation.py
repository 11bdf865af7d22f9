"""Why a model says what it says of a text: what each of its tokens adds to the logit of
a
class.

Two opinions that stand on different ground: Integrated Gradients (Sundararajan, Taly
and Yan 2017, "Axiomatic attribution for deep networks"), which share out the whole
difference to a text without any known word, and occlusion, which takes one word away at
a time. Dropout is off and one text has no padding, so both are the same each time.

Shapes: T tokens of the text, E embedding_dim, K pieces of the path, B points at once, C
classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
import torch

from rnncls import ConfigError
from rnncls.evaluation.evaluator import compute_attention, compute_logits
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import EncodedTexts, encode_text
from rnncls.text.vocab import UNK_ID

MAX_RESIDUAL = 0.01
"""The largest share of the logit difference by which the contributions may miss it."""
FIRST_PIECES, MOST_POINTS = 64, 2048
"""Equal pieces that the path is cut into at first, and how many points of it are looked
at at the most."""
_POINTS_AT_ONCE = 64
Climb = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""`climb` with all but the places on the path given."""


@dataclass(frozen=True)
class TokenOpinion:
    """What one token does to the logit of the class that is explained.

    Attributes:
        token: The token.
        is_known: Whether the vocabulary has it; the model reads all others as `<unk>`.
        contribution: What it adds, by Integrated Gradients.
        occlusion: What the logit loses when `<unk>` stands in its place.
        attention: The share of it that attention pooling takes in; None for a model
            without.
    """

    token: str
    is_known: bool
    contribution: float
    occlusion: float
    attention: float | None


@dataclass(frozen=True)
class Explanation:
    """Why a text gets the logit of one class.

    Attributes:
        text: The text as it was given.
        probs: Label → probability, in the order of the run's labels.
        label: The class that is explained.
        logit: Its logit.
        baseline_logit: That of the baseline, a text of as many `<unk>`.
        tokens: One entry a token.
        num_points: Points of the path from the baseline to the text that were looked
            at.
        residual: The contributions' sum less the difference of the two logits.
    """

    text: str
    probs: dict[str, float]
    label: str
    logit: float
    baseline_logit: float
    tokens: list[TokenOpinion]
    num_points: int
    residual: float

    @property
    def prediction(self) -> str:
        """The most probable label."""
        return max(self.probs, key=self.probs.__getitem__)

    @property
    def difference(self) -> float:
        """What the words, all together, add to the logit."""
        return self.logit - self.baseline_logit

    @property
    def is_complete(self) -> bool:
        """Whether the contributions add up to that difference within `MAX_RESIDUAL` of
        it.
        """
        return abs(self.residual) <= MAX_RESIDUAL * abs(self.difference)

    def strongest(self, count: int) -> list[int]:
        """Return the places of the tokens that contribute most, for or against, the
        strongest first.
        """
        return sorted(
            range(len(self.tokens)),
            key=lambda place: -abs(self.tokens[place].contribution),
        )[:count]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries and numbers."""
        found = {
            "prediction": self.prediction,
            "difference": self.difference,
            "is_complete": self.is_complete,
        }
        return asdict(self) | found | {"baseline": "<unk>", "meaning": self.meaning()}

    def meaning(self) -> str:
        """Return in two sentences what the figures say."""
        shares = [each.contribution for each in self.tokens]
        added, taken = (
            sum(max(share, 0.0) for share in shares),
            sum(min(share, 0.0) for share in shares),
        )
        close = "" if self.is_complete else ", too far to be trusted"
        return (
            f"Words for {self.label} add {added:.2f} to its logit and words against it"
            f" take {-taken:.2f}, from {self.baseline_logit:.2f} for as many unknown"
            f" words to {self.logit:.2f}. The contributions miss the difference by"
            f" {self.residual:+.4f} ({self._share_missed():.2%}{close};"
            f" {self.num_points} points)."
        )

    def _share_missed(self) -> float:
        return (
            abs(self.residual) / abs(self.difference)
            if self.difference
            else float(self.residual != 0)
        )


@dataclass(frozen=True)
class Integral:
    """Integrated Gradients of one logit: [T] float64, the points taken, and the sum
    less the logits' difference.
    """

    contributions: torch.Tensor
    num_points: int
    residual: float


def explain(classifier: Classifier, text: str, label: str | None = None) -> Explanation:
    """Return what each token of a text adds to the logit of a label, or of the one that
    is
    predicted.

    The run's model computes on the device that it is on.

    Raises:
        ConfigError: The run has no such label.
    """
    tokens, encoded = encode_text(text, classifier.text, classifier.vocab)
    ids = encoded.token_ids
    baseline = EncodedTexts(np.full_like(ids, UNK_ID), encoded.lengths, encoded.starts)
    logits = compute_logits(classifier.model, encoded)[0]  # [C]
    target = (
        int(logits.argmax())
        if label is None
        else find_label(label, classifier.label_names)
    )
    logit, baseline_logit = (
        float(logits[target]),
        float(compute_logits(classifier.model, baseline)[0, target]),
    )
    integral = integrate_gradients(classifier.model, torch.from_numpy(ids), target)
    losses = logit - occlude(classifier.model, encoded)[:, target]  # [T]
    attention = (
        compute_attention(classifier.model, encoded)[0]
        if classifier.model.has_attention
        else [None] * len(tokens)
    )
    known = (ids != UNK_ID).tolist()
    columns = (
        tokens,
        known,
        integral.contributions.tolist(),
        losses.tolist(),
        attention,
    )
    opinions = [TokenOpinion(*row) for row in zip(*columns, strict=True)]
    probs = dict(
        zip(classifier.label_names, logits.softmax(dim=0).tolist(), strict=True)
    )
    name = classifier.label_names[target]
    residual = integral.contributions.sum().item() - (logit - baseline_logit)
    return Explanation(
        text,
        probs,
        name,
        logit,
        baseline_logit,
        opinions,
        integral.num_points,
        residual,
    )


def find_label(label: str, label_names: Sequence[str]) -> int:
    """Return the number of a label.

    Raises:
        ConfigError: There is none of that name.
    """
    if label in label_names:
        return list(label_names).index(label)
    near = get_close_matches(label, label_names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ConfigError(
        f"--label: the run has no label '{label}', only {', '.join(label_names)}{hint}"
    )


def integrate_gradients(
    model: TextClassifier, token_ids: torch.Tensor, target: int
) -> Integral:
    """Return what each token adds to a logit on the straight path from `<unk>`'s vector
    to
    its own.

    The gradient is taken in the middle of each piece of the path. How much the logit
    really rises over a piece is known from its ends, and one in which the gradient
    tells otherwise is halved: a long text may turn from one verdict to another within a
    thousandth of the path. It ends once the contributions add up to the difference of
    the logits within `MAX_RESIDUAL` of it, or after `MOST_POINTS`.

    Args:
        model: The model, on any device.
        token_ids: [T] int64, of one text.
        target: The class.
    """
    climb_to = partial(climb, model, token_ids, target)
    edges = torch.linspace(0, 1, FIRST_PIECES + 1, dtype=torch.float64)
    heights, _ = climb_to(edges)  # [K + 1]
    difference = (heights[-1] - heights[0]).item()
    pieces = _measure(climb_to, edges[:-1], edges.diff(), heights[:-1], heights.diff())
    num_points = len(edges) + FIRST_PIECES
    while True:
        contributions = pieces.shares.sum(dim=0)  # [T]
        residual = contributions.sum().item() - difference
        if abs(residual) <= MAX_RESIDUAL * abs(difference) or num_points >= MOST_POINTS:
            return Integral(contributions, num_points, residual)
        errors = (pieces.rises - pieces.shares.sum(dim=1)).abs()  # [K]
        order = errors.argsort(descending=True, stable=True)
        count = int(
            (errors > MAX_RESIDUAL * abs(difference) / (2 * len(errors)))
            .sum()
            .clamp(1, FIRST_PIECES // 2)
        )
        halves = _halve(climb_to, pieces.of(order[:count]))
        pieces = pieces.of(order[count:]).with_more(halves)
        num_points += 2 * count


@dataclass(frozen=True)
class _Pieces:
    """K pieces of a path, all float64 on the CPU.

    Attributes:
        starts, widths: [K], where each begins, and how long it is. lows, rises: [K],
        the logit at its beginning, and how much higher it is at its end. middles: [K],
        the logit in its middle. shares: [K, T], what each token adds to the logit
        within it, by the gradient in its middle.
    """

    starts: torch.Tensor
    widths: torch.Tensor
    lows: torch.Tensor
    rises: torch.Tensor
    middles: torch.Tensor
    shares: torch.Tensor

    def of(self, places: torch.Tensor) -> "_Pieces":
        """Return some of the pieces."""
        return _Pieces(*(getattr(self, each.name)[places] for each in fields(self)))

    def with_more(self, others: "_Pieces") -> "_Pieces":
        """Return these pieces and others."""
        return _Pieces(
            *(
                torch.cat([getattr(self, each.name), getattr(others, each.name)])
                for each in fields(self)
            )
        )


def _measure(
    climb_to: Climb,
    starts: torch.Tensor,
    widths: torch.Tensor,
    lows: torch.Tensor,
    rises: torch.Tensor,
) -> _Pieces:
    middles, slopes = climb_to(starts + widths / 2)  # [K], [K, T]
    return _Pieces(starts, widths, lows, rises, middles, slopes * widths[:, None])


def _halve(climb_to: Climb, pieces: _Pieces) -> _Pieces:
    """Return the two halves of each piece."""
    half, first_rises = pieces.widths / 2, pieces.middles - pieces.lows
    return _measure(
        climb_to,
        starts=torch.cat([pieces.starts, pieces.starts + half]),
        widths=torch.cat([half, half]),
        lows=torch.cat([pieces.lows, pieces.middles]),
        rises=torch.cat([first_rises, pieces.rises - first_rises]),
    )


def climb(
    model: TextClassifier, token_ids: torch.Tensor, target: int, places: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a logit at places of the path, and how fast each token makes it rise
    there.

    Args:
        model: The model.
        token_ids: [T] int64, of the text at the path's end.
        target: The class.
        places: [K] float64, from 0, where all words are `<unk>`, to 1.

    Returns:
        [K] and [K, T], float64 on the CPU.
    """
    vectors = model.embedding.weight.detach()
    ids = token_ids.to(vectors.device).long()
    path = (vectors[ids] - vectors[UNK_ID])[:, None]  # [T, 1, E]
    logits, slopes = [], []
    for part in torch.split(places.to(vectors), _POINTS_AT_ONCE):
        shift = ((part - 1)[:, None] * path).requires_grad_()  # [T, B, E]
        lengths = torch.full((len(part),), len(ids), device=ids.device)
        found = model(ids.expand(len(part), -1), lengths, is_ragged=False, shift=shift)[
            :, target
        ]  # [B]
        (gradient,) = torch.autograd.grad(found.sum(), shift)  # [T, B, E]
        logits.append(found.detach().cpu().double())
        slopes.append((gradient * path).sum(dim=2).t().cpu().double())  # [B, T]
    return torch.cat(logits), torch.cat(slopes)


def occlude(model: TextClassifier, text: EncodedTexts) -> torch.Tensor:
    """Return the logits of one text with `<unk>` in the place of each of its tokens in
    turn. [T, C] float32.
    """
    num_tokens = len(text.token_ids)
    variants = np.tile(text.token_ids, (num_tokens, 1))  # [T, T]
    np.fill_diagonal(variants, UNK_ID)
    starts = np.arange(num_tokens) * num_tokens
    return compute_logits(
        model, EncodedTexts(variants.ravel(), np.full(num_tokens, num_tokens), starts)
    )
