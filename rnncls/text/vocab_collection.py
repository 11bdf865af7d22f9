"""From tokenised texts to the vocabulary of a run: words, or pieces of words."""

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.config.sections import TextSection
from rnncls.text.char_ngrams import choose_char_ngrams
from rnncls.text.subwords import learn_subwords
from rnncls.text.tokenizer import TokenizedTexts, build_tokenizer
from rnncls.text.vocab import Vocab, build_vocab

Ints = npt.NDArray[np.int64]


def collect_vocab(texts: TokenizedTexts, rows: Ints, section: TextSection) -> Vocab:
    """Return the vocabulary of selected rows.

    Args:
        texts: The texts of a file.
        rows: The numbers of the rows whose words count.
        section: Gives `tokenizer`, `subwords`, `min_freq`, `max_vocab`, `char_ngrams`,
            `vectors` and `vector_words`.

    Raises:
        ConfigError: The package that learns subwords is not installed, or subwords are
            to have the vectors of words.
        DataError: The file of vectors is wrong.
    """
    counts = texts.counts(rows)  # [K]
    if section.tokenizer == "subwords":
        if section.vectors is not None:
            raise ConfigError(
                "text.vectors are for words: set it to null, or text.tokenizer to words"
            )
        size, max_tokens = section.subwords, section.max_tokens
        return learn_subwords(texts.words, counts, size=size, max_tokens=max_tokens)
    vocab = build_vocab(
        texts.words,
        counts,
        min_freq=section.min_freq,
        max_vocab=section.max_vocab,
        char_ngrams=choose_char_ngrams(section),
    )
    return add_vector_words(vocab, section)


def add_vector_words(vocab: Vocab, section: TextSection) -> Vocab:
    """Return the vocabulary with words of the file of vectors after its own.

    Args:
        vocab: The words of the training rows; if it has words of a file already, it is
            returned as it is.
        section: Gives `vectors` and `vector_words`, and the tokenizer: a word that it
            does not leave whole is no token of any text, so it is left out.

    Raises:
        ConfigError, DataError: As `rnncls.text.vectors.load_vectors` does.
    """
    if section.vectors is None or not section.vector_words or vocab.num_vector_words:
        return vocab
    # Imported here: torch is not needed without such words.
    from rnncls.text.vectors import find_further_words

    tokenize = build_tokenizer(section)
    words = find_further_words(
        section.vectors,
        set(vocab.words),
        lambda word: tokenize(word) == [word],
        section.vector_words,
    )
    return Vocab([*vocab.words, *words], vocab.char_ngrams, len(words))


def extend_vocab(
    vocab: Vocab, texts: TokenizedTexts, rows: Ints, section: TextSection
) -> Vocab:
    """Return a vocabulary with the new words of selected rows after its own.

    Subwords and characters can spell new words, so that these vocabularies stay as they
    are. Words of a file of vectors are left out: see `add_vector_words`.

    Args:
        vocab: The words that keep their token ids.
        texts: The texts of a file.
        rows: The numbers of the rows whose words count.
        section: Gives `tokenizer`, `min_freq` and `max_vocab`.
    """
    if section.tokenizer in {"subwords", "characters"}:
        return vocab
    trained_words = vocab.trained_words
    known = set(trained_words)
    is_new = np.array([word not in known for word in texts.words], dtype=np.bool_)
    counts = np.where(is_new, texts.counts(rows), 0)  # [K]
    num_free = None
    if section.max_vocab is not None:
        num_free = max(section.max_vocab - len(trained_words), 0) + 2  # <pad> and <unk>
    added = build_vocab(
        texts.words, counts, min_freq=section.min_freq, max_vocab=num_free
    )
    return Vocab([*trained_words, *added.words[2:]], vocab.char_ngrams)
