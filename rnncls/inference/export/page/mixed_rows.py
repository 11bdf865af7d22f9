"""Word vectors as integers with a scale a row, of 12 bits for frequent words, else 8.

A vocabulary is sorted by frequency, so most of what rounding changes in a text comes
from the first rows. The lowest 4 of their 12 bits are stored apart.

Shapes: V rows, E embedding_dim, F fine rows.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls.inference.export.quantization import (
    EmbeddingType,
    QuantizedRows,
    quantize_rows,
)
from rnncls.runs.portable import Array

_FINE_SHARE = 1 / 4
"""The share of fine rows in a page of any size."""
_FINE_BITS, _LOW_BITS = 12, 4


class VectorFormat(NamedTuple):
    """How a page stores the word vectors.

    Attributes:
        embedding: The type of the numbers.
        num_fine: With `int8`, the number of rows that have 12 bits; else 0.
    """

    embedding: EmbeddingType
    num_fine: int = 0


class MixedRows(NamedTuple):
    """A matrix as integers of 12 or 8 bits.

    Attributes:
        high: [V, E] int8, the highest 8 bits of each number.
        low: [F * E / 2] uint8, the lowest 4 bits of the numbers of the fine rows, two
            numbers a byte; those of the first one are the lower bits of the byte.
        scales: [V, 1] float32; a row is its numbers times its scale.
    """

    high: npt.NDArray[np.int8]
    low: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float32]


def choose_format(embedding: EmbeddingType, num_words: int) -> VectorFormat:
    """Return the format for a page whose size is not limited."""
    num_fine = int(_FINE_SHARE * num_words) if embedding == "int8" else 0
    return VectorFormat(embedding, num_fine)


def quantize_mixed(matrix: Array, num_fine: int, readers: Array) -> MixedRows:
    """Round the first rows to 12 bits and the others to 8.

    Args:
        matrix: [V, E].
        num_fine: F.
        readers: The weights that read the rows; see `quantize_rows`. [G, E].
    """
    fine, coarse = _quantize_parts(matrix, num_fine, readers)
    fine_high = (fine.values >> _LOW_BITS).astype(np.int8)  # [F, E]
    fine_low = fine.values & (2**_LOW_BITS - 1)  # [F, E]
    return MixedRows(
        np.concatenate([fine_high, coarse.values]),
        _join_pairs(fine_low.astype(np.uint8).ravel()),
        np.concatenate([fine.scales, coarse.scales]),
    )


def round_mixed(matrix: Array, num_fine: int, readers: Array) -> Array:
    """Return the matrix that `quantize_mixed` stands for. [V, E]."""
    fine, coarse = _quantize_parts(matrix, num_fine, readers)
    return np.concatenate([fine.restore(), coarse.restore()])


def _quantize_parts(
    matrix: Array, num_fine: int, readers: Array
) -> tuple[QuantizedRows, QuantizedRows]:
    """Return the fine rows and the others."""
    fine = quantize_rows(matrix[:num_fine], _FINE_BITS, readers)
    return fine, quantize_rows(matrix[num_fine:], readers=readers)


def _join_pairs(numbers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Put two numbers of 4 bits into each byte. [N] -> [N / 2, rounded up]."""
    even = np.pad(numbers, (0, len(numbers) % 2))
    joined = even[0::2] | even[1::2] << _LOW_BITS
    return joined.astype(np.uint8)
