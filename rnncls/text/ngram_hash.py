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
    keys = np.full((max_size, len(ids)), NO_KEY)  # [L, M + N]
    hashes = ids + np.uint32(1)  # [M + N]
    is_ngram = ids != UNK_ID  # [M + N]
    for size in range(1, min(max_size, len(ids)) + 1):
        if size > 1:
            following = ids[size - 1 :]
            # Unsigned integers of 32 bits are computed modulo 2**32.
            hashes = hashes[:-1] * np.uint32(MULTIPLIER) + (following + np.uint32(1))
            is_inside = (following != UNK_ID) & (following != START)
            is_ngram = is_ngram[:-1] & is_inside
        keys[size - 1, : len(hashes)] = np.where(is_ngram, hashes, np.int64(NO_KEY))
    keys[0, ids == START] = NO_KEY
    return keys


def _insert_starts(
    token_ids: npt.NDArray[np.integer], lengths: Ints
) -> npt.NDArray[np.uint32]:
    """Return the texts with `START` before each. [M] -> [M + N] uint32."""
    starts = np.cumsum(lengths) - lengths  # [N]
    return np.insert(token_ids.astype(np.uint32), starts, START)
