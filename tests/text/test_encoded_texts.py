"""Texts as token ids."""

import numpy as np

from rnncls.config.sections import TextSection
from rnncls.text.encoded_texts import EncodedTexts, encode_text, encode_texts
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import PAD, Vocab

VOCAB = Vocab([PAD, "<unk>", "a", "b", "c"])


def encoded(*texts: str) -> EncodedTexts:
    return encode_texts(
        tokenize_texts(list(texts), TextSection(tokenizer="whitespace", clean=False)),
        VOCAB,
    )


def test_the_flat_tokens_are_those_of_the_selected_texts_in_their_order() -> None:
    texts = encoded("a b", "c", "b c a")
    assert texts.flat_tokens().tolist() == texts.token_ids.tolist()
    assert texts.select(np.array([2, 0])).flat_tokens().tolist() == [3, 4, 2, 2, 3]


def test_a_single_text_is_encoded_as_a_row_of_its_tokens() -> None:
    vocab = Vocab(["<pad>", "<unk>", "rain", "in"])
    tokens, text = encode_text("Rain in Oslo", TextSection(), vocab)
    assert tokens == ["rain", "in", "oslo"]
    assert text.token_ids.tolist() == [2, 3, 1]
    assert (text.lengths.tolist(), text.starts.tolist()) == ([3], [0])
