"""Words that are in more, or in fewer, texts of a file than of the reference.

Shapes: N texts, M tokens in all of them, K distinct words, D distinct counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from rnncls.text.tokenizer import UNK, TokenizedTexts, join_texts
from rnncls.text.vocab import UNK_ID, Vocab

NUM_WORDS = 20
"""How many words are listed on each side."""
LEVEL = 0.01
"""The probability that any word is listed by chance."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WordShift:
    """A word whose share of the texts has changed.

    Attributes:
        word: The word, as the tokenizer returns it.
        reference: The share of the texts of the reference that have it.
        file: The same share of the file.
        p: The p-value of Fisher's exact test, not adjusted.
        is_known: Whether the vocabulary of the run has it, or all of its pieces.
    """

    word: str
    reference: float
    file: float
    p: float
    is_known: bool

    @property
    def change(self) -> float:
        """The share in the file minus that in the reference."""
        return self.file - self.reference


def find_shifted_words(
    reference: TokenizedTexts, file: TokenizedTexts, vocab: Vocab
) -> list[WordShift]:
    """Return the words whose share of the texts has changed, the smallest p first.

    At most `NUM_WORDS` become more frequent, and as many rarer. Texts with a word are
    counted, not tokens, since the tokens of a text depend on each other.

    Args:
        reference: The texts of the reference.
        file: The texts of the file.
        vocab: The vocabulary of the run.
    """
    joined = join_texts([reference, file])
    words = joined.words
    if not words:
        return []
    counts = _count_texts(joined, len(reference.lengths))  # [2, K]
    num_texts = np.array([len(reference.lengths), len(file.lengths)])  # [2]
    shares = counts / num_texts[:, None]  # [2, K]
    ps = compute_word_ps(counts, num_texts)  # [K]
    is_shifted = ps <= compute_level(counts.sum(axis=0), num_texts)
    if UNK in words:
        is_shifted[words.index(UNK)] = False  # stands for a text without words
    shifts = []
    for index in _choose_words(ps, shares[1] - shares[0], is_shifted):
        word = words[index]
        is_known = bool((vocab.encode(vocab.divide_tokens([word])) != UNK_ID).all())
        shift = WordShift(
            word,
            reference=float(shares[0, index]),
            file=float(shares[1, index]),
            p=float(ps[index]),
            is_known=is_known,
        )
        shifts.append(shift)
    return shifts


def compute_word_ps(counts: Ints, num_texts: Ints) -> Floats:
    """Return the p-value of Fisher's exact test of each word. [K].

    It is twice that of the one-sided test.

    Args:
        counts: [2, K], the texts with each word, of the reference and of the file.
        num_texts: [2], the number of texts of both.
    """
    # Most words are in one or two texts: the same counts are tested once.
    distinct, indices = np.unique(counts, axis=1, return_inverse=True)  # [2, D], [K]
    num_in_file = hypergeom(num_texts.sum(), distinct.sum(axis=0), num_texts[1])
    at_most = num_in_file.cdf(distinct[1])  # [D]
    at_least = num_in_file.sf(distinct[1] - 1)  # [D]
    ps = np.minimum(1.0, 2 * np.minimum(at_most, at_least))  # [D]
    ps_of_words: Floats = ps[indices.reshape(-1)]
    return ps_of_words


def compute_level(totals: Ints, num_texts: Ints) -> float:
    """Return the level of the test of each word, at which `LEVEL` holds for all.

    It is `LEVEL` divided by the number of words, without those that are so rare that
    their p-value could not be below it (Tarone 1990).

    Args:
        totals: [K], K > 0, the texts of both samples with each word.
        num_texts: [2], the number of texts of both.
    """
    most = np.minimum(totals, num_texts[:, None])  # [2, K]
    all_in_reference = np.stack([most[0], totals - most[0]])  # [2, K]
    all_in_file = np.stack([totals - most[1], most[1]])  # [2, K]
    smallest_ps = np.minimum(
        compute_word_ps(all_in_reference, num_texts),
        compute_word_ps(all_in_file, num_texts),
    )  # [K]
    levels = LEVEL / np.arange(1, len(totals) + 1)  # [K]
    # Which of these levels no more words can reach than it is meant for.
    next_smallest = np.append(np.sort(smallest_ps)[1:], np.inf)  # [K]
    return float(levels[np.argmax(next_smallest > levels)])


def _count_texts(texts: TokenizedTexts, num_reference: int) -> Ints:
    """Return how many texts have each word. [2, K]: of the reference, of the file.

    Args:
        texts: N texts, those of the reference first.
        num_reference: The number of texts of the reference.
    """
    num_words = len(texts.words)
    text_ids = np.repeat(np.arange(len(texts.lengths)), texts.lengths)  # [M]
    pairs = np.unique(text_ids * num_words + texts.word_ids)  # a text and a word each
    is_file = pairs // num_words >= num_reference
    word_ids = pairs % num_words
    return np.stack(
        [
            np.bincount(word_ids[~is_file], minlength=num_words),
            np.bincount(word_ids[is_file], minlength=num_words),
        ]
    )


def _choose_words(
    ps: Floats, changes: Floats, is_shifted: npt.NDArray[np.bool_]
) -> Sequence[int]:
    """Return the words with the smallest p on each side, sorted by p.

    Args:
        ps: [K].
        changes: [K], the changes of the shares, which decide between equal p.
        is_shifted: [K], the words to choose from.
    """
    order = np.lexsort([-np.abs(changes), ps])  # [K]
    ordered = order[is_shifted[order]]
    more = ordered[changes[ordered] > 0][:NUM_WORDS]
    fewer = ordered[changes[ordered] < 0][:NUM_WORDS]
    is_chosen = np.isin(ordered, np.concatenate([more, fewer]))
    chosen: list[int] = ordered[is_chosen].tolist()
    return chosen
