"""Which texts are the same, and which nearly so.

Two texts are the same if they have the same tokens in the same order: the network
cannot tell them apart. They are nearly the same if the sets of their runs of three
tokens (shingles) have a Jaccard similarity of THRESHOLD or more: what they share is
that part of all that either has. To compare all pairs would take hours; MinHash with
banding (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
chapter 3) proposes pairs, and their similarity is then computed exactly. A pair at the
threshold is proposed with a probability of 99.98 %, a more similar one more surely.

Shapes: N texts, M tokens in all of them, S shingles, H hashes, P pairs.
"""

import numpy as np
import numpy.typing as npt

from rnncls.text.tokenizer import TokenizedTexts

SHINGLE = 3
"""Tokens in a shingle; a shorter text is one."""
THRESHOLD = 0.8
"""The Jaccard similarity from which on two texts are nearly the same."""
NUM_BANDS, BAND = 16, 4
"""A pair is proposed if all hashes of a band agree; H is their product."""
_NEIGHBOURS = 32
"""Of more texts than this that agree in a band, each is compared with the next ones
only."""
_TEXTS_AT_ONCE = 50_000

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def group_texts(texts: TokenizedTexts) -> Ints:
    """Return a number for each text, the same for the same texts, in the order of their
    first appearance. [N] int64.
    """
    ends = np.cumsum(texts.lengths)
    numbers: dict[bytes, int] = {}
    groups = (
        numbers.setdefault(texts.word_ids[end - length : end].tobytes(), len(numbers))
        for end, length in zip(ends.tolist(), texts.lengths.tolist(), strict=True)
    )
    return np.fromiter(groups, np.int64, len(texts.lengths))


def near_pairs(texts: TokenizedTexts) -> Ints:
    """Return the pairs of texts that are nearly the same, the lower number first,
    sorted. [P, 2] int64.
    """
    shingles, counts = _shingle(texts)
    starts = np.cumsum(counts) - counts
    pairs = _propose(_sign(shingles, counts))
    return pairs[_similarities(pairs, shingles, starts, counts) >= THRESHOLD]


def _shingle(texts: TokenizedTexts) -> tuple[Hashes, Ints]:
    """Return a hash of each shingle of each text, and how many each text has. [S]
    uint64, [N] int64.
    """
    counts = np.maximum(texts.lengths - (SHINGLE - 1), 1)
    places = np.arange(counts.sum()) - np.repeat(
        np.cumsum(counts) - counts, counts
    )  # within the text
    starts = np.repeat(np.cumsum(texts.lengths) - texts.lengths, counts) + places
    left = np.repeat(texts.lengths, counts) - places
    padded = np.append(texts.word_ids, np.zeros(SHINGLE, np.int32)).astype(
        np.uint64
    ) + np.uint64(1)
    keys = np.zeros(len(starts), np.uint64)
    for offset in range(SHINGLE):
        tokens = np.where(offset < left, padded[starts + offset], np.uint64(0))
        keys = _mix(keys * np.uint64(0x9E3779B97F4A7C15) + tokens)
    return keys, counts


def _mix(keys: Hashes) -> Hashes:
    """Return the keys scrambled, each into another: the finaliser of SplitMix64
    (Steele, Lea and Flood 2014).
    """
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def _sign(shingles: Hashes, counts: Ints) -> npt.NDArray[np.uint32]:
    """Return the lowest value of each of H hashes over the shingles of each text. [H,
    N] uint32.
    """
    generator = np.random.default_rng(0)
    factors = generator.integers(
        0, 1 << 63, NUM_BANDS * BAND, dtype=np.uint64
    ) * np.uint64(2) + np.uint64(1)
    signature = np.empty((NUM_BANDS * BAND, len(counts)), np.uint32)
    ends = np.cumsum(counts)
    for first in range(0, len(counts), _TEXTS_AT_ONCE):
        part = slice(first, first + _TEXTS_AT_ONCE)
        start = ends[first] - counts[first]
        own = shingles[start : ends[part][-1]]
        offsets = ends[part] - counts[part] - start
        for row, factor in enumerate(factors):
            signature[row, part] = np.minimum.reduceat(
                (own * factor) >> np.uint64(32), offsets
            )
    return signature


def _propose(signature: npt.NDArray[np.uint32]) -> Ints:
    """Return the pairs of texts that agree in a band. [P, 2] int64, sorted."""
    num_texts = signature.shape[1]
    found = [np.empty(0, np.int64)]
    for band in np.split(signature.astype(np.uint64), NUM_BANDS):
        keys = np.zeros(num_texts, np.uint64)
        for row in band:
            keys = _mix(keys * np.uint64(0x9E3779B97F4A7C15) + row)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        for distance in range(1, _NEIGHBOURS):
            same = np.flatnonzero(keys[distance:] == keys[:-distance])
            if not len(same):
                break
            found.append(
                order[same] * num_texts + order[same + distance]
            )  # stable: the lower number first
    pairs = np.unique(np.concatenate(found))
    return np.stack([pairs // max(num_texts, 1), pairs % max(num_texts, 1)], axis=1)


def _similarities(
    pairs: Ints, shingles: Hashes, starts: Ints, counts: Ints
) -> npt.NDArray[np.float64]:
    """Return the Jaccard similarity of the shingles of each pair. [P] float64."""
    sets = {
        text: set(shingles[starts[text] : starts[text] + counts[text]].tolist())
        for text in np.unique(pairs).tolist()
    }
    similarities = (
        len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        for one, other in zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True)
    )
    return np.fromiter(similarities, np.float64, len(pairs))
