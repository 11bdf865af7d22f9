"""Accuracy over a data set when only the first tokens of each text are read.

Shapes: N texts, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnncls.data.loading import EncodedSplit
from rnncls.data.splits import Labels
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.label_bootstrap import compute_f1
from rnncls.evaluation.metrics import wilson_interval
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.decisions import decide


@dataclass(frozen=True)
class AnytimePoint:
    """The accuracy when only the first tokens of each text are read.

    Attributes:
        num_tokens: Maximum number of tokens that are read.
        accuracy: Share of correctly classified texts; for several labels a text, of the
            texts whose labels are all right.
        accuracy_interval: Its 95% interval (Wilson 1927).
        share_whole: Share of the texts with no more tokens than that.
        micro_f1: Micro-F1 of the sets of labels; None: a text has one label.
        macro_f1: The same for macro-F1.
    """

    num_tokens: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    share_whole: float
    micro_f1: float | None = None
    macro_f1: float | None = None


def measure_anytime(
    model: TextClassifier,
    split: EncodedSplit,
    thresholds: Sequence[float] | None = None,
) -> list[AnytimePoint]:
    """Return the accuracy after 1, 2, 4, 8, … tokens, and for complete texts last.

    Args:
        model: The model.
        split: N texts and their labels.
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.
    """
    texts = split.texts
    predictions = np.empty_like(split.labels)  # [N], or [N, C]
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
        predictions[rows] = decide(logits, thresholds).numpy()
        points.append(_score(split, predictions, num_tokens))
        num_before = num_tokens
    return points


def _score(split: EncodedSplit, predictions: Labels, num_tokens: int) -> AnytimePoint:
    """Score predictions from the first tokens of each text. [N], or [N, C] bool."""
    num_texts = len(predictions)
    is_equal = (predictions == split.labels).reshape(num_texts, -1)  # [N, 1 or C]
    num_correct = int(is_equal.all(axis=1).sum())
    is_complete = split.texts.lengths <= num_tokens  # [N]
    point = AnytimePoint(
        num_tokens=num_tokens,
        accuracy=num_correct / num_texts,
        accuracy_interval=wilson_interval(num_correct, num_texts),
        share_whole=float(is_complete.mean()),
    )
    if predictions.ndim == 1:
        return point
    micro_f1, macro_f1 = compute_f1(split.labels, predictions)
    return replace(point, micro_f1=micro_f1, macro_f1=macro_f1)


def _double_up_to(longest: int) -> list[int]:
    """Return 1, 2, 4, 8, … below `longest`, and `longest` itself."""
    powers = range((longest - 1).bit_length())
    return [*(2**power for power in powers), longest]


ENOUGH = 0.95
"""The share of the final score that `describe_anytime` looks for."""


def describe_anytime(points: list[AnytimePoint]) -> str:
    """Summarise after how many tokens the score is close to the final one.

    The score is the accuracy; for several labels a text, micro-F1.
    """
    name, scores = "accuracy", [point.accuracy for point in points]
    micro_f1s = [point.micro_f1 for point in points if point.micro_f1 is not None]
    if micro_f1s:
        name, scores = "micro-F1", micro_f1s
    final = scores[-1]
    index = next(i for i, score in enumerate(scores) if score >= ENOUGH * final)
    first = points[index]
    tokens = f"{first.num_tokens} token{'' if first.num_tokens == 1 else 's'}"
    share = f"{first.share_whole:.0%}" if first.share_whole else "none"
    return (
        f"The {name} is {scores[index]:.2%} after {tokens}, against {final:.2%} for"
        f" complete texts; {share} of the texts end by then."
    )
