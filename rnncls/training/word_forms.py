"""Word vectors of a training step with character n-grams (`text.char_ngrams`).

The vector of a word is the sum of its own row of the embedding and the mean of the rows
of its n-grams (rnncls.text.char_ngrams). An unknown word has the row of `<unk>` in
place of its own. So has a word that word dropout drops: it keeps its n-grams, and the
network learns to read words that it does not know. A *form* is a word that is dropped,
or not.

Shapes: B texts in a batch, T tokens in the longest of them, W token ids, V rows of the
embedding, F distinct forms in a batch, G n-grams of all of them, R distinct rows that
these need, E embedding_dim.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F

from rnncls.text.batching import unique_words
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import UNK_ID, Vocab


@dataclass(frozen=True)
class WordForms:
    """The rows that make up each of F forms, as indices into the step's R rows.

    Attributes:
        own_rows: [F] int64, the word's own row, or that of `<unk>`.
        ngram_rows: [G] int64, the rows of the n-grams of one form after the other.
        ngram_starts: [F] int64, where the n-grams of each form begin in `ngram_rows`.
    """

    own_rows: torch.Tensor
    ngram_rows: torch.Tensor
    ngram_starts: torch.Tensor

    def compose(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the vector of each form from the rows. [R, E] -> [F, E]."""
        own = F.embedding(self.own_rows, rows)  # [F, E]
        ngrams = F.embedding_bag(
            self.ngram_rows, rows, self.ngram_starts, mode="mean"
        )  # [F, E]
        return own + ngrams


class BatchWords(NamedTuple):
    """The rows of the embedding that a batch needs.

    Attributes:
        row_ids: [R] int64, the distinct rows, in ascending order.
        word_rows: [B, T] int64, for each token the row of its word in `row_ids`, or its
            form in `forms`.
        forms: How the vectors of words are made of the rows; None: each row is the
            vector of a word.
    """

    row_ids: torch.Tensor
    word_rows: torch.Tensor
    forms: WordForms | None = None


def find_words(
    token_ids: torch.Tensor, vocab_size: int, *, may_wait: bool
) -> BatchWords:
    """Return the rows that a batch needs without n-grams; see `unique_words`."""
    return BatchWords(*unique_words(token_ids, vocab_size, may_wait=may_wait))


class FormFinder:
    """The n-grams of all words of the training texts, on the device."""

    def __init__(self, vocab: Vocab, texts: EncodedTexts, device: torch.device) -> None:
        """Copy the n-grams of the vocabulary and of the unknown words to the device.

        Args:
            vocab: A vocabulary with n-grams.
            texts: Encoded with it.
            device: The device of the model.
        """
        known, unknown = vocab.word_ngrams, texts.unknown
        assert known is not None
        assert unknown is not None
        self.num_rows = vocab.num_rows
        num_buckets = self.num_rows - len(vocab)
        known_rows = torch.from_numpy(known.rows)
        unknown_rows = torch.from_numpy(unknown.ngrams.rows)
        self.ngram_rows = torch.cat([known_rows, unknown_rows]).to(device)
        # The token ids between those of known and of unknown words are buckets.
        counts = torch.cat(
            [
                torch.from_numpy(known.counts),
                torch.zeros(num_buckets, dtype=torch.int64),
                torch.from_numpy(unknown.ngrams.counts),
            ]
        )  # [W]
        self.counts = counts.to(device)
        self.starts = (counts.cumsum(0) - counts).to(device)  # [W]

    def find_forms(self, token_ids: torch.Tensor, kept_ids: torch.Tensor) -> BatchWords:
        """Return the rows that a batch needs, and how its words are made of them.

        On a GPU, the host waits for the device.

        Args:
            token_ids: [B, T] int64.
            kept_ids: [B, T] int64, the same after word dropout.
        """
        num_words = len(self.counts)
        is_dropped = kept_ids != token_ids  # [B, T]
        form_ids, forms = unique_words(
            token_ids + num_words * is_dropped, 2 * num_words
        )  # [F], [B, T]
        words = form_ids % num_words  # [F]
        has_own_row = (form_ids < num_words) & (words < self.num_rows)  # [F]
        own_rows = torch.where(has_own_row, words, UNK_ID)  # [F]
        ngram_rows, counts = self._select_ngrams(words)  # [G], [F]
        needed = torch.cat([own_rows, ngram_rows])  # [F + G]
        rows, indices = unique_words(needed, self.num_rows)  # [R], [F + G]
        ngram_starts = counts.cumsum(0) - counts  # [F]
        num_forms = len(form_ids)
        parts = WordForms(indices[:num_forms], indices[num_forms:], ngram_starts)
        return BatchWords(rows, forms, parts)

    def _select_ngrams(self, words: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the n-grams of words [F], and how many each has. [G], [F] int64."""
        counts = self.counts[words]  # [F]
        ends = counts.cumsum(0)  # [F]
        offsets = self.starts[words] - (ends - counts)  # [F]
        positions = torch.arange(int(counts.sum()), device=words.device)  # [G]
        indices = positions + offsets.repeat_interleave(counts)  # [G]
        return self.ngram_rows[indices], counts


def build_form_finder(
    vocab: Vocab, texts: EncodedTexts, device: torch.device
) -> FormFinder | None:
    """Return the n-grams of the words of texts; None if the vocabulary has none."""
    if vocab.char_ngrams is None:
        return None
    return FormFinder(vocab, texts, device)
