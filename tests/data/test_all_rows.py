"""Texts selected from others, and texts without a token."""

import numpy as np

from rnncls.config.sections import TextSection
from rnncls.data.all_rows import find_wordless, select_texts
from rnncls.text.tokenizer import tokenize_texts


def test_texts_are_selected_in_the_order_asked_for() -> None:
    texts = tokenize_texts(["a b c", "d", "e f"], TextSection())
    chosen = select_texts(texts, np.array([2, 0]))
    assert [texts.words[kind] for kind in chosen.word_ids] == ["e", "f", "a", "b", "c"]
    assert chosen.lengths.tolist() == [2, 3]


def test_a_text_of_one_unknown_word_is_wordless() -> None:
    assert find_wordless(tokenize_texts(["", "a", "a b"], TextSection())).tolist() == [
        True,
        False,
        False,
    ]
    assert find_wordless(tokenize_texts(["a"], TextSection())).tolist() == [False]
