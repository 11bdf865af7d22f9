"""N-grams of token ids as 32-bit keys, computed with integers alone.

A text is read as `START` and its token ids. The key of an n-gram is `h`, where `h = (h
* MULTIPLIER + token_id + 1) mod 2**32` for each of its token ids in turn, from `h = 0`.
Every runtime can compute it exactly: NumPy, torch, ONNX and JavaScript (`Math.imul`).
An n-gram with `<unk>` has no key: nothing is learned about words that the vocabulary
lacks.

Shapes: N texts, M tokens in all of them, L sizes of n-grams.
"""

import numpy as np
import numpy.typing as npt

from rnncls.text.vocab import PAD_ID, UNK_ID

MULTIPLIER = 1_640_531_527
"""2**32 divided by the golden ratio, minus 2**32: it is below 2**31, so that products
with a key fit into 64 bits. It distributes the keys of successive token ids evenly
(Knuth 1973, section 6.4)."""
MASK = 2**32 - 1
START = PAD_ID
"""The token id that stands for the beginning of a text. No token of a text has it."""
NO_KEY = -1
"""In place of a key: there is no n-gram."""

Ints = npt.NDArray[np.int64]


def hash_ngrams(
    token_ids: npt.NDArray[np.integer], lengths: Ints, max_size: int
) -> Ints:
    """Return the key of the n-gram of each size that begins at each token.

    Args:
        token_ids: [M], the texts one after the other.
        lengths: [N] tokens in each text.
        max_size: L, the number of tokens of the longest n-grams.

    Returns:
        [L, M + N] int64: for each text first the n-grams that begin with `START`.
        `NO_KEY` where the text ends before the n-gram does, where it has an unknown
        token, and for `START` alone.
    """
    ids = _insert_starts(token_ids, lengths)  # [M + N]
    num_ids = len(ids)
    ends = np.repeat(np.cumsum(lengths + 1), lengths + 1)  # [M + N]
    num_left = ends - np.arange(num_ids)  # [M + N]
    keys = np.full((max_size, num_ids), NO_KEY)  # [L, M + N]
    hashes = np.zeros(num_ids, np.int64)  # [M + N]
    is_ngram = np.ones(num_ids, np.bool_)  # [M + N]
    for offset in range(min(max_size, num_ids)):
        following = np.full(num_ids, UNK_ID)  # [M + N]
        following[: num_ids - offset] = ids[offset:]
        hashes = (hashes * MULTIPLIER + following + 1) & MASK
        is_ngram &= (following != UNK_ID) & (num_left > offset)
        keys[offset, is_ngram] = hashes[is_ngram]
    keys[0, ids == START] = NO_KEY
    return keys


def _insert_starts(token_ids: npt.NDArray[np.integer], lengths: Ints) -> Ints:
    """Return the texts with `START` before each. [M] -> [M + N] int64."""
    starts = np.cumsum(lengths) - lengths  # [N]
    return np.insert(token_ids.astype(np.int64), starts, START)
