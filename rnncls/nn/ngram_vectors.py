"""Vectors of words from those of their character n-grams (rnncls.text.char_ngrams).

The embedding has a row for each word and, after these, one for each bucket of n-grams.

Shapes: V rows of the embedding, E embedding_dim, W words, G n-grams of all of them.
"""

import torch
import torch.nn.functional as F

from rnncls.text.char_ngrams import WordNgrams


def mean_ngrams(embedding: torch.Tensor, ngrams: WordNgrams) -> torch.Tensor:
    """Return the mean vector of the n-grams of each word, 0 for a word without any.

    Args:
        embedding: [V, E] float32.
        ngrams: The n-grams of W words.

    Returns:
        [W, E] float32.
    """
    device = embedding.device
    rows = torch.from_numpy(ngrams.rows).to(device)  # [G]
    starts = torch.from_numpy(ngrams.starts).to(device)  # [W]
    return F.embedding_bag(rows, embedding, starts, mode="mean")
