"""The vocabulary: which token has which id.

Shapes: K distinct words of the texts, V words in the vocabulary, U distinct unknown
words of the texts.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from rnncls.text.char_ngrams import CharNgrams, WordNgrams
from rnncls.text.tokenizer import UNK, TokenizedTexts

PAD = "<pad>"
PAD_ID = 0
UNK_ID = 1


@dataclass(frozen=True)
class UnknownWords:
    """U words of some texts that the vocabulary lacks, and their n-grams.

    Attributes:
        first_id: The token id of the first of them; the others follow. Lower ids are
            rows of the embedding.
        ngrams: The n-grams of the U words.
    """

    first_id: int
    ngrams: WordNgrams


class Vocab:
    """V distinct words; the index of a word is its token id.

    `<pad>` has the token id 0, `<unk>` has 1.

    Attributes:
        words: The V words.
        char_ngrams: The n-grams that give an unknown word its vector; None: every
            unknown word has that of `<unk>`.
        num_vector_words: How many words at the end of the list are from a file of
            pretrained vectors (`text.vector_words`), and not from training rows.
    """

    def __init__(
        self,
        words: Sequence[str],
        char_ngrams: CharNgrams | None = None,
        num_vector_words: int = 0,
    ) -> None:
        """Create a vocabulary of a list of words that starts with `<pad>` and `<unk>`.

        Args:
            words: The V words.
            char_ngrams: Which n-grams unknown words have, if any.
            num_vector_words: How many words at the end are from a file of vectors.

        Raises:
            ValueError: The list starts with other words, or has a word twice.
        """
        if list(words[:2]) != [PAD, UNK]:
            raise ValueError(f"a vocabulary starts with {PAD} and {UNK}")
        self.words = list(words)
        if len(self._ids) + 1 != len(self.words):
            raise ValueError("the vocabulary has a word twice")
        self.char_ngrams = char_ngrams
        self.num_vector_words = num_vector_words

    def __len__(self) -> int:
        """Return V, `<pad>` and `<unk>` counted in."""
        return len(self.words)

    @property
    def num_rows(self) -> int:
        """The rows of the embedding: V words, then the buckets of n-grams, if any."""
        num_buckets = self.char_ngrams.num_buckets if self.char_ngrams else 0
        return len(self) + num_buckets

    @property
    def trained_words(self) -> list[str]:
        """The words of the training rows, `<pad>` and `<unk>` included."""
        return self.words[: len(self) - self.num_vector_words]

    @property
    def vector_words(self) -> list[str]:
        """The words that only a file of vectors has."""
        return self.words[len(self) - self.num_vector_words :]

    @cached_property
    def word_ngrams(self) -> WordNgrams | None:
        """The n-grams of the V words; `<pad>` and `<unk>` have none."""
        if self.char_ngrams is None:
            return None
        ngrams = self.char_ngrams.hash_words(self.words[2:], len(self))
        return WordNgrams(ngrams.rows, np.concatenate([[0, 0], ngrams.counts]))

    @cached_property
    def _ids(self) -> dict[str, int]:
        # A text that says "<pad>" is not padding: it reads as an unknown word.
        ids = dict(zip(self.words, range(len(self.words)), strict=True))
        del ids[PAD]
        return ids

    def with_max_tokens(self, max_tokens: int) -> "Vocab":  # noqa: ARG002
        """Return the vocabulary for another `text.max_tokens`, on which it depends not.

        See `rnncls.text.subwords.SubwordVocab`, whose texts are cut here.
        """
        return self

    def with_ngrams(self, char_ngrams: CharNgrams | None) -> Self:
        """Return the same words with these n-grams."""
        vocab = copy.copy(self)
        vocab.char_ngrams = char_ngrams
        return vocab

    def divide_tokens(self, tokens: Sequence[str]) -> list[str]:
        """Return the pieces of the tokens of a text: the tokens themselves."""
        return list(tokens)

    def divide(self, texts: TokenizedTexts) -> TokenizedTexts:
        """Return texts whose tokens are divided into pieces: the texts themselves."""
        return texts

    def encode(self, words: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the token ids of K words; unknown words get `UNK_ID`. [K] int32."""
        ids = self._ids
        return np.array([ids.get(word, UNK_ID) for word in words], dtype=np.int32)

    def encode_open(
        self, words: Sequence[str]
    ) -> tuple[npt.NDArray[np.int32], UnknownWords | None]:
        """Return the token ids of K words, and what unknown words consist of.

        Without n-grams, this is `encode`. With n-grams, each unknown word has a token
        id of its own, from `num_rows`.
        """
        token_ids = self.encode(words)  # [K]
        if self.char_ngrams is None:
            return token_ids, None
        indices = np.flatnonzero(token_ids == UNK_ID).tolist()
        unknown = [index for index in indices if words[index] != UNK]
        token_ids[unknown] = self.num_rows + np.arange(len(unknown))
        unknown_words = [words[index] for index in unknown]
        ngrams = self.char_ngrams.hash_words(unknown_words, len(self))
        return token_ids, UnknownWords(self.num_rows, ngrams)


def build_vocab(
    words: Sequence[str],
    counts: npt.NDArray[np.int64],
    *,
    min_freq: int,
    max_vocab: int | None,
    char_ngrams: CharNgrams | None = None,
) -> Vocab:
    """Return the vocabulary of the words that occur at least `min_freq` times.

    The most frequent words come first, equally frequent ones in alphabetical order, so
    that the order of the rows does not matter.

    Args:
        words: K distinct words.
        counts: [K] int64, how often each word occurs in the training rows.
        min_freq: The lowest count to keep.
        max_vocab: The largest V, `<pad>` and `<unk>` included; None: no limit.
        char_ngrams: Which n-grams unknown words have, if any.
    """
    frequent: list[tuple[int, str]] = []
    for index in np.flatnonzero(counts >= min_freq).tolist():
        word = words[index]
        if word not in {PAD, UNK}:
            frequent.append((-int(counts[index]), word))
    kept = [word for _, word in sorted(frequent)]
    if max_vocab is not None:
        kept = kept[: max_vocab - 2]
    return Vocab([PAD, UNK, *kept], char_ngrams)
