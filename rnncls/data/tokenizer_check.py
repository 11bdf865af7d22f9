"""Check whether the tokenizer of a config fits the texts.

All thresholds are in the constants at the top of this module.

Shapes: N texts, K distinct words.
"""

import logging
from dataclasses import dataclass

import numpy as np

from rnncls.config.sections import TextSection
from rnncls.data.splits import Ints
from rnncls.text.tokenizer import TokenizedTexts
from rnncls.text.unicode_words import has_glued_sign, measure_spaceless_share
from rnncls.text.vocab import UNK_ID, Vocab

logger = logging.getLogger(__name__)

SPACELESS = 0.05
"""From this share of letters of scripts without spaces on, it is said."""
_MAX_UNKNOWN = 0.2
_MAX_GLUED = 0.02
_MIN_CHARACTERS = 10
"""From this median number of characters on, a text is surely more than one word."""
_MIN_VALIDATION = 100
"""The fewest validation texts whose share of unknown words is believed: of a small data
set, most words are unknown with any tokenizer."""
_MIN_TEXTS = 1_000
"""The smallest sample from which the share of unknown tokens is estimated."""
_ASCII_TOKENIZERS = {"basic_english", "whitespace"}
_SET_WORDS = "set text.tokenizer: words (or characters)"


@dataclass(frozen=True)
class TokenStats:
    """Statistics of tokenised texts.

    Attributes:
        median_tokens: The median number of tokens of a text.
        median_characters: The median number of characters of a text, without spaces.
        spaceless_share: The share of the letters whose script is written without
            spaces.
        unknown_share: The share of the tokens that are not in the vocabulary.
        glued_share: The share of the tokens that are not in the vocabulary and hold a
            sign outside ASCII beside letters or other signs.
        num_texts: The number of texts.
    """

    median_tokens: float
    median_characters: float
    spaceless_share: float
    unknown_share: float
    glued_share: float
    num_texts: int = _MIN_VALIDATION


def note_misfit(
    texts: TokenizedTexts, rows: Ints, vocab: Vocab, section: TextSection
) -> None:
    """Log that the tokenizer does not fit validation texts, and which key to change.

    Args:
        texts: The texts of a file.
        rows: The numbers of the validation rows.
        vocab: The vocabulary of the run.
        section: How the texts were tokenised.
    """
    if len(rows) and section.tokenizer != "subwords":  # nothing is unknown
        stats = measure_tokens(texts, rows, vocab)
        _log(describe_misfit(stats, section, "validation"))


def note_unread_signs(
    texts: TokenizedTexts, rows: Ints, vocab: Vocab, section: TextSection
) -> None:
    """Log that a trained tokenizer cannot read the scripts or signs of new texts.

    Args:
        texts: The texts of a file.
        rows: The numbers of the rows to check.
        vocab: The vocabulary of the run.
        section: How the texts were tokenised.
    """
    if len(rows) and section.tokenizer in _ASCII_TOKENIZERS:
        stats = measure_tokens(texts, rows, vocab)
        _log(_describe_unread_signs(stats, section.tokenizer, "evaluated"))


def _log(note: str | None) -> None:
    if note:
        logger.info("%s", note)


def measure_tokens(texts: TokenizedTexts, rows: Ints, vocab: Vocab) -> TokenStats:
    """Return statistics of selected texts.

    Args:
        texts: The texts of a file.
        rows: The numbers of the rows to measure, at least one.
        vocab: The vocabulary of the run.
    """
    counts = texts.counts(rows)  # [K]
    used = np.flatnonzero(counts)
    words = [texts.words[index] for index in used.tolist()]
    counts = counts[used]
    is_unknown = vocab.encode(words) == UNK_ID
    is_glued = np.array([has_glued_sign(word) for word in words], dtype=bool)
    num_tokens = counts.sum()
    return TokenStats(
        float(np.median(texts.lengths[rows])),
        float(np.median(_count_characters(texts)[rows])),
        measure_spaceless_share(words, counts.tolist()),
        float(counts[is_unknown].sum() / num_tokens),
        float(counts[is_unknown & is_glued].sum() / num_tokens),
        len(rows),
    )


