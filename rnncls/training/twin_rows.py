"""For rows that may be mislabelled, the most similar row with another label.

Two texts are compared by the cosine of their TF-IDF vectors of words (Salton and
Buckley 1988), which needs no model.

Shapes: N texts, K distinct words, Z distinct words of each text in all texts, Q rows
whose twins are wanted.
"""

import numpy as np
import numpy.typing as npt
import torch

from rnncls.data.splits import Ints, Labels
from rnncls.text.tokenizer import TokenizedTexts
from rnncls.training.sparse_matrix import SparseMatrix, SparsePattern

_ROWS_AT_ONCE = 64


def find_twins(
    texts: TokenizedTexts, labels: Labels, candidates: Ints, wanted: Ints
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Return the most similar text with another label, for each wanted text.

    Args:
        texts: N tokenised texts.
        labels: [N] int64; for several labels a text [N, C] bool.
        candidates: The texts that may be a twin, int64.
        wanted: [Q] int64, the texts whose twins are wanted.

    Returns:
        The twins, [Q] int64, and their similarity from 0 to 1, [Q] float32. A twin is
        -1, and its similarity 0, if no candidate with another label has a word of the
        text.
    """
    vectors = build_tfidf(texts)
    may_be_twin = torch.zeros(len(labels), dtype=torch.bool)  # [N]
    may_be_twin[torch.from_numpy(candidates)] = True
    twins, similarities = [], []
    for rows in torch.split(torch.from_numpy(wanted), _ROWS_AT_ONCE):  # [q]
        cosines = vectors.multiply(_select_columns(vectors, rows))  # [N, q]
        has_same_label = _have_same_label(torch.from_numpy(labels), rows)  # [N, q]
        cosines[has_same_label] = 0
        cosines[~may_be_twin] = 0
        best = cosines.max(dim=0)
        similarities.append(best.values)
        twins.append(best.indices)
    all_similarities = torch.cat(similarities).clamp(0, 1)  # [Q]
    all_twins = torch.cat(twins)  # [Q]
    all_twins[all_similarities <= 0] = -1
    return all_twins.numpy(), all_similarities.numpy()


def build_tfidf(texts: TokenizedTexts) -> SparseMatrix:
    """Return the TF-IDF vector of each text, of length 1. [N, K] float32.

    A word counts once in a text, however often it occurs there.
    """
    num_texts, num_words = len(texts.lengths), len(texts.words)
    rows = np.repeat(np.arange(num_texts), texts.lengths)  # [M]
    codes = np.unique(rows * num_words + texts.word_ids)  # [Z]
    rows, columns = codes // num_words, codes % num_words  # [Z] each
    document_counts = np.bincount(columns, minlength=num_words)  # [K]
    # As scikit-learn's `TfidfTransformer` with `smooth_idf`.
    idf = np.log((1 + num_texts) / (1 + document_counts)) + 1  # [K]
    values = idf[columns]  # [Z]
    squares = np.bincount(rows, weights=values**2, minlength=num_texts)  # [N]
    values = values / np.sqrt(squares)[rows]
    ends = np.cumsum(np.bincount(rows, minlength=num_texts))  # [N]
    offsets = np.concatenate([[0], ends])  # [N + 1]
    pattern = SparsePattern(
        num_words, torch.from_numpy(columns).int(), torch.from_numpy(offsets).int()
    )
    return SparseMatrix(pattern, torch.from_numpy(values.astype(np.float32)))


def _select_columns(vectors: SparseMatrix, rows: torch.Tensor) -> torch.Tensor:
    """Return the vectors of some texts as the columns of a dense matrix. [K, q]."""
    pattern = vectors.pattern
    dense = torch.zeros(pattern.num_columns, len(rows))  # [K, q]
    for column, row in enumerate(rows.tolist()):
        start, end = pattern.offsets[row : row + 2].tolist()
        words = pattern.columns[start:end]
        dense[words, column] = vectors.values[start:end]
    return dense


def _have_same_label(labels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return which of all texts have the label, or the labels, of some. [N, q] bool."""
    if labels.ndim == 1:
        return labels[:, None] == labels[rows]
    is_same = [(labels == labels[row]).all(dim=1) for row in rows]
    return torch.stack(is_same, dim=1)
