"""The features of the n-gram part: TF-IDF of n-grams of token ids, and of spellings.

A token's character n-grams depend on the token alone, so what they add to a text can be
added up once for each token of the vocabulary: they cost nothing when texts are read.

Shapes: N texts, M tokens in all of them, K n-grams, G character n-grams, V words, Z
character n-grams of all words, X characters of all words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_hash import NO_KEY, hash_ngrams
from rnncls.training.sparse_matrix import SparseMatrix, SparsePattern, build_sparse

_MIN_TEXTS = 2
"""An n-gram of several tokens must occur at least so often in the training texts."""
_MAX_CHARACTERS = 5
"""Character n-grams have two characters or more, up to so many."""
_MIN_WORDS = 2
"""A character n-gram must occur in at least this many words."""
_NO_NUMBER = -1
"""In place of the number of an n-gram that is not in the table."""
_CHARACTER_WEIGHT = 0.6
"""The weight of a character n-gram, compared with that of a token."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NgramFeatures:
    """The n-grams that are known, and the weights of their parameters.

    Attributes:
        max_size: The number of tokens of the longest n-grams.
        keys: [K] int64, ascending.
        expand: [K, K + G], from parameters to weights: the IDF of each n-gram, and of
            the character n-grams of each token.
        squares: [K] float32, what each n-gram adds to the squared norm of a text.
        counts: [K] int64, in how many training texts each n-gram is.
    """

    max_size: int
    keys: Ints
    expand: SparseMatrix
    squares: Floats
    counts: Ints

    def transform(self, texts: EncodedTexts) -> SparseMatrix:
        """Return how often each n-gram is in each text, divided by the norm. [N, K]."""
        return self.normalize(count_ngrams(texts, self.keys, self.max_size))

    def normalize(self, counts: SparseMatrix) -> SparseMatrix:
        """Divide what `count_ngrams` returned by the norm of each text. [N, K]."""
        squares = torch.from_numpy(self.squares)[:, None]  # [K, 1]
        norms = counts.multiply(squares).sqrt()  # [N, 1]
        return counts.scale_rows(norms[:, 0].clamp(min=1e-6).reciprocal())


def collect_features(
    texts: EncodedTexts, words: Sequence[str], max_size: int, max_ngrams: int
) -> tuple[NgramFeatures, SparseMatrix]:
    """Return the features of training texts, and what `transform` returns for these.

    Args:
        texts: N training texts.
        words: The V words of the vocabulary.
        max_size: The number of tokens of the longest n-grams.
        max_ngrams: At most this many n-grams, and as many character n-grams, are used:
            the most frequent ones.
    """
    ngrams = _hash_texts(texts, max_size)  # [M + N, L]
    keys, numbers = _select_ngrams(ngrams, max_ngrams)  # [K], [M + N, L]
    matrix = _build_matrix(texts, numbers, len(keys))
    counts = matrix.pattern.count_rows().numpy()  # [K]
    idf = _compute_idf(counts, len(texts))  # [K]
    spellings = list_spellings(words, keys)
    expand = _build_expansion(idf, spellings, counts, len(texts), max_ngrams)
    squares = torch.zeros(len(keys))
    squares.index_add_(0, expand.pattern.rows, expand.values.square())
    features = NgramFeatures(max_size, keys, expand, squares.numpy(), counts)
    return features, features.normalize(matrix)


def count_ngrams(texts: EncodedTexts, keys: Ints, max_size: int) -> SparseMatrix:
    """Return which of the n-grams are in each text, an entry for each occurrence.

    Args:
        texts: N texts.
        keys: [K], ascending.
        max_size: L, the number of tokens of the longest n-grams.

    Returns:
        [N, K], all values are 1.
    """
    ngrams = _hash_texts(texts, max_size).numpy()  # [M + N, L]
    numbers = np.searchsorted(keys, ngrams).clip(max=len(keys) - 1)  # [M + N, L]
    numbers[keys[numbers] != ngrams] = _NO_NUMBER
    return _build_matrix(texts, torch.from_numpy(numbers), len(keys))


def _hash_texts(texts: EncodedTexts, max_size: int) -> torch.Tensor:
    """Return the key of the n-gram of each size at each token. [M + N, L] int64."""
    token_ids = texts.close().flat_tokens()  # [M]
    keys = hash_ngrams(token_ids, texts.lengths, max_size)  # [L, M + N]
    return torch.from_numpy(keys).t().contiguous()


