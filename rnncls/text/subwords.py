"""Subwords: pieces of words, learned from texts, so that no text has an unknown token.

A text is divided twice. The tokenizer `subwords` gives its normalised words, which are
cached. A `SubwordVocab` divides each distinct word into pieces, which depend on the
word alone. The pieces are learned by byte-pair encoding (Sennrich, Haddow and Birch
2016); a character that the training texts lack becomes the pieces of its UTF-8 bytes.

Shapes: K distinct words, M pieces of N texts, V pieces in the vocabulary.
"""

import copy
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.text.tokenizer import UNK, TokenizedTexts
from rnncls.text.unicode_words import WORD_START
from rnncls.text.vocab import PAD, UNK_ID, Vocab

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = npt.NDArray[np.int64]
Merge = tuple[str, str]
"""Two pieces that become one. Earlier merges come first."""

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""The pieces for single bytes, as SentencePiece names them."""
RESERVED = (PAD, UNK, *BYTES)
_ASCII = [chr(code) for code in range(33, 127)]
_MAX_LEARNED = 100_000
"""The most frequent words, from which the pieces are learned; more hardly matter."""
_COPIES_AT_ONCE = 1000


class SubwordVocab(Vocab):
    """V pieces of words, and how to divide a word into them."""

    def __init__(
        self, pieces: Sequence[str], merges: Sequence[Merge], max_tokens: int
    ) -> None:
        """Create a vocabulary.

        Args:
            pieces: The pieces, which start with `RESERVED`.
            merges: How pieces are joined, the first ones first.
            max_tokens: The pieces of a text beyond this number are cut off.

        Raises:
            ValueError: The pieces start with others, one appears twice, or a merge has
                a piece that is not in the list.
        """
        super().__init__(pieces)
        if tuple(pieces[: len(RESERVED)]) != RESERVED:
            raise ValueError("a vocabulary of subwords starts with the 256 bytes")
        known = set(pieces)
        if any(not {left, right, left + right} <= known for left, right in merges):
            raise ValueError("a merge has a piece that is not in the vocabulary")
        self.merges = list(merges)
        self.max_tokens = max_tokens
        self._model = _build_model(self.words, self.merges)
        self._last: tuple[list[str], npt.NDArray[np.int32], Ints] | None = None

    def with_max_tokens(self, max_tokens: int) -> Self:
        """Return the same pieces with another limit for the length of a text."""
        vocab = copy.copy(self)
        vocab.max_tokens = max_tokens
        return vocab

    def divide_tokens(self, tokens: Sequence[str]) -> list[str]:
        """Return the first `max_tokens` pieces of the words of a text."""
        piece_ids, _ = self._divide_words(tokens)
        return [self.words[index] for index in piece_ids[: self.max_tokens].tolist()]

    def divide(self, texts: TokenizedTexts) -> TokenizedTexts:
        """Return the texts as pieces; `words` are those of the vocabulary."""
        piece_ids, num_pieces = self._divide_all(texts.words)
        first_pieces = np.cumsum(num_pieces) - num_pieces  # [K]
        lengths = _sum_by_text(num_pieces[texts.word_ids], texts.lengths)  # [N]
        token_pieces = num_pieces[texts.word_ids]
        word_starts = first_pieces[texts.word_ids]
        ends = np.cumsum(token_pieces)
        offsets = np.repeat(word_starts - (ends - token_pieces), token_pieces)  # [M]
        indices = np.arange(len(offsets)) + offsets  # [M]
        is_kept = _positions(lengths) < self.max_tokens  # [M]
        return TokenizedTexts(
            piece_ids[indices[is_kept]],
            np.minimum(lengths, self.max_tokens),
            self.words,
            np.maximum(lengths - self.max_tokens, 0),
        )

    def _divide_all(self, words: list[str]) -> tuple[npt.NDArray[np.int32], Ints]:
        """Return what `_divide_words` does; the last list of words is remembered.

        Several splits of one file have the same words.
        """
        last = self._last
        if last is None or last[0] is not words:
            last = (words, *self._divide_words(words))
            self._last = last
        return last[1], last[2]

    def _divide_words(self, words: Sequence[str]) -> tuple[npt.NDArray[np.int32], Ints]:
        """Return the ids of the pieces of all words, and how many each word has."""
        marked = list(map(mark_start, words))
        encodings = self._model.encode_batch_fast(marked, add_special_tokens=False)
        ids = [
            [UNK_ID] if word == UNK else encoding.ids
            for word, encoding in zip(words, encodings, strict=True)
        ]
        num_pieces = np.array(list(map(len, ids)), dtype=np.int64)
        flat = itertools.chain.from_iterable(ids)
        return np.fromiter(flat, dtype=np.int32, count=num_pieces.sum()), num_pieces


def mark_start(word: str) -> str:
    """Return a word after `WORD_START`, unless it begins with this sign."""
    return word if word.startswith(WORD_START) else WORD_START + word


def _sum_by_text(values: Ints, lengths: Ints) -> Ints:
    """Return the sum of the values of the tokens of each text. [N] int64."""
    if not len(lengths):
        return np.zeros(0, np.int64)
    sums: Ints = np.add.reduceat(values, np.cumsum(lengths) - lengths)
    return sums


def _positions(lengths: Ints) -> Ints:
    """Return the position of each token in its text, from 0. [sum of lengths] int64."""
    starts = np.cumsum(lengths) - lengths
    positions: Ints = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    return positions


def learn_subwords(
    words: Sequence[str], counts: Ints, *, size: int, max_tokens: int
) -> SubwordVocab:
    """Learn pieces from words.

    The order of the words does not matter, and the same words give the same pieces.

    Args:
        words: K distinct words.
        counts: [K] int64, how often each word occurs in the training rows.
        size: V, at most.
        max_tokens: The pieces of a text beyond this number are cut off.

    Raises:
        ConfigError: The package `tokenizers` is not installed.
    """
    tokenizers = _import_tokenizers()
    from tokenizers import models, pre_tokenizers, trainers

    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    max_learned = size - len(RESERVED)
    trainer = trainers.BpeTrainer(
        vocab_size=max_learned,
        min_frequency=2,  # of a piece seen once nothing can be learned but its text
        initial_alphabet=[WORD_START, *_ASCII],
        limit_alphabet=max(max_learned // 2, len(_ASCII) + 1),
        show_progress=False,
    )
    learner.train_from_iterator(_iter_copies(words, counts), trainer)
    model = json.loads(learner.to_str())["model"]
    learned = sorted(model["vocab"], key=model["vocab"].get)
    reserved = set(RESERVED)
    pieces = [piece for piece in learned if piece not in reserved]
    merges = [
        (left, right)
        for left, right in map(tuple, model["merges"])
        if not {left, right, left + right} & reserved
    ]
    return SubwordVocab([*RESERVED, *pieces], merges, max_tokens)


def _iter_copies(words: Sequence[str], counts: Ints) -> Iterator[str]:
    """Yield each word as often as it occurs, many copies in one text."""
    used = np.flatnonzero(counts).tolist()
    used = [index for index in used if words[index] != UNK]
    used.sort(key=lambda index: (-counts[index], words[index]))
    for index in used[:_MAX_LEARNED]:
        copy = f"{mark_start(words[index])} "
        num_full, num_left = divmod(int(counts[index]), _COPIES_AT_ONCE)
        yield from itertools.repeat(copy * _COPIES_AT_ONCE, num_full)
        yield copy * num_left


def describe_model(pieces: Sequence[str], merges: Sequence[Merge]) -> dict[str, Any]:
    """Return the pieces and merges as the model of `tokenizer.json`."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": UNK,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": True,
        "ignore_merges": False,
        "vocab": {piece: index for index, piece in enumerate(pieces)},
        "merges": [list(merge) for merge in merges],
    }


def _build_model(pieces: Sequence[str], merges: Sequence[Merge]) -> "Tokenizer":
    """Return what divides a word, which is given without white space, into pieces."""
    content: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": describe_model(pieces, merges),
    }
    tokenizer: Tokenizer = _import_tokenizers().Tokenizer.from_str(json.dumps(content))
    return tokenizer


def _import_tokenizers() -> Any:
    """Import Hugging Face tokenizers.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise ConfigError(
            "text.tokenizer: subwords needs the package tokenizers: pip install"
            " 'rnncls[subwords]'"
        ) from error
    return tokenizers
