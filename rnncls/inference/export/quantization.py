"""Smaller copies of weights.

In ONNX files only the word vectors are shrunk: the recurrent cell stays float32, so
that the prediction for a text never depends on the other texts of its batch.

Shapes: V rows, E columns, G numbers that are computed of a row.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls.runs.portable import Array, PortableClassifier

EmbeddingType = Literal["float32", "float16", "int8"]
_LARGEST_FLOAT16 = 65504.0
_DAMPING = 0.01
"""Added to the squares of the readers, as a share of their mean; GPTQ's default."""
_BLOCK_ROWS = 4096


class QuantizedRows(NamedTuple):
    """A matrix as small integers with a scale a row.

    Attributes:
        values: [V, E] int8, or int16 if they have more than 8 bits.
        scales: [V, 1] float32; a row is its values times its scale.
    """

    values: npt.NDArray[Any]
    scales: npt.NDArray[np.float32]

    def restore(self) -> Array:
        """Return the matrix that is meant. [V, E]."""
        restored: Array = self.values * self.scales
        return restored


def quantize_rows(
    matrix: Array, num_bits: int = 8, readers: Array | None = None
) -> QuantizedRows:
    """Round each row to steps between its largest value and its negative.

    Args:
        matrix: [V, E].
        num_bits: 8 gives 255 steps, 16, the largest number, 65,535.
        readers: [G, E], with which the rows are multiplied. The rounding then changes
            these products as little as possible, not the rows themselves.
    """
    highest = 2 ** (num_bits - 1) - 1
    largest = np.abs(matrix).max(axis=1, keepdims=True)  # [V, 1]
    scales = np.where(largest > 0, largest, 1.0) / highest
    steps = matrix / scales  # [V, E]
    rounded = np.rint(steps)
    if readers is not None:
        rounded = _round_for(steps, readers, highest)
    dtype = np.int8 if num_bits <= 8 else np.int16
    return QuantizedRows(rounded.astype(dtype), scales.astype(np.float32))


def find_readers(classifier: PortableClassifier) -> Array:
    """Return the weights that are multiplied with word vectors. [G, E]."""
    section, weights = classifier.model, classifier.weights
    if section.cell == "none":
        return weights["linear.weight"]
    if section.cell == "grid_lstm":
        return weights["encoder.project.weight"]
    directions = range(classifier.num_directions)
    readers = [classifier.cell(0, direction).weight_ih for direction in directions]
    return np.concatenate(readers)


def _round_for(steps: Array, readers: Array, highest: int) -> Array:
    """Round numbers so that their products with the readers change little.

    Column after column is rounded, and the columns to the right are changed so that
    they make up for it: GPTQ (Frantar et al. 2022, https://arxiv.org/abs/2210.17323),
    where the rows are the inputs and the readers are what they are multiplied with.

    Args:
        steps: [V, E].
        readers: [G, E].
        highest: The largest number.
    """
    factors = _factorize(readers)  # [E, E]
    rounded = np.empty_like(steps)  # [V, E]
    # So few rows at a time that the processor's cache holds them.
    for start in range(0, len(steps), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        rounded[rows] = _round_block(steps[rows], factors, highest)
    return rounded


def _factorize(readers: Array) -> Array:
    """Return the Cholesky factor of the inverse of the readers' squares. [E, E].

    Its rows are divided by its diagonal.
    """
    wide = readers.astype(np.float64)  # [G, E]
    squares = wide.T @ wide  # [E, E]
    mean = squares.diagonal().mean()
    damping = _DAMPING * mean if mean > 0 else 1.0
    squares += damping * np.eye(len(squares))
    inverse = np.linalg.inv(squares)  # [E, E]
    upper = np.linalg.cholesky(inverse).T  # [E, E]
    factors: Array = (upper / upper.diagonal()[:, None]).astype(np.float32)
    return factors


def _round_block(steps: Array, factors: Array, highest: int) -> Array:
    """Round rows column by column. [V, E] -> [V, E]."""
    columns = np.array(steps.T, np.float32, order="C")  # [E, V]
    for column in range(len(columns)):
        exact = columns[column].copy()  # [V]
        columns[column] = np.rint(exact).clip(-highest, highest)
        error = exact - columns[column]  # [V]
        columns[column + 1 :] -= np.outer(factors[column, column + 1 :], error)
    return columns.T


def round_float16(vectors: Array) -> npt.NDArray[np.float16]:
    """Round word vectors to 16 bits. [V, E]."""
    limited = np.clip(vectors, -_LARGEST_FLOAT16, _LARGEST_FLOAT16)
    return limited.astype(np.float16)
