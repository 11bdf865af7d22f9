"""The n-gram part of a classifier as the page has it.

The keys, and where weights are stored, take about 2 bytes an n-gram. Weights are 16-bit
floats as in the run, or 8-bit integers `q`, each of which stands for `q * abs(q) *
scale`: their squares give small weights the same relative precision as large ones.

Shapes: K n-grams, C classes, Z stored weights.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.inference.export.page.rice_code import RiceCode, encode_ascending
from rnncls.inference.export.quantization import EmbeddingType, round_float16
from rnncls.text.ngram_table import NgramTable

_LARGEST = 127

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Rounded:
    """Numbers with few bits.

    Attributes:
        stored: int8 or float16.
        scale: The factor of 8-bit numbers.
    """

    stored: Array
    scale: float

    def to_float32(self) -> Floats:
        """Return the numbers that are meant."""
        values = self.stored.astype(np.float32)
        if self.stored.dtype == np.float16:
            return values
        return values * np.abs(values) * np.float32(self.scale)


@dataclass(frozen=True)
class PackedNgrams:
    """The n-gram part of a page.

    Attributes:
        description: The numbers that the scripts need, for JSON.
        arrays: The arrays by their names.
    """

    description: dict[str, Any]
    arrays: dict[str, Array]


def round_ngrams(table: NgramTable, embedding: EmbeddingType) -> NgramTable:
    """Return the n-grams with the weights that a page has, as float32."""
    weights = _choose_stored(table)  # [K, C]
    is_stored = weights != 0  # [K, C]
    weights[is_stored] = _round(weights[is_stored], embedding).to_float32()
    if table.is_centred:
        weights = weights - weights.mean(axis=1, keepdims=True)
    return replace(
        table,
        weights=weights,
        squares=_round(table.squares, embedding).to_float32(),
    )


def pack_ngrams(table: NgramTable, embedding: EmbeddingType) -> PackedNgrams:
    """Return the n-grams as the scripts read them."""
    weights = _choose_stored(table)  # [K, C]
    positions = np.flatnonzero(weights)  # [Z]
    values = _round(weights.ravel()[positions], embedding)
    squares = _round(table.squares, embedding)
    key_code = encode_ascending(table.keys)
    position_code = encode_ascending(positions)
    description = {
        "maxSize": table.max_size,
        "scale": table.scale,
        "isAlone": table.is_alone,
        "isCentred": table.is_centred,
        "bias": table.bias.tolist(),
        "keys": _describe_code(key_code, len(table.keys)),
        "positions": _describe_code(position_code, len(positions)),
        "valueScale": values.scale,
        "squareScale": squares.scale,
    }
    arrays = {
        "ngrams.keys": key_code.data,
        "ngrams.positions": position_code.data,
        "ngrams.values": values.stored,
        "ngrams.squares": squares.stored,
    }
    return PackedNgrams(description, arrays)


def _describe_code(code: RiceCode, count: int) -> dict[str, int]:
    return {"count": count, "numLowBits": code.num_low_bits}


def _round(values: Floats, embedding: EmbeddingType) -> _Rounded:
    """Round weights or squares. The run has 16 bits, so `float32` has no more."""
    if embedding != "int8":
        return _Rounded(round_float16(values), 1.0)
    largest = float(np.abs(values).max(initial=0))
    shares = np.abs(values) / max(largest, np.finfo(np.float32).tiny)
    rounded = np.rint(np.sqrt(shares) * _LARGEST) * np.sign(values)
    return _Rounded(rounded.astype(np.int8), largest / _LARGEST**2)


def _choose_stored(table: NgramTable) -> Floats:
    """Return a new array of weights, most of which are 0 and are not stored. [K, C]."""
    if table.is_centred:
        return _subtract_commonest(table.weights)
    return table.weights.copy()


def _subtract_commonest(weights: Floats) -> Floats:
    """Subtract from the weights of each n-gram the one that most classes have.

    It is not stored then. [K, C] -> [K, C].
    """
    ordered = np.sort(weights, axis=1)  # [K, C]
    columns = _find_commonest(ordered)  # [K]
    commonest = np.take_along_axis(ordered, columns[:, None], axis=1)  # [K, 1]
    subtracted: Floats = weights - commonest
    return subtracted


def _find_commonest(ordered: Floats) -> npt.NDArray[np.int64]:
    """Return a column of the number that each row has most often.

    For a row without equal numbers, it is the column in the middle, as in
    `rnncls.text.ngram_table`.

    Args:
        ordered: [K, C], each row ascending.

    Returns:
        [K] int64.
    """
    num_before = _count_equal_before(ordered)  # [K, C]
    commonest: npt.NDArray[np.int64] = num_before.argmax(axis=1)  # [K]
    has_equal = num_before.any(axis=1)  # [K]
    middle = (ordered.shape[1] - 1) // 2
    commonest[~has_equal] = middle
    return commonest


def _count_equal_before(ordered: Floats) -> npt.NDArray[np.int64]:
    """Return how many numbers to the left of each number equal it. [K, C] -> [K, C]."""
    num_rows, num_classes = ordered.shape
    columns = np.arange(num_classes)  # [C]
    is_first = np.ones((num_rows, 1), np.bool_)  # [K, 1]
    is_other = ordered[:, 1:] != ordered[:, :-1]  # [K, C - 1]
    is_new = np.concatenate([is_first, is_other], axis=1)  # [K, C]
    new_columns = np.where(is_new, columns, 0)  # [K, C]
    starts = np.maximum.accumulate(new_columns, axis=1)  # [K, C]
    return columns - starts
