"""The features of the n-gram part: TF-IDF of n-grams of token ids, and of spellings.

A token's character n-grams depend on the token alone, so what they add to a text can be
added up once for each token of the vocabulary: they cost nothing when texts are read.

Shapes: N texts, M tokens in all of them, K n-grams, G character n-grams, V words.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_hash import NO_KEY, hash_ngrams
from rnncls.text.tokenizer import number_by_appearance
from rnncls.training.sparse_matrix import SparseMatrix, build_sparse

_MIN_TEXTS = 2
"""An n-gram of several tokens must occur at least so often in the training texts."""
_CHARACTER_SIZES = (2, 3, 4, 5)
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
        counts = count_ngrams(texts, self.keys, self.max_size)
        squares = torch.from_numpy(self.squares)[:, None]  # [K, 1]
        norms = counts.multiply(squares).sqrt()  # [N, 1]
        return counts.scale_rows(norms[:, 0].clamp(min=1e-6).reciprocal())


def collect_features(
    texts: EncodedTexts, words: Sequence[str], max_size: int, max_ngrams: int
) -> NgramFeatures:
    """Return the features of training texts.

    Args:
        texts: N training texts.
        words: The V words of the vocabulary.
        max_size: The number of tokens of the longest n-grams.
        max_ngrams: At most this many n-grams, and as many character n-grams, are used:
            the most frequent ones.
    """
    keys = _select_keys(texts, max_size, max_ngrams)
    matrix = count_ngrams(texts, keys, max_size)
    counts = _count_texts(matrix)  # [K]
    idf = _compute_idf(counts, len(texts))  # [K]
    spellings = list_spellings(words, keys)
    expand = _build_expansion(idf, spellings, counts, len(texts), max_ngrams)
    squares = torch.zeros(len(keys))
    squares.index_add_(0, expand.rows(), expand.values.square())
    return NgramFeatures(max_size, keys, expand, squares.numpy(), counts)


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


def _count_texts(matrix: SparseMatrix) -> Ints:
    """Return in how many rows each column has a value. [R, S] -> [S] int64."""
    places = matrix.rows() * matrix.num_columns + matrix.columns
    columns = np.unique(places.numpy()) % max(matrix.num_columns, 1)
    return np.bincount(columns, minlength=matrix.num_columns)


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
    num_rows = spellings.rows.max(initial=0) + 1
    # A word may have the same character n-gram several times.
    places = np.unique(spellings.columns * num_rows + spellings.rows)
    num_words = np.bincount(places // num_rows, minlength=num_columns)  # [G]
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

    A token of one character has none of its own.

    Args:
        words: The V words of the vocabulary.
        keys: [K], ascending.
    """
    numbers = number_by_appearance()
    first_keys = keys[keys <= len(words)].tolist()
    row_of = {key: row for row, key in enumerate(first_keys)}
    rows, columns = array("q"), array("q")
    for token_id, word in enumerate(words):
        row = row_of.get(token_id + 1)  # the key of the word
        if row is None or len(word) == 1:
            continue
        for characters in _list_characters(word):
            rows.append(row)
            columns.append(numbers[characters])
    return Spellings(
        np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64), len(numbers)
    )


def _list_characters(word: str) -> Iterator[str]:
    """Yield the character n-grams of a word with a space on each side."""
    padded = f" {word} "
    for size in _CHARACTER_SIZES:
        for start in range(len(padded) - size + 1):
            yield padded[start : start + size]
