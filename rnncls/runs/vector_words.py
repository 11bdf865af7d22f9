"""Words of a file of vectors in the weights of a run (`text.vector_words`).

In memory, their rows are the last ones of the embedding: the pretrained columns, then
zeros. In a file they are an array of their own without these zeros, in float16, to
which the vectors are rounded before the training.

Shapes: V words of the training rows, X words of the file of vectors, E embedding_dim, D
columns of the vectors.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import RunError

EMBEDDING, VECTOR_WORDS = "embedding.weight", "embedding.vector_words"

Arrays = dict[str, npt.NDArray[Any]]


def split_embedding(
    matrix: npt.NDArray[np.float32], num_vector_words: int
) -> Mapping[str, npt.NDArray[Any]]:
    """Return the arrays of an embedding as they are stored.

    Args:
        matrix: [V + X, E] float32.
        num_vector_words: X, at least 1.
    """
    num_words = len(matrix) - num_vector_words
    vectors = matrix[num_words:]  # [X, E]
    used_columns = np.flatnonzero(vectors.any(axis=0))
    width = int(used_columns.max(initial=0)) + 1  # D
    stored = vectors[:, :width].astype(np.float16)  # [X, D]
    return {EMBEDDING: matrix[:num_words], VECTOR_WORDS: stored}


def join_embedding(arrays: Arrays, source: Path) -> None:
    """Replace the two arrays of an embedding by one, in place, if there are two.

    Args:
        arrays: The arrays of a file.
        source: The file, for messages.

    Raises:
        RunError: The arrays do not fit together.
    """
    stored = arrays.pop(VECTOR_WORDS, None)  # [X, D]
    if stored is None:
        return
    matrix = arrays.get(EMBEDDING, np.zeros(()))  # [V, E]
    is_matrix = matrix.ndim == stored.ndim == 2 and stored.dtype == np.float16
    if not is_matrix or stored.shape[1] > matrix.shape[1]:
        raise RunError(
            f"{source}: damaged: {VECTOR_WORDS} does not fit {EMBEDDING}: found the"
            f" shapes {stored.shape} and {matrix.shape}"
        )
    shape = len(matrix) + len(stored), matrix.shape[1]
    try:
        joined = np.zeros(shape, np.float32)  # [V + X, E]
    except MemoryError as error:
        raise RunError(f"{source}: damaged: the embedding is too large") from error
    joined[: len(matrix)] = matrix
    joined[len(matrix) :, : stored.shape[1]] = stored
    arrays[EMBEDDING] = joined
