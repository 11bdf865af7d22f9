"""The two arrays in which a run stores an embedding with words of a file of vectors."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rnncls import RunError
from rnncls.runs.vector_words import (
    EMBEDDING,
    VECTOR_WORDS,
    join_embedding,
    split_embedding,
)

FILE = Path("model.safetensors")


def test_the_zeros_after_the_vectors_are_not_stored() -> None:
    matrix = np.arange(15, dtype=np.float32).reshape(5, 3)
    matrix[3:, 2] = 0
    arrays = dict(split_embedding(matrix, 2))
    assert arrays[EMBEDDING].tolist() == matrix[:3].tolist()
    assert arrays[VECTOR_WORDS].tolist() == matrix[3:, :2].tolist()
    assert arrays[VECTOR_WORDS].dtype == np.float16
    join_embedding(arrays, FILE)
    assert arrays.keys() == {EMBEDDING}
    assert arrays[EMBEDDING].dtype == np.float32
    assert arrays[EMBEDDING].tolist() == matrix.tolist()


def test_vectors_of_zeros_are_one_column() -> None:
    arrays = dict(split_embedding(np.zeros((4, 3), np.float32), 1))
    assert arrays[VECTOR_WORDS].shape == (1, 1)


def test_an_embedding_without_such_words_stays_as_it_is() -> None:
    matrix = np.ones((2, 3), np.float32)
    arrays = {EMBEDDING: matrix}
    join_embedding(arrays, FILE)
    assert arrays == {EMBEDDING: matrix}


@pytest.mark.parametrize(
    "stored",
    [
        np.zeros((2, 4), np.float16),
        np.zeros((2, 3), np.float32),
        np.zeros(2, np.float16),
    ],
)
def test_arrays_that_do_not_fit_are_damage(stored: npt.NDArray[Any]) -> None:
    arrays = {EMBEDDING: np.zeros((2, 3), np.float32), VECTOR_WORDS: stored}
    with pytest.raises(
        RunError, match=r"^model\.safetensors: damaged: .* does not fit"
    ):
        join_embedding(arrays, FILE)


def test_vectors_without_an_embedding_are_damage() -> None:
    with pytest.raises(RunError, match="damaged"):
        join_embedding({VECTOR_WORDS: np.zeros((2, 3), np.float16)}, FILE)
