"""Encoded texts: token ids in one flat array. Does not import torch.

Shapes: N texts, M tokens in all of them, K distinct words, V words in the vocabulary.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import UNK, TokenizedTexts, build_tokenizer
from rnncls.text.vocab import UNK_ID, UnknownWords, Vocab


@dataclass(frozen=True)
class EncodedTexts:
    """N texts as slices of one flat array of token ids.

    Attributes:
        token_ids: [M] int32, in 0..V-1, or those of `unknown`.
        lengths: [N] int64, tokens in each text, at least 1.
        starts: [N] int64, where each text begins in `token_ids`.
        unknown: The unknown words that have token ids of their own (see
            `Vocab.encode_open`); None: all have `UNK_ID`.
    """

    token_ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    unknown: UnknownWords | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.lengths)

    def select(self, rows: npt.NDArray[np.int64]) -> "EncodedTexts":
        """Return the texts with these row numbers, in this order.

        The token ids are shared, not copied.
        """
        return replace(self, lengths=self.lengths[rows], starts=self.starts[rows])

    def is_unknown(self) -> npt.NDArray[np.bool_]:
        """Return which of the M tokens the vocabulary lacks. [M] bool."""
        is_unknown: npt.NDArray[np.bool_] = self.token_ids == UNK_ID  # [M]
        if self.unknown is not None:
            is_unknown |= self.token_ids >= self.unknown.first_id
        return is_unknown

    def close(self) -> "EncodedTexts":
        """Return the texts with `UNK_ID` for each unknown word."""
        token_ids = np.where(self.is_unknown(), np.int32(UNK_ID), self.token_ids)
        return replace(self, token_ids=token_ids, unknown=None)

    def limit_words(self, num_words: int) -> "EncodedTexts":
        """Return the texts with `UNK_ID` for all but the first words."""
        is_known = self.token_ids < num_words
        token_ids = np.where(is_known, self.token_ids, np.int32(UNK_ID))
        return replace(self, token_ids=token_ids)

    def flat_tokens(self) -> npt.NDArray[np.int32]:
        """Return the token ids of all texts, one text after the other.

        Unlike `token_ids`, this has no tokens of texts that `select` left out.

        Returns:
            [sum of `lengths`] int32.
        """
        ends = np.cumsum(self.lengths)
        offsets = self.starts - (ends - self.lengths)  # [N]
        indices = np.arange(self.lengths.sum()) + np.repeat(offsets, self.lengths)
        flat: npt.NDArray[np.int32] = self.token_ids[indices]
        return flat


def encode_texts(texts: TokenizedTexts, vocab: Vocab) -> EncodedTexts:
    """Return the texts as token ids of a vocabulary, subwords divided into pieces."""
    return encode_pieces(vocab.divide(texts), vocab)


def encode_pieces(texts: TokenizedTexts, vocab: Vocab) -> EncodedTexts:
    """Return texts that `vocab.divide` returned as token ids."""
    starts = np.cumsum(texts.lengths) - texts.lengths
    id_of_word, unknown = vocab.encode_open(texts.words)  # [K]
    token_ids = id_of_word[texts.word_ids]  # [M]
    return EncodedTexts(token_ids, texts.lengths, starts, unknown)


def encode_text(
    text: str, section: TextSection, vocab: Vocab
) -> tuple[list[str], EncodedTexts]:
    """Return the tokens of one text, and the encoded text."""
    tokens = vocab.divide_tokens(build_tokenizer(section)(text))
    token_ids, unknown = vocab.encode_open(tokens)  # [M]
    lengths = np.array([len(tokens)])
    starts = np.zeros(1, np.int64)
    return tokens, EncodedTexts(token_ids, lengths, starts, unknown)


def count_tokens(
    tokenized: TokenizedTexts, encoded: EncodedTexts
) -> npt.NDArray[np.int64]:
    """Return how many tokens of each text were read, are unknown, and were cut off.

    The `<unk>` that replaces a text without tokens is not counted.

    Returns:
        [N, 3] int64.
    """
    num_texts = len(encoded)
    if num_texts == 0:
        return np.zeros((0, 3), np.int64)
    lengths, starts = encoded.lengths, encoded.starts
    is_unknown = encoded.is_unknown()  # [M]
    num_unknown = np.add.reduceat(is_unknown, starts, dtype=np.int64)  # [N]
    num_cut = tokenized.num_cut
    if num_cut is None:
        num_cut = np.zeros(num_texts, np.int64)
    counts = np.stack([lengths, num_unknown, num_cut], axis=1)  # [N, 3]
    if UNK in tokenized.words:
        unk = tokenized.words.index(UNK)
        first_words = tokenized.word_ids[starts]  # [N]
        stands_for_nothing = (first_words == unk) & (lengths == 1)  # [N]
        counts[stands_for_nothing, :2] = 0
    return counts
