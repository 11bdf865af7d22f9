"""The vocabulary: which token has which id.

Shapes: K token types, V words in the vocabulary.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rnncls.text.tokenizer import UNK

PAD = "<pad>"
PAD_ID = 0
UNK_ID = 1


class Vocab:
    """V distinct words; a word's place in the list is its token id. `<pad>` is 0 and
    `<unk>` is 1.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Take the list of words, `<pad>` and `<unk>` first.

        Raises:
            ValueError: The list starts otherwise, or names a word twice.
        """
        if list(words[:2]) != [PAD, UNK]:
            raise ValueError(f"a vocabulary starts with {PAD} and {UNK}")
        if len(set(words)) != len(words):
            raise ValueError("a word stands twice in the vocabulary")
        self.words = list(words)

    def __len__(self) -> int:
        """Return V, `<pad>` and `<unk>` counted in."""
        return len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        # A text that says "<pad>" is not padding: it reads as an unknown word.
        return {
            word: token_id for token_id, word in enumerate(self.words) if word != PAD
        }

    def encode(self, types: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the token id of each type, `UNK_ID` for those outside the vocabulary.
        [K] int32.
        """
        ids = self._ids
        return np.array([ids.get(word, UNK_ID) for word in types], dtype=np.int32)


def build_vocab(
    types: Sequence[str],
    counts: npt.NDArray[np.int64],
    *,
    min_freq: int,
    max_vocab: int | None,
) -> Vocab:
    """Return the vocabulary of the types that occur at least `min_freq` times.

    The most frequent come first, equally frequent ones in the order of the alphabet, so
    that the order of the rows does not matter. With `max_vocab`, at most so many words
    are kept, `<pad>` and `<unk>` counted in.

    Args:
        types: K distinct tokens.
        counts: [K] int64, how often each occurs in the training rows.
        min_freq: The lowest count to keep.
        max_vocab: The largest V, or None.
    """
    frequent = [
        (-int(counts[k]), types[k]) for k in np.flatnonzero(counts >= min_freq).tolist()
    ]
    words = [word for _, word in sorted(frequent) if word not in {PAD, UNK}]
    if max_vocab is not None:
        words = words[: max_vocab - 2]
    return Vocab([PAD, UNK, *words])
