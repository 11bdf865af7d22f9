"""The vocabulary: which token has which id.

Shapes: K distinct words of the texts, V words in the vocabulary.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rnncls.text.tokenizer import UNK, TokenizedTexts

PAD = "<pad>"
PAD_ID = 0
UNK_ID = 1


class Vocab:
    """V distinct words; the index of a word is its token id.

    `<pad>` has the token id 0, `<unk>` has 1.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Create a vocabulary of a list of words that starts with `<pad>` and `<unk>`.

        Raises:
            ValueError: The list starts with other words, or has a word twice.
        """
        if list(words[:2]) != [PAD, UNK]:
            raise ValueError(f"a vocabulary starts with {PAD} and {UNK}")
        if len(set(words)) != len(words):
            raise ValueError("the vocabulary has a word twice")
        self.words = list(words)

    def __len__(self) -> int:
        """Return V, `<pad>` and `<unk>` counted in."""
        return len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        # A text that says "<pad>" is not padding: it reads as an unknown word.
        ids = {word: token_id for token_id, word in enumerate(self.words)}
        del ids[PAD]
        return ids

    def with_max_tokens(self, max_tokens: int) -> "Vocab":  # noqa: ARG002
        """Return the vocabulary for another `text.max_tokens`, on which it depends not.

        See `rnncls.text.subwords.SubwordVocab`, whose texts are cut here.
        """
        return self

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


def build_vocab(
    words: Sequence[str],
    counts: npt.NDArray[np.int64],
    *,
    min_freq: int,
    max_vocab: int | None,
) -> Vocab:
    """Return the vocabulary of the words that occur at least `min_freq` times.

    The most frequent words come first, equally frequent ones in alphabetical order, so
    that the order of the rows does not matter.

    Args:
        words: K distinct words.
        counts: [K] int64, how often each word occurs in the training rows.
        min_freq: The lowest count to keep.
        max_vocab: The largest V, `<pad>` and `<unk>` included; None: no limit.
    """
    frequent: list[tuple[int, str]] = []
    for index in np.flatnonzero(counts >= min_freq).tolist():
        word = words[index]
        if word not in {PAD, UNK}:
            frequent.append((-int(counts[index]), word))
    kept = [word for _, word in sorted(frequent)]
    if max_vocab is not None:
        kept = kept[: max_vocab - 2]
    return Vocab([PAD, UNK, *kept])
