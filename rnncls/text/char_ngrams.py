"""Hashed character n-grams of words, so that rare and unknown words have a vector.

Source: Bojanowski, Grave, Joulin and Mikolov 2017, "Enriching word vectors with subword
information" (fastText). `where` has the n-grams `<wh`, `whe`, `her`, `ere` and `re>` of
three characters. Each n-gram is hashed to one of a fixed number of buckets, which are
rows of the embedding after those of the words. The hash is the 32-bit FNV-1a of the
n-gram's UTF-8 bytes: integer arithmetic, which is the same in every language.

Shapes: W words, G n-grams of all words, C characters and X bytes of all words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.config.sections import TextSection

START, END = "<", ">"
"""The signs that mark where a word begins and ends."""
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WordNgrams:
    """The n-grams of W words, as slices of one flat array.

    Attributes:
        rows: [G] int64, the row of the embedding that each n-gram is hashed to.
        counts: [W] int64, how many n-grams each word has.
    """

    rows: Ints
    counts: Ints

    def __len__(self) -> int:
        """Return W."""
        return len(self.counts)

    @property
    def starts(self) -> Ints:
        """Where the n-grams of each word begin in `rows`. [W] int64."""
        starts: Ints = np.cumsum(self.counts) - self.counts
        return starts


@dataclass(frozen=True)
class CharNgrams:
    """Which n-grams a word has, and how many buckets they share.

    Attributes:
        min_length: Characters of the shortest n-grams, `<` and `>` counted in.
        max_length: Characters of the longest.
        num_buckets: The number of buckets.
    """

    min_length: int
    max_length: int
    num_buckets: int

    def hash_words(self, words: Sequence[str], first_row: int) -> WordNgrams:
        """Return the n-grams of words, the shortest n-grams of each word first.

        Args:
            words: W words.
            first_row: The row of the embedding for the first bucket.
        """
        marked = [f"{START}{word}{END}" for word in words]
        encoded = "".join(marked).encode("utf-8", "surrogatepass")
        data = np.frombuffer(encoded, np.uint8)  # [X]
        char_starts = np.flatnonzero(data & 0xC0 != 0x80)  # [C]
        edges = np.append(char_starts, len(data))  # [C + 1]
        num_chars = np.fromiter(map(len, marked), np.int64, len(marked))  # [W]
        word_ends = np.repeat(np.cumsum(num_chars), num_chars)  # [C]
        owners = np.repeat(np.arange(len(words)), num_chars)  # [C]

        all_owners, all_rows = [], []
        for length in range(self.min_length, self.max_length + 1):
            first_chars = np.arange(len(owners))
            first_chars = first_chars[first_chars + length <= word_ends]
            starts, ends = edges[first_chars], edges[first_chars + length]
            hashes = hash_slices(data, starts, ends)
            all_owners.append(owners[first_chars])
            all_rows.append(first_row + hashes % self.num_buckets)
        owner_of = np.concatenate(all_owners)  # [G]
        order = np.argsort(owner_of, kind="stable")  # [G]
        counts = np.bincount(owner_of, minlength=len(words))  # [W]
        return WordNgrams(np.concatenate(all_rows)[order], counts)


def choose_char_ngrams(section: TextSection) -> CharNgrams | None:
    """Return the n-grams that `text.char_ngrams` asks for; None if it asks for none."""
    if section.char_ngrams is None:
        return None
    min_length, max_length = section.char_ngrams
    return CharNgrams(min_length, max_length, section.ngram_buckets)


def hash_slices(data: npt.NDArray[np.uint8], starts: Ints, ends: Ints) -> Ints:
    """Return the 32-bit FNV-1a hash of slices of bytes.

    Args:
        data: [X] uint8.
        starts: [G], where each slice begins.
        ends: [G], where it ends; at least its start.

    Returns:
        [G] int64, in 0..2**32 - 1.
    """
    hashes = np.full(len(starts), FNV_OFFSET, np.uint32)  # [G]
    lengths = ends - starts  # [G]
    for position in range(lengths.max(initial=0)):
        is_longer = lengths > position  # [G]
        values = data[starts[is_longer] + position]
        hashes[is_longer] = (hashes[is_longer] ^ values) * np.uint32(FNV_PRIME)
    return hashes.astype(np.int64)
