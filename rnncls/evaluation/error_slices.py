"""Error analysis: accuracy over slices of the texts, and the most confident errors.

Shapes: N texts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.metrics import wilson_interval
from rnncls.text.encoded_texts import EncodedTexts

NUM_SLICES = 5
"""Maximum number of slices; they are about equally large."""


@dataclass(frozen=True)
class Slice:
    """The texts with a value from `low` to `high`, both included.

    Attributes:
        low: The smallest value.
        high: The largest value.
        num_rows: Number of texts.
        accuracy: The share of them that is classified correctly.
        interval: Its 95% interval (Wilson 1927).
    """

    low: float
    high: float
    num_rows: int
    accuracy: float
    interval: tuple[float, float]

    def describe(self, form: str) -> str:
        """Return the range as "low to high", or one value if both look the same.

        Args:
            form: How to format a value, such as `{:.1%}`.
        """
        low, high = form.format(self.low), form.format(self.high)
        return low if low == high else f"{low} to {high}"


def compute_slices(
    values: npt.NDArray[np.float64], is_correct: npt.NDArray[np.bool_]
) -> list[Slice]:
    """Return the accuracy over ranges of a value, cut at its quantiles.

    Texts with the same value stay in one slice, so slices may differ in size, and there
    may be fewer than `NUM_SLICES`.

    Args:
        values: [N], what to slice by.
        is_correct: [N], whether each text is classified correctly.
    """
    edges = np.unique(np.quantile(values, np.arange(1, NUM_SLICES) / NUM_SLICES))
    slice_ids = np.searchsorted(edges, values, side="left")
    return [
        _slice_of(values[slice_ids == slice_id], is_correct[slice_ids == slice_id])
        for slice_id in np.unique(slice_ids)
    ]


def _slice_of(
    values: npt.NDArray[np.float64], is_correct: npt.NDArray[np.bool_]
) -> Slice:
    return Slice(
        low=float(values.min()),
        high=float(values.max()),
        num_rows=len(values),
        accuracy=float(is_correct.mean()),
        interval=wilson_interval(int(is_correct.sum()), len(values)),
    )


def unknown_shares(texts: EncodedTexts) -> npt.NDArray[np.float64]:
    """Return the share of each text's tokens outside the vocabulary. [N] in 0..1."""
    return token_shares(texts, texts.is_unknown())


def token_shares(
    texts: EncodedTexts, is_counted: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the share of each text's tokens that are counted. [N] in 0..1.

    Args:
        texts: N texts of M tokens in all.
        is_counted: [M].
    """
    num_counted_before = np.concatenate([[0], np.cumsum(is_counted)])
    ends = texts.starts + texts.lengths
    num_counted = num_counted_before[ends] - num_counted_before[texts.starts]
    shares: npt.NDArray[np.float64] = num_counted / texts.lengths
    return shares


def most_confident_errors(
    confidences: npt.NDArray[np.float64], is_correct: npt.NDArray[np.bool_], limit: int
) -> npt.NDArray[np.int64]:
    """Return the indices of at most `limit` errors, the most confident first.

    Args:
        confidences: [N], the probability of each predicted label.
        is_correct: [N], whether it is the true label.
        limit: The largest number of indices.
    """
    errors = np.flatnonzero(~is_correct)
    order = np.argsort(-confidences[errors], kind="stable")
    return errors[order][:limit]
