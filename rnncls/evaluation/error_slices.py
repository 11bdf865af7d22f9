"""Where a classifier goes wrong: accuracy over slices of the texts, and the mistakes
that
it is surest of.

Shapes: N texts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.metrics import wilson_interval
from rnncls.text.batching import EncodedTexts
from rnncls.text.vocab import UNK_ID

NUM_SLICES = 5
"""Slices of about equally many texts."""


@dataclass(frozen=True)
class Slice:
    """The texts with a value from `low` to `high`, both included.

    Attributes:
        low: The smallest value among them.
        high: The largest.
        num_rows: How many they are.
        accuracy: Share of them that are right.
        interval: Its 95 % interval (Wilson 1927).
    """

    low: float
    high: float
    num_rows: int
    accuracy: float
    interval: tuple[float, float]

    def describe(self, form: str) -> str:
        """Return the range as words, its ends written as in `form` (`{:.1%}`), or the
        one value that it is.
        """
        low, high = form.format(self.low), form.format(self.high)
        return low if low == high else f"{low} to {high}"


def find_slices(
    values: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]
) -> list[Slice]:
    """Return the accuracy over at most `NUM_SLICES` ranges of a value, cut at its
    quantiles, from two arrays [N].

    Texts of one value stay together, so that slices may differ in size, and be fewer.
    """
    edges = np.unique(np.quantile(values, np.arange(1, NUM_SLICES) / NUM_SLICES))
    places = np.searchsorted(edges, values, side="left")
    slices = []
    for place in np.unique(places):
        own, right = values[places == place], is_right[places == place]
        interval = wilson_interval(int(right.sum()), len(right))
        slices.append(
            Slice(
                float(own.min()),
                float(own.max()),
                len(own),
                float(right.mean()),
                interval,
            )
        )
    return slices


def unknown_shares(texts: EncodedTexts) -> npt.NDArray[np.float64]:
    """Return the share of each text's tokens that the vocabulary lacks. [N] in 0..1."""
    sums = np.concatenate([[0], np.cumsum(texts.token_ids == UNK_ID)])
    found: npt.NDArray[np.float64] = (
        sums[texts.starts + texts.lengths] - sums[texts.starts]
    ) / texts.lengths
    return found


def surest_mistakes(
    confidences: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_], limit: int
) -> npt.NDArray[np.int64]:
    """Return the numbers of at most `limit` texts judged wrong, the surest first, from
    two arrays [N].
    """
    wrong = np.flatnonzero(~is_right)
    return wrong[np.argsort(-confidences[wrong], kind="stable")][:limit]
