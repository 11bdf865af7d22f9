"""Accuracy over a data set when only the first tokens of each text are read.

Shapes: N texts, C classes.
"""

from dataclasses import dataclass, replace

import numpy as np

from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import wilson_interval
from rnncls.nn.classifier import TextClassifier


@dataclass(frozen=True)
class AnytimePoint:
    """The accuracy when only the first tokens of each text are read.

    Attributes:
        num_tokens: Maximum number of tokens that are read.
        accuracy: Share of correctly classified texts.
        accuracy_interval: Its 95% interval (Wilson 1927).
        share_whole: Share of the texts with no more tokens than that.
    """

    num_tokens: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    share_whole: float


def measure_anytime(model: TextClassifier, split: EncodedSplit) -> list[AnytimePoint]:
    """Return the accuracy after 1, 2, 4, 8, … tokens, and for complete texts last."""
    texts = split.texts
    num_texts = len(texts)
    predictions = np.empty(num_texts, np.int64)
    points = []
    num_before = 0
    longest = int(texts.lengths.max())
    for num_tokens in _double_up_to(longest):
        # The other texts were complete at the previous point.
        rows = np.flatnonzero(texts.lengths > num_before)
        longer = texts.select(rows)
        lengths = np.minimum(longer.lengths, num_tokens)
        cut = replace(longer, lengths=lengths)
        logits = compute_logits(model, cut)  # [len(rows), C]
        predictions[rows] = logits.argmax(dim=1).numpy()
        is_correct = predictions == split.labels  # [N]
        num_correct = int(is_correct.sum())
        is_complete = texts.lengths <= num_tokens
        point = AnytimePoint(
            num_tokens=num_tokens,
            accuracy=num_correct / num_texts,
            accuracy_interval=wilson_interval(num_correct, num_texts),
            share_whole=float(is_complete.mean()),
        )
        points.append(point)
        num_before = num_tokens
    return points


def _double_up_to(longest: int) -> list[int]:
    """Return 1, 2, 4, 8, … below `longest`, and `longest` itself."""
    powers = range((longest - 1).bit_length())
    return [*(2**power for power in powers), longest]


ENOUGH = 0.95
"""The share of the final accuracy that `describe_anytime` looks for."""


def describe_anytime(points: list[AnytimePoint]) -> str:
    """Summarise after how many tokens the accuracy is close to the final one."""
    final = points[-1].accuracy
    first = next(point for point in points if point.accuracy >= ENOUGH * final)
    tokens = f"{first.num_tokens} token{'' if first.num_tokens == 1 else 's'}"
    share = f"{first.share_whole:.0%}" if first.share_whole else "none"
    return (
        f"The accuracy is {first.accuracy:.2%} after {tokens}, against {final:.2%} for"
        f" complete texts; {share} of the texts end by then."
    )
