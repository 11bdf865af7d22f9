"""The texts that may be labelled next: those of a pool that are not labelled yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from rnncls.data.copies import digest_text

TEXTS_IN_BLOCK = 16_384


class PoolRow(NamedTuple):
    """A row of a pool.

    Attributes:
        text: The text.
        values: The values of the kept columns; empty if none are kept.
        is_labelled: Whether the row has a label.
    """

    text: str
    values: list[str]
    is_labelled: bool = False


class PoolText(NamedTuple):
    """A text of a pool that may be labelled.

    Attributes:
        row: Its row in the pool, from 1.
        text: The text.
        values: The values of the kept columns of the row; empty if none are kept.
    """

    row: int
    text: str
    values: list[str]


@dataclass
class PoolCounts:
    """How many rows a pool has, and why some of them are left out.

    Attributes:
        num_rows: The number of all rows.
        num_labelled: How many of them have a label, or a text that is labelled already.
        num_copies: How many of the others have the text of an earlier row.
        num_empty: How many have no text.
    """

    num_rows: int = 0
    num_labelled: int = 0
    num_copies: int = 0
    num_empty: int = 0

    @property
    def num_unlabelled(self) -> int:
        """The number of texts that may be labelled."""
        left_out = self.num_labelled + self.num_copies + self.num_empty
        return self.num_rows - left_out


class Pool:
    """The texts of a pool that are neither labelled nor copies of each other.

    Copies are found as `rnncls.data.copies` does: case, white space and HTML do not
    matter. The rows are read once, and only a short key of each text is kept.
    """

    def __init__(self, rows: Iterable[PoolRow], labelled: Iterable[str]) -> None:
        """Prepare to read a pool.

        Args:
            rows: Its rows.
            labelled: The texts that are labelled already.
        """
        self._rows = rows
        self._labelled = labelled
        self.counts = PoolCounts()

    def read_blocks(self) -> Iterator[list[PoolText]]:
        """Yield the texts in blocks of the same size; `counts` has the rows until then.

        Raises:
            DataError: The pool, or a file of labelled texts, cannot be read.
        """
        block = []
        for text in self._iter_texts():
            block.append(text)
            if len(block) == TEXTS_IN_BLOCK:
                yield block
                block = []
        if block:
            yield block

    def _iter_texts(self) -> Iterator[PoolText]:
        counts = self.counts
        labelled_keys = set(map(digest_text, self._labelled))
        pool_keys: set[bytes] = set()
        for row in self._rows:
            counts.num_rows += 1
            key = digest_text(row.text)
            if key is None:
                counts.num_empty += 1
            elif row.is_labelled or key in labelled_keys:
                labelled_keys.add(key)
                counts.num_labelled += 1
            elif key in pool_keys:
                counts.num_copies += 1
            else:
                pool_keys.add(key)
                yield PoolText(counts.num_rows, row.text, row.values)
