"""New words after those of a vocabulary."""

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import Vocab
from rnncls.text.vocab_collection import extend_vocab

VOCAB = Vocab(["<pad>", "<unk>", "old", "rare"])
TEXTS = ["new new fresh old", "fresh b", "unread unread"]


def extend(section: TextSection) -> list[str]:
    texts = tokenize_texts(TEXTS, section)
    return extend_vocab(VOCAB, texts, np.array([0, 1]), section).words


def test_new_words_follow_the_old_ones_by_frequency() -> None:
    assert extend(TextSection(min_freq=1)) == [*VOCAB.words, "fresh", "new", "b"]
    assert extend(TextSection(min_freq=2)) == [*VOCAB.words, "fresh", "new"]


@pytest.mark.parametrize(("max_vocab", "num_new"), [(3, 0), (4, 0), (5, 1), (9, 3)])
def test_max_vocab_limits_the_new_words(max_vocab: int, num_new: int) -> None:
    words = extend(TextSection(min_freq=1, max_vocab=max_vocab))
    assert len(words) == len(VOCAB) + num_new


def test_characters_stay_as_they_are() -> None:
    assert extend(TextSection(tokenizer="characters", min_freq=1)) == VOCAB.words
