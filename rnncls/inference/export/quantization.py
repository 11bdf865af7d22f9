"""Smaller copies of the embedding.

Only the word vectors are shrunk: the recurrent cell stays float32, so that the
prediction for a text never depends on the other texts of its batch.

Shapes: V words, E embedding_dim.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

EmbeddingType = Literal["float32", "float16", "int8"]
_LARGEST = 127
_LARGEST_FLOAT16 = 65504.0


class QuantizedRows(NamedTuple):
    """A matrix as small integers with a scale a row.

    Attributes:
        values: [V, E] int8.
        scales: [V, 1] float32; a row is its values times its scale.
    """

    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]


def quantize_rows(matrix: npt.NDArray[np.float32]) -> QuantizedRows:
    """Round each row to 255 steps between its largest value and its negative."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)  # [V, 1]
    scales = np.where(largest > 0, largest, 1.0) / _LARGEST
    values = np.rint(matrix / scales)
    return QuantizedRows(values.astype(np.int8), scales.astype(np.float32))


def round_float16(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Round word vectors to 16 bits. [V, E]."""
    limited = np.clip(vectors, -_LARGEST_FLOAT16, _LARGEST_FLOAT16)
    return limited.astype(np.float16)
