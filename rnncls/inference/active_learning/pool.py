"""The texts that may be labelled next: those of a pool that are not labelled yet."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rnncls.config.sections import DataSection
from rnncls.data.copies import normalize_text
from rnncls.data.datasets import columns_of, locate
from rnncls.data.readers import read_rows
from rnncls.data.splits import Split


@dataclass(frozen=True)
class PoolText:
    """A text of a pool.

    Attributes:
        row: Its row in the pool, from 1.
        text: The text.
        values: The values of the kept columns of the row; empty if none are kept.
    """

    row: int
    text: str
    values: list[str]


@dataclass(frozen=True)
class Pool:
    """The texts of a pool that may be labelled, each once.

    Attributes:
        items: The texts.
        num_rows: The number of all rows of the pool.
        num_labelled: How many of them have a text that is labelled already.
        num_copies: How many of the others have the text of an earlier row.
        num_empty: How many have no text.
    """

    items: list[PoolText]
    num_rows: int
    num_labelled: int
    num_copies: int
    num_empty: int


def build_pool(
    chunks: Iterable[tuple[list[str], list[list[str]]]], labelled: Iterable[str]
) -> Pool:
    """Return the texts of a pool that are neither labelled nor copies of each other.

    Copies are found as `rnncls.data.copies` does: case, white space and HTML do not
    matter.

    Args:
        chunks: Texts, and the values of the kept columns of each, which may be empty.
        labelled: The texts that are labelled already.
    """
    labelled_keys = set(map(normalize_text, labelled))
    pool_keys: set[str] = set()
    items: list[PoolText] = []
    num_rows = num_labelled = num_empty = 0
    for chunk_texts, chunk_values in chunks:
        padded = chunk_values or [[] for _ in chunk_texts]
        for text, text_values in zip(chunk_texts, padded, strict=True):
            num_rows += 1
            key = normalize_text(text)
            if not key:
                num_empty += 1
            elif key in labelled_keys:
                num_labelled += 1
            elif key not in pool_keys:
                pool_keys.add(key)
                items.append(PoolText(num_rows, text, text_values))
    num_copies = num_rows - num_labelled - num_empty - len(items)
    return Pool(items, num_rows, num_labelled, num_copies, num_empty)


def iter_labelled_texts(section: DataSection, further: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of the training, validation and test file, and of further files.

    Args:
        section: The data section of the run's config.
        further: Files with the same columns of the text.

    Raises:
        DataError: A file cannot be read, lacks a column, or a row is wrong.
    """
    columns = replace(columns_of(section), label=None)
    paths = [locate(section, split) for split in _find_splits(section)]
    for path in (*paths, *further):
        for rows in read_rows(path, columns):
            yield from rows.texts


def _find_splits(section: DataSection) -> list[Split]:
    """Return the splits that have a file of their own."""
    splits: list[Split] = ["train"]
    if section.valid is not None:
        splits.append("valid")
    if section.name is not None or section.test is not None:
        splits.append("test")
    return splits