def _select_ngrams(ngrams: torch.Tensor, max_ngrams: int) -> tuple[Ints, torch.Tensor]:
    """Select the most frequent n-grams; of equally frequent ones, the shorter ones.

    Args:
        ngrams: [M + N, L], the keys of the n-grams of each size.
        max_ngrams: At most this many are selected.

    Returns:
        The selected keys in ascending order, [K] int64, and for each key of `ngrams`
        its number among these, or `_NO_NUMBER`, [M + N, L] int64.
    """
    keys, inverse, counts = torch.unique(
        ngrams, return_inverse=True, return_counts=True
    )  # [U], [M + N, L], [U]
    max_size = ngrams.shape[1]
    sizes = torch.empty_like(keys)  # [U]
    for size in range(max_size, 0, -1):  # of n-grams with the same key, the shortest
        sizes[inverse[:, size - 1]] = size
    is_frequent = (sizes == 1) | (counts >= _MIN_TEXTS)
    candidates = torch.nonzero(is_frequent & (keys != NO_KEY))[:, 0]
    ranks = sizes[candidates] - counts[candidates] * (max_size + 1)
    selected = candidates[torch.argsort(ranks, stable=True)[:max_ngrams]]
    is_selected = torch.zeros(len(keys), dtype=torch.bool)  # [U]
    is_selected[selected] = True
    numbers = (is_selected.cumsum(0) - 1).masked_fill(~is_selected, _NO_NUMBER)  # [U]
    return keys[is_selected].numpy(), numbers[inverse]


def _build_matrix(
    texts: EncodedTexts, numbers: torch.Tensor, num_ngrams: int
) -> SparseMatrix:
    """Return a matrix with a 1 for each occurrence of an n-gram. [N, K].

    Args:
        texts: N texts.
        numbers: [M + N, L], the column of each n-gram, or `_NO_NUMBER`.
        num_ngrams: K.
    """
    is_known = numbers != _NO_NUMBER  # [M + N, L]
    ends = torch.from_numpy(np.cumsum(texts.lengths + 1))  # [N]
    num_known = is_known.sum(dim=1).cumsum(dim=0)  # [M + N]
    offsets = F.pad(num_known[ends - 1], (1, 0))  # [N + 1]
    columns = numbers[is_known].int()  # [Z]
    pattern = SparsePattern(num_ngrams, columns, offsets.int())
    return SparseMatrix(pattern, torch.ones(len(pattern.columns)))


