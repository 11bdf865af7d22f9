"""Texts selected from others, and texts without a token."""

from rnncls.config.sections import TextSection
from rnncls.data.all_rows import find_wordless
from rnncls.text.tokenizer import tokenize_texts


def test_a_text_of_one_unknown_word_is_wordless() -> None:
    assert find_wordless(tokenize_texts(["", "a", "a b"], TextSection())).tolist() == [
        True,
        False,
        False,
    ]
    assert find_wordless(tokenize_texts(["a"], TextSection())).tolist() == [False]
