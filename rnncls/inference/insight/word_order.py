"""How much the order of words counts: rows read as written, reversed, sorted and
shuffled,
beside a bag of words.

A bag of words (the mean of the embeddings) cannot see order, nor can a network whose
words were shuffled or sorted. What the best of these three misses of the rows as
written is what order is worth on this data, as far as the network has learnt it: an
upper bound, for the network has not learnt to do without. It may be far better than a
bag of words for other reasons than order.

Shapes: N texts, M tokens in all of them, V words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import wilson_interval
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batching import EncodedTexts
from rnncls.text.vocab import Vocab

if TYPE_CHECKING:
    pass

NUM_RESAMPLES = 10_000
AS_WRITTEN, REVERSED, SORTED, SHUFFLED, BAG = (
    "as written",
    "reversed",
    "sorted",
    "shuffled",
    "bag of words",
)

Shares = npt.NDArray[np.float64]
"""[N], how much of each row is judged right: 0 or 1, or the share of several draws."""


@dataclass(frozen=True)
class Reading:
    """How the rows are judged when they are read in one way.

    Attributes:
        name: Of the way.
        accuracy: Mean share of the rows judged right.
        interval: Its 95 % interval (Wilson 1927), as if of one draw, which is the wider
            one.
        draws: The accuracy of each draw.
        loss: By how much the accuracy is below that of the rows as written.
        loss_interval: The 95 % interval of that, by resampling rows (Efron 1979).
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    draws: list[float]
    loss: float
    loss_interval: tuple[float, float]


def judge_orders(
    model: TextClassifier,
    split: EncodedSplit,
    vocab: Vocab,
    *,
    bag: Shares | None = None,
    num_draws: int,
    seed: int,
) -> list[Reading]:
    """Return how a model judges the rows of a split as written, reversed, sorted by the
    alphabet and shuffled.

    Args:
        model: The network.
        split: The rows.
        vocab: The words.
        bag: [N], which of the rows a bag of words judges right, to be compared too.
        num_draws: How often the words are shuffled.
        seed: Draws the orders.
    """
    generator = np.random.default_rng(seed)
    texts = split.texts
    written = is_right(model, split)
    ways = {
        REVERSED: [reverse_words(texts)],
        SORTED: [sort_words(texts, vocab)],
        SHUFFLED: [shuffle_words(texts, generator) for _ in range(num_draws)],
    }
    readings = [compare_reading(AS_WRITTEN, [written], written)]
    for name, found in ways.items():
        draws = [is_right(model, replace(split, texts=each)) for each in found]
        readings.append(compare_reading(name, draws, written))
    if bag is not None:
        readings.append(compare_reading(BAG, [bag], written))
    return readings


def is_right(model: TextClassifier, split: EncodedSplit) -> Shares:
    """Return 1 for each row that a model judges right, 0 for the others. [N]."""
    predictions = compute_logits(model, split.texts).argmax(dim=1).numpy()
    right: Shares = (predictions == split.labels).astype(np.float64)
    return right


def compare_reading(name: str, draws: Sequence[Shares], written: Shares) -> Reading:
    """Return the accuracy of one or several draws, and what it is below that of the
    rows as written.
    """
    mean = np.mean(draws, axis=0)
    accuracy = float(mean.mean())
    return Reading(
        name,
        accuracy,
        wilson_interval(float(mean.sum()), len(mean)),
        [float(draw.mean()) for draw in draws],
        float((written - mean).mean()),
        resample_mean(written - mean),
    )


def resample_mean(values: Shares) -> tuple[float, float]:
    """Return the 95 % interval of the mean of N values, from resamples of them
    (percentile
    bootstrap, Efron 1979).

    How often each distinct value falls into a resample is a multinomial draw, so no row
    is looked at twice.
    """
    distinct, counts = np.unique(values, return_counts=True)
    draws = np.random.default_rng(0).multinomial(
        len(values), counts / len(values), size=NUM_RESAMPLES
    )
    low, high = np.quantile(draws @ distinct / len(values), [0.025, 0.975])
    return float(low), float(high)


def reverse_words(texts: EncodedTexts) -> EncodedTexts:
    """Return the texts with their words from last to first."""
    return order_words(texts, -np.arange(texts.lengths.sum()))


def sort_words(texts: EncodedTexts, vocab: Vocab) -> EncodedTexts:
    """Return the texts with the words of each in the order of the alphabet; unknown
    ones stand where `<unk>` does.
    """
    ranks = np.empty(len(vocab), dtype=np.int64)
    ranks[np.argsort(np.array(vocab.words))] = np.arange(len(vocab))
    return order_words(texts, ranks[_flat_tokens(texts)])


def shuffle_words(texts: EncodedTexts, generator: np.random.Generator) -> EncodedTexts:
    """Return the texts with the words of each in an order drawn at random, each order
    as likely.
    """
    return order_words(texts, generator.random(texts.lengths.sum()))


def order_words(texts: EncodedTexts, keys: npt.NDArray[Any]) -> EncodedTexts:
    """Return the texts with the words of each sorted by a key. [M], text by text; equal
    keys keep their order.
    """
    owners = np.repeat(np.arange(len(texts)), texts.lengths)  # [M]
    order = np.lexsort((keys, owners))
    return EncodedTexts(
        _flat_tokens(texts)[order],
        texts.lengths,
        np.cumsum(texts.lengths) - texts.lengths,
    )


def _flat_tokens(texts: EncodedTexts) -> npt.NDArray[np.int32]:
    """Return the token ids of the texts, one text after the other. [M] int32."""
    begins = np.cumsum(texts.lengths) - texts.lengths  # [N]
    places = np.repeat(texts.starts - begins, texts.lengths) + np.arange(
        texts.lengths.sum()
    )  # [M]
    flat: npt.NDArray[np.int32] = texts.token_ids[places]
    return flat


def find_best_blind(readings: Sequence[Reading]) -> Reading:
    """Return the best of the readings that cannot see order."""
    return max(
        (each for each in readings if each.name in (SORTED, SHUFFLED, BAG)),
        key=lambda each: each.accuracy,
    )


def explain_order(readings: Sequence[Reading]) -> list[str]:
    """Return what the readings say, a sentence each: what order is worth, and how the
    bag of words does.
    """
    blind = find_best_blind(readings)
    bag = next(reading for reading in readings if reading.name == BAG)
    without = f"Without order {blind.accuracy:.1%} are judged right ({blind.name})"
    points, span = 100 * blind.loss, show_span(blind.loss_interval)
    if blind.loss_interval[0] > 0:
        worth = (
            f"{without}: order is worth {points:.1f} points here at the most ({span})."
        )
    elif blind.loss_interval[1] < 0:
        worth = (
            f"{without}, {-points:.1f} points more than with it ({span}): the run's use"
            " of order does harm."
        )
    else:
        worth = f"{without}: no worth of order shows, {points:+.1f} points ({span})."
    points, span = 100 * bag.loss, show_span(bag.loss_interval)
    return [
        worth,
        (
            f"The bag of words is {abs(points):.1f} points"
            f" {'below' if points >= 0 else 'above'} the run ({span})."
        ),
    ]


def show_span(interval: tuple[float, float]) -> str:
    """Return an interval of a difference in points."""
    low, high = interval
    return f"95 % interval {100 * low:.1f} to {100 * high:.1f}"
