"""Windows of a stream of texts: as many as are predicted at once. No torch."""

from collections.abc import Iterable, Iterator
from itertools import islice

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import (
    TEXTS_A_PIECE,
    TokenizedTexts,
    join_texts,
    rebatch,
    tokenize_stream,
)
from rnncls.text.vocab import Vocab

PIECES_A_WINDOW = 4
"""Pieces of 4,096 texts in one window. The texts of a larger window are more similar in
length, but its results come later."""


def split_windows(chunks: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield the texts of each window, which `tokenize_windows` would make of them."""
    return rebatch(chunks, PIECES_A_WINDOW * TEXTS_A_PIECE)


def tokenize_windows(
    chunks: Iterable[list[str]], section: TextSection, vocab: Vocab
) -> Iterator[tuple[list[str], TokenizedTexts]]:
    """Yield the texts of each window together with their tokens.

    Later windows are tokenised in the meantime.

    Args:
        chunks: The texts.
        section: How a text becomes tokens.
        vocab: It divides the tokens into subwords, if it has any.
    """
    pieces = tokenize_stream(chunks, section)
    while window := list(islice(pieces, PIECES_A_WINDOW)):
        texts: list[str] = []
        for piece, _ in window:
            texts.extend(piece)
        tokenized = join_texts(tokenized for _, tokenized in window)
        yield texts, vocab.divide(tokenized)
