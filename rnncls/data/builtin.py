"""The built-in data sets and their download."""

import http.client
import logging
import os
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tqdm import tqdm

from rnncls import DataError
from rnncls.data.checksums import checksum

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 16
_TIMEOUT_S = 30


@dataclass(frozen=True)
class CanonicalFile:
    """The published version of a data file, by which a copy is recognised."""

    url: str
    num_rows: int
    num_bytes: int
    md5: str


@dataclass(frozen=True)
class BuiltIn:
    """A data set of the form `"class","title","description"`, without a header.

    Attributes:
        labels: The names of the classes 1, 2, …
        files: The files to download, by split; empty for a data set that is part of
            the repository.
    """

    labels: tuple[str, ...]
    files: dict[str, CanonicalFile]


# The files that torchtext 0.18 names; the address in 0.6.0 no longer exists.
_AG_NEWS_URL = (
    "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv"
)
_AG_NEWS_LABELS = ("World", "Sports", "Business", "Sci/Tech")
BUILT_INS: dict[str, BuiltIn] = {
    "ag_news": BuiltIn(
        _AG_NEWS_LABELS,
        {
            "train": CanonicalFile(
                f"{_AG_NEWS_URL}/train.csv",
                120_000,
                29_470_338,
                "b1a00f826fdfbd249f79597b59e1dc12",
            ),
            "test": CanonicalFile(
                f"{_AG_NEWS_URL}/test.csv",
                7_600,
                1_857_427,
                "d52ea96a97a2d943681189a97654912d",
            ),
        },
    ),
    "quickstart": BuiltIn(_AG_NEWS_LABELS, {}),
}
BUILT_IN_COLUMNS = ("label", "title", "description")


def download_missing(name: str, folder: Path) -> None:
    """Download those files of a built-in data set that are not in `folder`.

    Raises:
        DataError: The data set cannot be downloaded.
    """
    files = BUILT_INS[name].files
    if not files:
        raise DataError(
            f"{folder} lacks train.csv or test.csv: run from the repository's root, or"
            " set data.root to its data folder"
        )
    for split, file in files.items():
        path = folder / f"{split}.csv"
        if path.exists():
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(file, path)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise DataError(
                f"{name} is not in {folder} and cannot be downloaded"
                f" ({str(error).strip()}).\nPut train.csv and test.csv from"
                f" {_AG_NEWS_URL} into {folder.resolve()}, or set data.root to the"
                " folder that contains ag_news/."
            ) from error


def _download(file: CanonicalFile, path: Path) -> None:
    """Download to a temporary file beside `path`, verify it, then rename it."""
    with (
        urllib.request.urlopen(file.url, timeout=_TIMEOUT_S) as response,
        tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}-", delete=False
        ) as target,
    ):
        temporary = Path(target.name)
        try:
            _copy(response, target, file.num_bytes, f"downloading {path.name}")
            target.flush()
            os.fsync(target.fileno())
            _verify(temporary, file)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(
    source: http.client.HTTPResponse, target: IO[bytes], num_bytes: int, title: str
) -> None:
    """Copy a stream, with a progress bar on a terminal."""
    bar = tqdm(total=num_bytes, desc=title, unit="B", unit_scale=True, disable=None)
    with bar:
        while block := source.read(_BLOCK_BYTES):
            target.write(block)
            bar.update(len(block))


def _verify(path: Path, file: CanonicalFile) -> None:
    size, md5 = path.stat().st_size, checksum(path, "md5")
    if (size, md5) != (file.num_bytes, file.md5):
        raise DataError(
            f"{file.url}: expected {file.num_bytes:,} bytes with md5 {file.md5}, found"
            f" {size:,} bytes with {md5}"
        )


def note_if_not_canonical(path: Path, num_rows: int, name: str) -> None:
    """Log a note if a file of a built-in data set differs from the published one."""
    file = BUILT_INS[name].files.get(path.stem)
    if file is None:
        return
    if path.stat().st_size == file.num_bytes and checksum(path, "md5") == file.md5:
        return
    difference = "its checksum differs"
    if num_rows != file.num_rows:
        difference = f"it has {num_rows:,} rows instead of {file.num_rows:,}"
    logger.info(
        "%s is not the published %s file (%s): results cannot be compared with"
        " published ones",
        path,
        name,
        difference,
    )
