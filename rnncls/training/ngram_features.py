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

from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_hash import NO_KEY, hash_ngrams
from rnncls.training.sparse_matrix import SparseMatrix, build_sparse

_MIN_TEXTS = 2
"""An n-gram of several tokens must occur at least so often in the training texts."""
_MAX_CHARACTERS = 5
"""Character n-grams have two characters or more, up to so many."""
_MIN_WORDS = 2
"""A character n-gram must occur in at least this many words."""
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
    keys = _select_keys(texts, max_size, max_ngrams)
    matrix = count_ngrams(texts, keys, max_size)
    rows = matrix.rows().numpy()
    counts = _count_distinct(matrix.columns.numpy(), rows, len(keys))  # [K]
    idf = _compute_idf(counts, len(texts))  # [K]
    spellings = list_spellings(words, keys)
    expand = _build_expansion(idf, spellings, counts, len(texts), max_ngrams)
    squares = torch.zeros(len(keys))
    squares.index_add_(0, expand.rows(), expand.values.square())
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
    token_ids = texts.close().flat_tokens()  # [M]
    found = hash_ngrams(token_ids, texts.lengths, max_size)  # [L, M + N]
    indices = np.searchsorted(keys, found).clip(max=len(keys) - 1)  # [L, M + N]
    is_known = keys[indices] == found  # [L, M + N]
    text_of = np.repeat(np.arange(len(texts)), texts.lengths + 1)  # [M + N]
    rows = np.broadcast_to(text_of, found.shape)[is_known]
    columns = indices[is_known]
    return build_sparse(
        torch.from_numpy(rows),
        torch.from_numpy(columns),
        torch.ones(len(rows)),
        len(texts),
        len(keys),
    )


def _select_keys(texts: EncodedTexts, max_size: int, max_ngrams: int) -> Ints:
    """Return the keys of the most frequent n-grams, in ascending order."""
    token_ids = texts.close().flat_tokens()  # [M]
    found = hash_ngrams(token_ids, texts.lengths, max_size)  # [L, M + N]
    all_keys, all_counts = [], []
    for size, keys_of_size in enumerate(found, start=1):
        found_keys = keys_of_size[keys_of_size != NO_KEY]
        keys, counts = np.unique(found_keys, return_counts=True)
        is_kept = counts >= (1 if size == 1 else _MIN_TEXTS)
        all_keys.append(keys[is_kept])
        all_counts.append(counts[is_kept])
    counts = np.concatenate(all_counts)
    most_frequent = np.argsort(-counts, kind="stable")[:max_ngrams]
    # Two n-grams may have the same key: they become one.
    return np.unique(np.concatenate(all_keys)[most_frequent])


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
    text_counts = np.zeros(spellings.num_columns, np.int64)  # [G before selection]
    np.add.at(text_counts, spellings.columns, counts[spellings.rows])
    text_counts = text_counts.clip(max=num_texts)
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
