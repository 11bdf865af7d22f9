"""The n-gram part of a classifier in NumPy; see `rnncls.nn.ngrams`.

Shapes: N texts, M tokens in all of them, L sizes of n-grams, K n-grams in the table, C
classes.
"""

import numpy as np
import numpy.typing as npt

from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_hash import hash_ngrams
from rnncls.text.ngram_table import NgramTable

_MIN_SQUARE = np.float32(1e-12)

Array = npt.NDArray[np.float32]


def compute_ngram_logits(table: NgramTable, texts: EncodedTexts) -> Array:
    """Return the logits of the n-gram part, multiplied by its scale. [N, C]."""
    num_texts, num_classes = len(texts), len(table.bias)
    sums = np.zeros((num_texts, num_classes), np.float32)  # [N, C]
    squares = np.zeros(num_texts, np.float32)  # [N]
    text_of, rows = _find_rows(table, texts)
    if len(rows):
        found_texts, starts = np.unique(text_of, return_index=True)
        sums[found_texts] = np.add.reduceat(table.weights[rows], starts, axis=0)
        squares[found_texts] = np.add.reduceat(table.squares[rows], starts)
    norms = np.sqrt(np.maximum(squares, _MIN_SQUARE))  # [N]
    logits: Array = (sums / norms[:, None] + table.bias).astype(np.float32)  # [N, C]
    return logits * np.float32(table.scale)


def _find_rows(
    table: NgramTable, texts: EncodedTexts
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the text and the row of each n-gram that is in the table, text by text."""
    token_ids = texts.close().flat_tokens()  # [M]
    keys = hash_ngrams(token_ids, texts.lengths, table.max_size).T  # [M + N, L]
    if not len(table.keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows = np.searchsorted(table.keys, keys).clip(max=len(table.keys) - 1)
    is_found = table.keys[rows] == keys  # [M + N, L]
    text_of = np.repeat(np.arange(len(texts)), texts.lengths + 1)  # [M + N]
    text_of_rows = np.broadcast_to(text_of[:, None], keys.shape)  # [M + N, L]
    return text_of_rows[is_found], rows[is_found]
