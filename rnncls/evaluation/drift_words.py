"""Words that are in more, or in fewer, texts of a file than of the reference.

Shapes: N texts, M tokens in all of them, K distinct words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from rnncls.text.tokenizer import UNK, TokenizedTexts, join_texts
from rnncls.text.vocab import UNK_ID, Vocab

NUM_WORDS = 20
"""How many words are listed on each side."""
LEVEL = 0.01
"""The probability that any word is listed by chance."""
_PRIOR = 0.1
"""The weight of the prior: the share of all texts that it counts as."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WordShift:
    """A word whose share of the texts has changed.

    Attributes:
        word: The word, as the tokenizer returns it.
        reference: The share of the texts of the reference that have it.
        file: The same share of the file.
        z: The change of its log-odds in standard errors; positive if more texts of the
            file have it.
        is_known: Whether the vocabulary of the run has it, or all of its pieces.
    """

    word: str
    reference: float
    file: float
    z: float
    is_known: bool


def find_shifted_words(
    reference: TokenizedTexts, file: TokenizedTexts, vocab: Vocab
) -> list[WordShift]:
    """Return the words whose share of the texts has changed most, the largest z first.

    At most `NUM_WORDS` become more frequent, and as many rarer. The level of the test
    is divided by the number of words (Bonferroni).

    Args:
        reference: The texts of the reference.
        file: The texts of the file.
        vocab: The vocabulary of the run.
    """
    joined = join_texts([reference, file])
    words = joined.words
    counts = _count_texts(joined, len(reference.lengths))  # [2, K]
    num_texts = np.array([len(reference.lengths), len(file.lengths)])  # [2]
    shares = counts / num_texts[:, None]  # [2, K]
    z = compute_log_odds_z(counts, num_texts)  # [K]
    limit = float(norm.isf(LEVEL / 2 / max(len(words), 1)))
    is_shifted = np.abs(z) > limit
    if UNK in words:
        is_shifted[words.index(UNK)] = False  # stands for a text without words
    shifts = []
    for index in _choose_largest(z, is_shifted):
        word = words[index]
        is_known = bool((vocab.encode(vocab.divide_tokens([word])) != UNK_ID).all())
        shift = WordShift(
            word,
            reference=float(shares[0, index]),
            file=float(shares[1, index]),
            z=float(z[index]),
            is_known=is_known,
        )
        shifts.append(shift)
    return shifts


def compute_log_odds_z(counts: Ints, num_texts: Ints) -> Floats:
    """Return the change of the log-odds of each word in standard errors. [K].

    The log-odds have an informative prior: the shares of the words in all texts
    (Monroe, Colaresi and Quinn 2008, "Fightin' Words"). Texts with a word are counted,
    not tokens, since the tokens of a text depend on each other.

    Args:
        counts: [2, K], the texts with each word, of the reference and of the file.
        num_texts: [2], the number of texts of both.
    """
    others = num_texts[:, None] - counts  # [2, K]
    prior = _PRIOR * (counts.sum(axis=0) + 0.5)  # [K]
    prior_of_others = _PRIOR * (others.sum(axis=0) + 0.5)  # [K]
    with_word = counts + prior  # [2, K]
    without_word = others + prior_of_others  # [2, K]
    log_odds = np.log(with_word / without_word)  # [2, K]
    variances = 1 / with_word + 1 / without_word  # [2, K]
    change = log_odds[1] - log_odds[0]  # [K]
    z: Floats = change / np.sqrt(variances.sum(axis=0))
    return z


def _count_texts(texts: TokenizedTexts, num_reference: int) -> Ints:
    """Return how many texts have each word. [2, K]: of the reference, of the file.

    Args:
        texts: N texts, those of the reference first.
        num_reference: The number of texts of the reference.
    """
    num_words = max(len(texts.words), 1)
    text_ids = np.repeat(np.arange(len(texts.lengths)), texts.lengths)  # [M]
    pairs = np.unique(text_ids * num_words + texts.word_ids)  # a text and a word each
    is_file = pairs // num_words >= num_reference
    word_ids = pairs % num_words
    return np.stack(
        [
            np.bincount(word_ids[~is_file], minlength=len(texts.words)),
            np.bincount(word_ids[is_file], minlength=len(texts.words)),
        ]
    )


def _choose_largest(z: Floats, is_shifted: npt.NDArray[np.bool_]) -> Sequence[int]:
    """Return the words with the largest z on each side, sorted by its absolute value.

    Args:
        z: [K].
        is_shifted: [K], the words to choose from.
    """
    chosen: list[int] = []
    for side in (1, -1):
        candidates = np.flatnonzero(is_shifted & (side * z > 0))
        largest_first = np.argsort(-side * z[candidates], kind="stable")
        chosen += candidates[largest_first[:NUM_WORDS]].tolist()
    return sorted(chosen, key=lambda index: -abs(z[index]))