def _count_characters(texts: TokenizedTexts) -> Ints:
    """Return the number of characters of each text. [N] int64."""
    word_lengths = np.array(list(map(len, texts.words)), dtype=np.int64)  # [K]
    token_lengths = word_lengths[texts.word_ids]  # [M]
    starts = np.cumsum(texts.lengths) - texts.lengths
    num_characters: Ints = np.add.reduceat(token_lengths, starts)
    return num_characters


def describe_misfit(stats: TokenStats, section: TextSection, name: str) -> str | None:
    """Return why the tokenizer does not fit, and which key to change; None: it fits.

    Of several reasons, the one that explains the others is given.

    Args:
        stats: Statistics of the texts.
        section: How the texts were tokenised.
        name: What the texts are called in the message, such as `validation`.
    """
    tokenizer = section.tokenizer
    unread_signs = _describe_unread_signs(stats, tokenizer, name)
    if unread_signs:
        return unread_signs
    is_certain = stats.num_texts >= _MIN_VALIDATION or tokenizer in _ASCII_TOKENIZERS
    are_unread = stats.unknown_share > _MAX_UNKNOWN and section.char_ngrams is None
    if stats.median_tokens <= 1 and stats.median_characters >= _MIN_CHARACTERS:
        found = (
            f"half of the {name} texts or more are one token, with"
            f" {stats.median_characters:.0f} characters in the median"
        )
        is_ascii_only = tokenizer in _ASCII_TOKENIZERS
        advice = _SET_WORDS if is_ascii_only else "set text.tokenizer: characters"
    elif are_unread and is_certain:
        found = f"{stats.unknown_share:.0%} of the {name} tokens are unknown"
        advice = _advise_on_unknown(section)
    else:
        return None
    return f"text.tokenizer: {tokenizer}: {found}: {advice}"


def _describe_unread_signs(stats: TokenStats, tokenizer: str, name: str) -> str | None:
    """Return why a tokenizer for ASCII does not fit; None: it fits, or is another."""
    if tokenizer not in _ASCII_TOKENIZERS:
        return None
    if stats.spaceless_share >= SPACELESS:
        found = (
            f"{stats.spaceless_share:.0%} of the letters of the {name} texts are of"
            " scripts without spaces between words, so a sentence is one token"
        )
    elif stats.glued_share >= _MAX_GLUED:
        found = (
            f"{stats.glued_share:.0%} of the {name} tokens are unknown because signs"
            " stick to words, such as “ ” ¿ ؟ … and emoji"
        )
    else:
        return None
    return f"text.tokenizer: {tokenizer}: {found}: {_SET_WORDS}"


def _advise_on_unknown(section: TextSection) -> str:
    """Return what to do when many tokens are unknown."""
    if section.tokenizer in _ASCII_TOKENIZERS:
        return _SET_WORDS
    if section.tokenizer == "words":
        advice = "set text.tokenizer: subwords or characters"
        return f"{advice}, or text.min_freq: 1" if section.min_freq > 1 else advice
    return "set text.min_freq: 1 and text.max_vocab: null"


def describe_draft_misfit(texts: TokenizedTexts, section: TextSection) -> str | None:
    """Return why the tokenizer of a drafted config does not fit; None: it fits.

    There is no vocabulary yet. A word that occurs `min_freq` times or less would
    be unknown if the text that holds it were not a training text, so the share of such
    tokens is an estimate of the unknown ones of new texts.

    Args:
        texts: A sample of the texts, tokenised as the config says.
        section: How texts are tokenised.
    """
    word_counts = texts.counts()  # [K]
    rare = word_counts[word_counts <= section.min_freq]
    num_characters = _count_characters(texts)  # [N]
    unknown_share = 0.0
    if len(texts.lengths) >= _MIN_TEXTS and section.tokenizer != "subwords":
        unknown_share = float(rare.sum() / word_counts.sum())
    stats = TokenStats(
        float(np.median(texts.lengths)),
        float(np.median(num_characters)),
        spaceless_share=0.0,
        unknown_share=unknown_share,
        glued_share=0.0,
    )
    return describe_misfit(stats, section, "new")
