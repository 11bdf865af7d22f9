"""The table of the n-gram part of a classifier, and its compact form on disk.

On disk each n-gram has a few 16-bit weights, of the classes for which it says most.
If a text has one class, the others are equal, and the weights of an n-gram add up to
zero: adding a number to all logits of a text does not change a probability. If it may
have several labels, each decided on its own, the others are 0.

Shapes: K n-grams, C classes, Z stored weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.text.ngram_hash import MASK

PREFIX = "ngrams."
"""What the names of the arrays begin with."""
_IS_CENTRED = "is_centred"
MAX_BYTES = 2_000_000
"""The size of the arrays on disk is at most this, if the classes are at most 255."""
_BYTES_PER_NGRAM = 7
_BYTES_PER_WEIGHT = 3

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NgramTable:
    """The fitted n-grams.

    Attributes:
        max_size: The number of tokens of the longest n-grams.
        keys: [K] int64, ascending; see `rnncls.text.ngram_hash`.
        weights: [K, C] float32, what each n-gram adds to the logits before the division
            by the norm.
        squares: [K] float32, what each n-gram adds to the square of the norm.
        bias: [C] float32.
        scale: The n-gram part's logits are multiplied by it before they are added to
            those of the network.
        is_alone: Whether the network's logits are left out.
        is_centred: Whether the weights of each n-gram add up to zero; false for
            several labels a text.
    """

    max_size: int
    keys: Ints
    weights: Floats
    squares: Floats
    bias: Floats
    scale: float = 1.0
    is_alone: bool = False
    is_centred: bool = True


def count_ngrams_that_fit(num_classes: int) -> int:
    """Return for how many n-grams there is room, with about six weights each."""
    weights_each = min(num_classes - 1, 6)
    return MAX_BYTES // (_BYTES_PER_NGRAM + _BYTES_PER_WEIGHT * weights_each)


def pack_table(table: NgramTable, importances: Floats) -> dict[str, Array]:
    """Return the arrays of a table by their names in the weights file.

    The least important weights are left out if there is no room for all.

    Args:
        table: The fitted table.
        importances: [K], by which the weights of each n-gram are multiplied to compare
            them with those of others.
    """
    num_ngrams, num_classes = table.weights.shape
    index_type = np.uint8 if num_classes <= np.iinfo(np.uint8).max else np.int16
    weights = table.weights  # [K, C]
    if table.is_centred:
        weights = subtract_middle(weights)
    room = (MAX_BYTES - _BYTES_PER_NGRAM * num_ngrams) // _BYTES_PER_WEIGHT
    ranks = np.abs(weights) * importances[:, None]  # [K, C]
    if np.count_nonzero(ranks) > room:
        threshold = np.partition(ranks.ravel(), -room)[-room]
        weights = np.where(ranks >= threshold, weights, 0)
    is_stored = weights != 0  # [K, C]
    arrays = {
        "keys": table.keys.astype(np.uint32).view(np.int32),
        "squares": table.squares.astype(np.float16),
        "counts": is_stored.sum(axis=1).astype(index_type),
        "classes": np.nonzero(is_stored)[1].astype(index_type),
        "values": weights[is_stored].astype(np.float16),
        "bias": table.bias.astype(np.float32),
        "max_size": np.array(table.max_size, dtype=np.int64),
        "scale": np.array(table.scale, dtype=np.float64),
        "is_alone": np.array(table.is_alone, dtype=np.uint8),
    }
    if not table.is_centred:  # runs of earlier versions do not have it
        arrays[_IS_CENTRED] = np.array(0, dtype=np.uint8)
    return {PREFIX + name: array for name, array in arrays.items()}


def subtract_middle(weights: Floats) -> Floats:
    """Make one weight of each n-gram zero, that of the class in the middle.

    For the weights of a table that `unpack_table` returned, these are the 16-bit
    numbers that are stored. [K, C] -> [K, C].
    """
    num_classes = weights.shape[1]
    middle = np.sort(weights, axis=1)[:, (num_classes - 1) // 2]  # [K]
    differences: Floats = weights - middle[:, None]  # [K, C]
    return differences


def unpack_table(arrays: Mapping[str, Array]) -> NgramTable:
    """Return the table that `pack_table` packed.

    Raises:
        ValueError: An array is missing, or they do not fit together.
    """
    try:
        keys, squares, counts, classes, values, bias = (
            np.asarray(arrays[PREFIX + name])
            for name in ("keys", "squares", "counts", "classes", "values", "bias")
        )
        max_size, scale, is_alone = (
            arrays[PREFIX + name].item() for name in ("max_size", "scale", "is_alone")
        )
    except KeyError as error:
        raise ValueError(f"the array {error.args[0]} is missing") from error
    is_centred = bool(arrays.get(PREFIX + _IS_CENTRED, np.array(1)).item())
    num_stored = counts.astype(np.int64)
    has_sizes = len(keys) == len(squares) == len(counts)
    if not has_sizes or not num_stored.sum() == len(classes) == len(values):
        raise ValueError("the arrays of the n-grams do not fit together")
    if len(classes) and not 0 <= classes.min() <= classes.max() < len(bias):
        raise ValueError("an n-gram has a weight for a class that does not exist")
    rows = np.repeat(np.arange(len(keys)), num_stored)  # [Z]
    weights = np.zeros((len(keys), len(bias)), np.float32)  # [K, C]
    weights[rows, classes.astype(np.int64)] = values
    if is_centred:
        weights = weights - weights.mean(axis=1, keepdims=True)
    return NgramTable(
        max_size=int(max_size),
        keys=keys.astype(np.int64) & MASK,
        weights=weights,
        squares=squares.astype(np.float32),
        bias=bias.astype(np.float32),
        scale=float(scale),
        is_alone=bool(is_alone),
        is_centred=is_centred,
    )
