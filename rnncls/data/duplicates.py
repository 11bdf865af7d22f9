"""Find texts that are the same, and pairs of texts that are nearly the same.

Two texts are the same if they have the same tokens in the same order: the network
cannot tell them apart. They are nearly the same if the sets of their runs of three
tokens (shingles) have a Jaccard similarity of at least THRESHOLD: the size of the
intersection, divided by the size of the union. Comparing all pairs would take hours.
Instead, MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", chapter 3) proposes pairs, whose similarity is then computed exactly.
A pair at the threshold is proposed with a probability of 99.98%, a more similar pair
with a higher one.

Shapes: N texts, M tokens in all of them, S shingles, H hashes, P pairs.
"""

import numpy as np
import numpy.typing as npt

from rnncls.text.tokenizer import TokenizedTexts

SHINGLE = 3
"""Tokens in a shingle; a shorter text is one shingle."""
THRESHOLD = 0.8
"""The Jaccard similarity from which on two texts are nearly the same."""
NUM_BANDS, BAND = 16, 4
"""A pair is proposed if all hashes of a band agree; H is the product."""
_NEIGHBOURS = 32
"""If more texts than this agree in a band, each is compared with the next ones only."""
_TEXTS_AT_ONCE = 50_000
_GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: the multiplier of Fibonacci hashing."""

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def group_texts(texts: TokenizedTexts) -> Ints:
    """Return a group number for each text; the same texts have the same number.

    Groups are numbered in the order of their first appearance. [N] int64.
    """
    groups: dict[bytes, int] = {}
    numbers = np.empty(len(texts.lengths), np.int64)
    start = 0
    for index, length in enumerate(texts.lengths.tolist()):
        tokens = texts.word_ids[start : start + length].tobytes()
        numbers[index] = groups.setdefault(tokens, len(groups))
        start += length
    return numbers


def find_near_pairs(texts: TokenizedTexts) -> Ints:
    """Return the pairs of texts that are nearly the same, sorted. [P, 2] int64.

    The lower number of a pair comes first.
    """
    shingles, counts = _hash_shingles(texts)
    starts = np.cumsum(counts) - counts
    pairs = _propose_pairs(_compute_signatures(shingles, counts))
    return pairs[_similarities(pairs, shingles, starts, counts) >= THRESHOLD]


def compare_pairs(texts: TokenizedTexts, pairs: Ints) -> npt.NDArray[np.float64]:
    """Return the Jaccard similarity of the shingles of each pair of texts. [P] float64.

    Args:
        texts: N of them.
        pairs: [P, 2] int64.
    """
    shingles, counts = _hash_shingles(texts)
    starts = np.cumsum(counts) - counts
    return _similarities(pairs, shingles, starts, counts)


def _hash_shingles(texts: TokenizedTexts) -> tuple[Hashes, Ints]:
    """Return the hashes of all shingles, and how many each text has.

    [S] uint64, [N] int64.
    """
    counts = np.maximum(texts.lengths - (SHINGLE - 1), 1)  # [N]
    first_shingles = np.cumsum(counts) - counts  # [N]
    first_tokens = np.cumsum(texts.lengths) - texts.lengths  # [N]
    positions = np.arange(counts.sum()) - np.repeat(first_shingles, counts)  # [S]
    starts = np.repeat(first_tokens, counts) + positions  # [S]
    num_left = np.repeat(texts.lengths, counts) - positions  # [S]
    padding = np.zeros(SHINGLE, np.int32)
    tokens = np.append(texts.word_ids, padding).astype(np.uint64)  # [M + SHINGLE]
    tokens += np.uint64(1)  # 0 stands for no token
    hashes = np.zeros(len(starts), np.uint64)  # [S]
    for offset in range(SHINGLE):
        next_tokens = np.where(
            offset < num_left, tokens[starts + offset], np.uint64(0)
        )  # [S]
        hashes = _mix(hashes * _GOLDEN_RATIO + next_tokens)
    return hashes, counts


def _mix(keys: Hashes) -> Hashes:
    """Scramble keys: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def _compute_signatures(shingles: Hashes, counts: Ints) -> npt.NDArray[np.uint32]:
    """Return the minimum of H hashes over the shingles of each text. [H, N] uint32."""
    num_hashes, num_texts = NUM_BANDS * BAND, len(counts)
    generator = np.random.default_rng(0)
    factors = generator.integers(0, 1 << 63, num_hashes, dtype=np.uint64)
    factors = factors * np.uint64(2) + np.uint64(1)  # [H], odd
    signatures = np.empty((num_hashes, num_texts), np.uint32)  # [H, N]
    ends = np.cumsum(counts)
    starts = ends - counts
    for first in range(0, num_texts, _TEXTS_AT_ONCE):
        part = slice(first, first + _TEXTS_AT_ONCE)
        part_shingles = shingles[starts[first] : ends[part][-1]]
        offsets = starts[part] - starts[first]
        for index, factor in enumerate(factors):
            hashes = (part_shingles * factor) >> np.uint64(32)
            signatures[index, part] = np.minimum.reduceat(hashes, offsets)
    return signatures


def _propose_pairs(signatures: npt.NDArray[np.uint32]) -> Ints:
    """Return the pairs of texts that agree in a band, sorted. [P, 2] int64."""
    num_texts = signatures.shape[1]
    codes = [np.empty(0, np.int64)]
    for band in np.split(signatures.astype(np.uint64), NUM_BANDS):
        keys = np.zeros(num_texts, np.uint64)  # [N]
        for hashes in band:
            keys = _mix(keys * _GOLDEN_RATIO + hashes)
        codes += _match_keys(keys)
    unique_codes = np.unique(np.concatenate(codes))
    divisor = max(num_texts, 1)
    return np.stack([unique_codes // divisor, unique_codes % divisor], axis=1)


def _match_keys(keys: Hashes) -> list[Ints]:
    """Return pairs of equal keys, the pair (i, j) as the number i * N + j."""
    num_texts = len(keys)
    order = np.argsort(keys, kind="stable")  # so that the lower number comes first
    keys = keys[order]
    codes = []
    for distance in range(1, _NEIGHBOURS):
        same = np.flatnonzero(keys[distance:] == keys[:-distance])
        if not len(same):
            break
        codes.append(order[same] * num_texts + order[same + distance])
    return codes


def _similarities(
    pairs: Ints, shingles: Hashes, starts: Ints, counts: Ints
) -> npt.NDArray[np.float64]:
    """Return the Jaccard similarity of the shingles of each pair. [P] float64."""
    sets: dict[int, set[int]] = {}
    for text in np.unique(pairs).tolist():
        end = starts[text] + counts[text]
        sets[text] = set(shingles[starts[text] : end].tolist())
    similarities = np.empty(len(pairs), np.float64)
    for index, (one, two) in enumerate(pairs.tolist()):
        num_common = len(sets[one] & sets[two])
        similarities[index] = num_common / len(sets[one] | sets[two])
    return similarities