def _count_distinct(groups: Ints, members: Ints, num_groups: int) -> Ints:
    """Return how many different members each group has.

    Args:
        groups: [Z], the group of each entry.
        members: [Z], its member, at least 0; it may be the same as in other entries.
        num_groups: How many groups there are.

    Returns:
        [num_groups] int64.
    """
    num_members = members.max(initial=0) + 1
    pairs = np.sort(groups * num_members + members)  # [Z]
    is_new = np.diff(pairs, prepend=-1) != 0  # [Z]
    return np.bincount(pairs[is_new] // num_members, minlength=num_groups)


def _compute_idf(counts: Ints, num_texts: int) -> Floats:
    """Return the inverse document frequencies, as scikit-learn smooths them."""
    return (np.log((1 + num_texts) / (1 + counts)) + 1).astype(np.float32)


def _build_expansion(
    idf: Floats, spellings: "Spellings", counts: Ints, num_texts: int, max_columns: int
) -> SparseMatrix:
    """Return the matrix from parameters to weights. [K, K + G].

    Args:
        idf: [K].
        spellings: The character n-grams of the tokens in the table.
        counts: [K], in how many texts each n-gram is.
        num_texts: N.
        max_columns: At most this many character n-grams are used.
    """
    num_ngrams = len(idf)
    sums = np.bincount(
        spellings.columns, counts[spellings.rows], spellings.num_columns
    )  # [G before selection]
    text_counts = sums.astype(np.int64).clip(max=num_texts)
    new_columns = _select_columns(spellings, text_counts, max_columns)
    weights = _CHARACTER_WEIGHT * _compute_idf(text_counts, num_texts)
    columns = new_columns[spellings.columns]
    is_kept = columns >= 0
    diagonal = np.arange(num_ngrams)
    all_rows = np.concatenate([diagonal, spellings.rows[is_kept]])
    all_columns = np.concatenate([diagonal, num_ngrams + columns[is_kept]])
    all_values = np.concatenate([idf, weights[spellings.columns[is_kept]]])
    return build_sparse(
        torch.from_numpy(all_rows),
        torch.from_numpy(all_columns),
        torch.from_numpy(all_values),
        num_ngrams,
        num_ngrams + int(new_columns.max(initial=-1)) + 1,
    )


def _select_columns(
    spellings: "Spellings", text_counts: Ints, max_columns: int
) -> Ints:
    """Return the new number of each character n-gram, -1 if it is not used. [G]."""
    num_columns = spellings.num_columns
    # A word may have the same character n-gram several times.
    num_words = _count_distinct(spellings.columns, spellings.rows, num_columns)  # [G]
    most_frequent = np.argsort(-text_counts, kind="stable")  # [G]
    is_shared = num_words[most_frequent] >= _MIN_WORDS  # [G]
    used = most_frequent[is_shared][:max_columns]
    used.sort()
    new_columns = np.full(num_columns, -1)
    new_columns[used] = np.arange(len(used))
    return new_columns


class Spellings(NamedTuple):
    """Which token of the table has which character n-gram.

    Attributes:
        rows: [Z] int64, the row of the token in the table.
        columns: [Z] int64, the number of the character n-gram.
        num_columns: How many different ones there are.
    """

    rows: Ints
    columns: Ints
    num_columns: int


def list_spellings(words: Sequence[str], keys: Ints) -> Spellings:
    """List the character n-grams of the tokens that are in the table.

    A space on each side of a token counts as one of its characters. A token of one
    character has no n-grams of its own.

    Args:
        words: The V words of the vocabulary.
        keys: [K], ascending.
    """
    first_keys = keys[keys <= len(words)].tolist()
    spelled = [words[key - 1] for key in first_keys]  # the key of word i is i + 1
    table_rows = [row for row, word in enumerate(spelled) if len(word) > 1]
    padded = [f" {spelled[row]} " for row in table_rows]
    word_of, numbers = _number_characters(padded)  # [Z] each
    columns, num_columns = _number_by_appearance(numbers)  # [Z]
    rows = np.array(table_rows, dtype=np.int64)[word_of]  # [Z]
    return Spellings(rows, columns, num_columns)


def _number_characters(words: Sequence[str]) -> tuple[Ints, Ints]:
    """Number the character n-grams of words: equal ones have the same number.

    An n-gram is known by the number of its characters without the last one, and by the
    last one.

    Args:
        words: The words.

    Returns:
        The word of each n-gram, ascending, and the number of the n-gram. [Z] each.
    """
    lengths = np.array([len(word) for word in words], dtype=np.int64)  # [V]
    word_at = np.repeat(np.arange(len(words)), lengths)  # [X]
    num_left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(word_at))  # [X]
    text = "".join(words).encode("utf-32-le", errors="surrogatepass")
    _, characters = np.unique(np.frombuffer(text, "<u4"), return_inverse=True)  # [X]
    num_characters = characters.max(initial=0) + 1
    starts, numbers = np.arange(len(characters)), characters
    all_words, all_numbers, num_ngrams = [], [], 0
    for size in range(2, _MAX_CHARACTERS + 1):
        has_next = num_left[starts] >= size
        starts, shorter = starts[has_next], numbers[has_next]
        pairs = shorter * num_characters + characters[starts + size - 1]
        _, numbers = np.unique(pairs, return_inverse=True)
        all_words.append(word_at[starts])
        all_numbers.append(num_ngrams + numbers)
        num_ngrams += numbers.max(initial=-1) + 1
    word_of = np.concatenate(all_words)  # [Z]
    by_word = np.argsort(word_of, kind="stable")
    return word_of[by_word], np.concatenate(all_numbers)[by_word]


def _number_by_appearance(numbers: Ints) -> tuple[Ints, int]:
    """Number different numbers in the order of their first appearance, from 0.

    Args:
        numbers: [Z].

    Returns:
        The new numbers, [Z] int64, and how many different ones there are.
    """
    _, firsts, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    new_numbers = np.empty_like(firsts)
    new_numbers[np.argsort(firsts)] = np.arange(len(firsts))
    return new_numbers[inverse], len(firsts)
