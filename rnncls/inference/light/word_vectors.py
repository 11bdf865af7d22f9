"""Word vectors in NumPy, with those of unknown words by their character n-grams.

Shapes: V rows of the embedding, E embedding_dim, U unknown words of the texts.
"""

import numpy as np
import numpy.typing as npt

from rnncls.runs.portable import Array
from rnncls.text.vocab import UNK_ID, UnknownWords


def embed_unknown(embedding: Array, unknown: UnknownWords | None) -> Array:
    """Return the vectors of unknown words, as `TextClassifier.bind` computes them.

    Args:
        embedding: [V, E].
        unknown: The unknown words that have token ids of their own; None: there are
            none.

    Returns:
        [U, E] float32.
    """
    if unknown is None:
        return embedding[:0]
    ngrams = unknown.ngrams
    vectors = np.tile(embedding[UNK_ID], (len(ngrams), 1))  # [U, E]
    has_ngrams = ngrams.counts > 0  # [U]
    starts = ngrams.starts[has_ngrams]
    if len(starts):
        sums = np.add.reduceat(embedding[ngrams.rows], starts)
        vectors[has_ngrams] += sums / ngrams.counts[has_ngrams, None].astype(np.float32)
    return vectors


def embed(
    embedding: Array, unknown_vectors: Array, token_ids: npt.NDArray[np.int32]
) -> Array:
    """Return the word vectors of token ids. [V, E], [U, E], [...] -> [..., E]."""
    is_unknown = token_ids >= len(embedding)  # [...]
    if not is_unknown.any():
        return embedding[token_ids]
    vectors = embedding[np.where(is_unknown, UNK_ID, token_ids)]  # [..., E]
    vectors[is_unknown] = unknown_vectors[token_ids[is_unknown] - len(embedding)]
    return vectors
