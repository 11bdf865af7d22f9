"""Word dropout that keeps pretrained vectors, for runs with `text.vector_words`.

A word that no training row has is read by its pretrained vector alone: the first D
columns of its row of the embedding, while the others are 0. So that the network learns
to read such words, half of the words that word dropout drops are read in the same form:
by the first D columns of their own row. The other half is read as `<unk>`. Dhingra et
al. 2017 compare ways to read words outside the vocabulary.

Shapes: B texts in a batch, T tokens in the longest of them, V rows of the embedding, F
distinct forms in a batch, R distinct rows that these need, E embedding_dim, D columns
of the pretrained vectors.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rnncls.text.batching import drop_words, unique_words
from rnncls.training.word_forms import BatchWords


@dataclass(frozen=True)
class VectorForms:
    """The vectors of F forms, some of them without the last columns.

    Attributes:
        own_rows: [F] int64, the row of each word, as an index into the step's R rows.
        has_all_columns: [F] bool, whether the word was not dropped.
        width: D.
    """

    own_rows: torch.Tensor
    has_all_columns: torch.Tensor
    width: int

    def compose(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the vector of each form from the rows. [R, E] -> [F, E]."""
        columns = torch.arange(rows.shape[1], device=rows.device)  # [E]
        is_kept = self.has_all_columns[:, None] | (columns < self.width)  # [F, E]
        return F.embedding(self.own_rows, rows) * is_kept


class VectorFormFinder:
    """Drops words, and finds the rows that the others need."""

    def __init__(self, num_vector_words: int) -> None:
        """Take the number of words at the end of the embedding; at least 1."""
        self.num_vector_words = num_vector_words
        self._width: int | None = None

    def find_forms(
        self,
        token_ids: torch.Tensor,
        embedding: torch.Tensor,
        drop_prob: float,
        generator: torch.Generator,
        *,
        may_wait: bool,
    ) -> BatchWords:
        """Drop words, and return the rows that a batch needs.

        Args:
            token_ids: [B, T] int64.
            embedding: [V, E].
            drop_prob: The probability that a word is dropped, in either way.
            generator: Draws the words.
            may_wait: Whether the host may wait for the device (see `unique_words`).
        """
        num_rows = len(embedding)
        half = drop_prob / 2
        read_ids = drop_words(token_ids, half, generator)  # [B, T]
        others = drop_words(read_ids, half / (1 - half), generator)  # [B, T]
        is_dropped = others != read_ids  # [B, T]
        form_ids, forms = unique_words(
            read_ids + num_rows * is_dropped, 2 * num_rows, may_wait=may_wait
        )  # [F], [B, T]
        rows, own_rows = unique_words(
            form_ids % num_rows, num_rows, may_wait=may_wait
        )  # [R], [F]
        parts = VectorForms(own_rows, form_ids < num_rows, self.find_width(embedding))
        return BatchWords(rows, forms, parts)

    def find_width(self, embedding: torch.Tensor) -> int:
        """Return D: the columns of words of the file of vectors that are not 0."""
        if self._width is None:
            vectors = embedding[len(embedding) - self.num_vector_words :]  # [X, E]
            used_columns = vectors.any(dim=0).nonzero()
            self._width = int(used_columns.max()) + 1 if len(used_columns) else 0
        return self._width
