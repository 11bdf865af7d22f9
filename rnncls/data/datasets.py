"""Data sets: the built-in ones, their download, and the split into training and
validation
rows.

Shapes: N rows.
"""

import contextlib
import hashlib
import http.client
import logging
import math
import os
import tempfile
import urllib.error
import urllib.request
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.readers import Columns, read_rows
from rnncls.text.tokenizer import (
    TokenizedTexts,
    join_texts,
    number_by_appearance,
    tokenize_stream,
)

logger = logging.getLogger(__name__)

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class CanonicalFile:
    """The published form of a data file, by which a copy is recognised."""

    url: str
    num_rows: int
    num_bytes: int
    md5: str


@dataclass(frozen=True)
class BuiltIn:
    """A data set in AG News's form: `"class","title","description"`, classes from 1, no
    header.

    Attributes:
        labels: What the classes 1, 2, … are called.
        files: What can be downloaded, by split; empty for a data set that lies in the
            repository.
    """

    labels: tuple[str, ...]
    files: dict[str, CanonicalFile]


# The files that torchtext 0.18's AG_NEWS names; 0.6.0 still names a drive that is gone.
_AG_NEWS_URL = (
    "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv"
)
BUILT_INS: dict[str, BuiltIn] = {
    "ag_news": BuiltIn(
        ("World", "Sports", "Business", "Sci/Tech"),
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
    "quickstart": BuiltIn(("World", "Sports", "Business", "Sci/Tech"), {}),
}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""What `data.delimiter` calls them."""
TEST_SEED = 20_151_121
"""Draws the rows of `data.test_fraction`, and nothing that a config says does: no other
seed moves a test row into the training rows of another run. Other labels of the same
file draw other rows (see corpus.py: its fingerprint)."""
_BUILT_IN_COLUMNS = ("label", "title", "description")


@dataclass(frozen=True)
class LabelledTexts:
    """The tokenised rows of one file, in its order.

    Attributes:
        path: The file.
        sha256: The file's checksum.
        texts: N tokenised texts.
        labels: [N] int64, numbers into `label_names`.
        label_names: The distinct labels, sorted; numbers in the order of their value.
    """

    path: Path
    sha256: str
    texts: TokenizedTexts
    labels: npt.NDArray[np.int64]
    label_names: list[str]

    def labels_as(self, label_names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the labels as numbers into another list of names. [N] int64.

        Raises:
            DataError: A row has a label that `label_names` lacks.
        """
        numbers = {name: number for number, name in enumerate(label_names)}
        mapping = np.array(
            [numbers.get(name, -1) for name in self.label_names], dtype=np.int64
        )
        labels = mapping[self.labels]
        unknown = np.flatnonzero(labels < 0)
        if len(unknown):
            row = int(unknown[0])
            found = self.label_names[self.labels[row]]
            known = ", ".join(f"'{name}'" for name in label_names)
            raise DataError(
                f"{self.path}: row {row + 1}: unknown label '{found}': expected one of"
                f" {known}; correct it"
            )
        return labels


def columns_of(section: DataSection) -> Columns:
    """Return the columns that a data section names."""
    if section.name is None:
        delimiter = None if section.delimiter is None else DELIMITERS[section.delimiter]
        return Columns(
            tuple(section.text),
            section.label,
            tuple(section.columns or ()),
            delimiter=delimiter,
        )
    names = BUILT_INS[section.name].labels
    numbers = tuple(str(number) for number in range(1, len(names) + 1))
    return Columns(
        tuple(section.text), section.label, _BUILT_IN_COLUMNS, numbers + names
    )


def locate(section: DataSection, split: Split) -> Path:
    """Return the path of a split's file; a built-in file that is missing is downloaded
    first.

    Raises:
        DataError: The data section names no such file, or it is missing and cannot be
            downloaded.
    """
    if section.name is None:
        path = getattr(section, split)
        if path is None:
            hint = (
                "; or keep part of the training file with data.test_fraction"
                if split == "test"
                else ""
            )
            raise DataError(
                f"data.{split} is not set: name the file in the config, or give it with"
                f" --data{hint}"
            )
        return Path(path)
    if split == "valid":
        raise DataError(
            f"{section.name} has no validation file: validation rows are cut from its"
            " training rows"
        )
    folder = Path(section.root) / section.name
    path = folder / f"{split}.csv"
    if not path.exists():
        _download_missing(section.name, folder)
    return path


def find_test_file(section: DataSection) -> Path | None:
    """Return where the test file lies or would lie, without a look at it."""
    if section.name is not None:
        return Path(section.root) / section.name / "test.csv"
    return None if section.test is None else Path(section.test)


def load_labelled(path: Path, section: DataSection, text: TextSection) -> LabelledTexts:
    """Read and tokenise a labelled file, with a progress bar on a terminal.

    Raises:
        DataError: The file or one of its rows is wrong, or it has no rows.
    """
    classes = BUILT_INS[section.name].labels if section.name else ()
    names = {str(number): name for number, name in enumerate(classes, start=1)}
    numbers = number_by_appearance()
    found = array("q")

    def chunks() -> Iterator[list[str]]:
        for rows in read_rows(path, columns_of(section)):
            labels = map(str.strip, rows.labels)
            found.extend(numbers[names.get(label, label)] for label in labels)
            yield rows.texts

    texts = _tokenize_file(path, chunks(), text)
    if not found:
        raise DataError(f"{path}: has no rows: expected one labelled text a row")
    label_names = sorted(
        numbers, key=classes.index if set(numbers) <= set(classes) else _label_order
    )
    order = {numbers[name]: place for place, name in enumerate(label_names)}
    labels = np.array([order[number] for number in found], dtype=np.int64)
    labelled = LabelledTexts(path, checksum(path, "sha256"), texts, labels, label_names)
    if section.name:
        labelled.labels_as(classes)
    return labelled


def load_unlabelled(
    path: Path, section: DataSection, text: TextSection
) -> TokenizedTexts:
    """Read and tokenise a file whose labels, if it has any, do not matter.

    Raises:
        DataError: The file or one of its rows is wrong, or it has no rows.
    """
    columns = replace(columns_of(section), label=None)
    texts = _tokenize_file(
        path, (rows.texts for rows in read_rows(path, columns)), text
    )
    if not len(texts.lengths):
        raise DataError(f"{path}: has no rows: expected one text a row")
    return texts


def _tokenize_file(
    path: Path, chunks: Iterable[list[str]], section: TextSection
) -> TokenizedTexts:
    with tqdm(
        desc=f"tokenising {path.name}",
        unit=" texts",
        unit_scale=True,
        leave=False,
        disable=None,
    ) as bar:

        def counted(part: TokenizedTexts) -> TokenizedTexts:
            bar.update(len(part.lengths))
            return part

        return join_texts(map(counted, tokenize_stream(chunks, section)))


def split_rows(
    labels: npt.NDArray[np.int64], fraction: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers of the training and of the validation rows, each sorted,
    stratified by class.

    Of a class's n rows, round(fraction * n) go to validation; a class never loses its
    last training row.

    Raises:
        DataError: There are too few rows for a validation row.
    """
    chosen = _draw(labels, fraction, seed)
    if not len(chosen):
        raise DataError(
            f"{len(labels)} training rows are too few to keep {fraction:.0%} of each"
            " class for validation: raise data.valid_fraction or set data.valid"
        )
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def split_test_rows(
    labels: npt.NDArray[np.int64], fraction: float | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers of the rows to learn from and of the test rows, each sorted,
    the
    latter stratified by class.

    A function of the file and the fraction alone (see TEST_SEED); without a fraction
    there are no test rows.

    Raises:
        DataError: There are too few rows for a test row.
    """
    chosen = (
        np.empty(0, dtype=np.int64)
        if fraction is None
        else _draw(labels, fraction, TEST_SEED)
    )
    if fraction is not None and not len(chosen):
        raise DataError(
            f"{len(labels)} rows are too few to keep {fraction:.0%} of each class for"
            " the test: raise data.test_fraction or set data.test"
        )
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def _draw(
    labels: npt.NDArray[np.int64], fraction: float, seed: int
) -> npt.NDArray[np.int64]:
    """Return round(fraction * n) of the n rows of each class, but never all of them,
    sorted.
    """
    generator = np.random.default_rng(seed)
    drawn = []
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        drawn.append(rows[: min(round(fraction * len(rows)), len(rows) - 1)])
    return np.sort(np.concatenate(drawn))


def _label_order(name: str) -> tuple[bool, float, str]:
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(name)):
            return False, number, name
    return True, 0.0, name


def note_if_not_canonical(source: LabelledTexts, name: str) -> None:
    """Say so where a built-in file is not the published one: its figures are others."""
    path, file = source.path, BUILT_INS[name].files.get(source.path.stem)
    if file is None or (
        path.stat().st_size == file.num_bytes and checksum(path, "md5") == file.md5
    ):
        return
    logger.info(
        "%s is not the published %s file (%s rows here, %s there, another checksum):"
        " figures are not comparable with published ones",
        *(path, name, f"{len(source.labels):,}", f"{file.num_rows:,}"),
    )


def checksum(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _download_missing(name: str, folder: Path) -> None:
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
                f"{name} is not at {folder} and cannot be downloaded"
                f" ({str(error).strip()}).\nPut train.csv and test.csv from"
                f" {_AG_NEWS_URL} into {folder.resolve()}, or set data.root to the"
                " folder that holds ag_news/."
            ) from error


def _download(file: CanonicalFile, path: Path) -> None:
    """Fetch a file into a temporary one beside `path`, verify it, then rename it."""
    with (
        urllib.request.urlopen(file.url, timeout=30) as response,
        tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}-", delete=False
        ) as target,
    ):
        try:
            bar = tqdm(
                total=file.num_bytes,
                desc=f"downloading {path.name}",
                unit="B",
                unit_scale=True,
                disable=None,
            )
            with bar:
                while chunk := response.read(1 << 16):
                    target.write(chunk)
                    bar.update(len(chunk))
            target.flush()
            os.fsync(target.fileno())
            _verify(Path(target.name), file)
            Path(target.name).chmod(0o644)
            Path(target.name).replace(path)
        finally:
            Path(target.name).unlink(missing_ok=True)


def _verify(path: Path, file: CanonicalFile) -> None:
    size, md5 = path.stat().st_size, checksum(path, "md5")
    if (size, md5) != (file.num_bytes, file.md5):
        raise DataError(
            f"{file.url}: expected {file.num_bytes:,} bytes with md5 {file.md5}, found"
            f" {size:,} bytes with {md5}"
        )
