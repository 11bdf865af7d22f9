"""Subwords: any text is divided into known pieces, always in the same way."""

import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rnncls import ConfigError
from rnncls.config.sections import TextSection
from rnncls.text.encoded_texts import encode_text, encode_texts
from rnncls.text.incremental import IncrementalTokenizer
from rnncls.text.normalization import normalize
from rnncls.text.spans import locate_tokens
from rnncls.text.subwords import BYTES, RESERVED, SubwordVocab, learn_subwords
from rnncls.text.tokenizer import UNK, Settings, build_tokenizer, tokenize_texts
from rnncls.text.tokenizer_json import dump_tokenizer, parse_subwords
from rnncls.text.unicode_words import WORD_START
from rnncls.text.vocab import UNK_ID, Vocab

LINES = [
    "the film is good and the play is good",
    "the film was not good, unwatchable",
    "unwatched films and unplayable plays",
    "很好吃 太难吃了 味道很好",
    "فيلم ممتاز جدا",
] * 5
SECTION = TextSection(tokenizer="subwords", clean=False, max_tokens=30, subwords=600)
ANY_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text("thefilm isgood ▁<>x0un 很吃م\u0308\u00ad\u200b\n", max_size=24),
    st.sampled_from(
        [*RESERVED[:3], "▁<unk>", "<unk> <unk>", "x<pad> <0xE5>", "ﬁ İ Σς"]
    ),
)


def learn(lines: list[str], size: int = 600, max_tokens: int = 30) -> SubwordVocab:
    texts = tokenize_texts(lines, SECTION)
    return learn_subwords(texts.words, texts.counts(), size=size, max_tokens=max_tokens)


VOCAB = learn(LINES)


def test_frequent_words_are_whole_and_rare_ones_are_not() -> None:
    pieces, _ = encode_text("the good unwatchables", SECTION, VOCAB)
    assert pieces[:2] == ["▁the", "▁good"]
    assert len(pieces) > 3
    assert "".join(pieces[2:]) == "▁unwatchables"


def test_the_size_is_a_limit_and_the_first_pieces_are_reserved() -> None:
    vocab = learn(LINES, size=512)
    assert len(vocab) <= 512
    assert tuple(vocab.words[: len(RESERVED)]) == RESERVED
    assert len(BYTES) == 256


def test_the_order_of_the_words_does_not_matter() -> None:
    again = learn(LINES[::-1])
    assert again.words == VOCAB.words
    assert again.merges == VOCAB.merges


def test_counts_are_those_of_the_selected_rows() -> None:
    texts = tokenize_texts(["aaaa bbbb", "cdcdcd cdcdcd"], SECTION)
    counts = texts.counts(np.array([1]))
    vocab = learn_subwords(texts.words, counts, size=600, max_tokens=9)
    assert "▁cdcdcd" in vocab.words
    assert "aa" not in vocab.words


def test_a_learned_piece_never_takes_a_reserved_name() -> None:
    vocab = learn(["x<pad> <pad> x<unk> <0x41> y<0x41>"] * 50)
    assert Counter(vocab.words).most_common(1)[0][1] == 1
    pieces, encoded = encode_text("x<pad>", SECTION, vocab)
    assert "".join(pieces) == "▁x<pad>"
    assert 0 not in encoded.token_ids


@settings(database=None, deadline=None, derandomize=True, max_examples=300)
@given(text=ANY_TEXT)
def test_any_text_is_known_pieces_that_spell_it(text: str) -> None:
    pieces, encoded = encode_text(text, SECTION, VOCAB.with_max_tokens(10**6))
    words = normalize(text, nfkc=True, lowercase=True).split()
    if not words:
        assert pieces == [UNK]
        return
    assert (encoded.token_ids > UNK_ID).all()
    spelled = b"".join(
        bytes([BYTES.index(piece)]) if piece in BYTES else piece.encode()
        for piece in pieces
    )
    starts = [word if word.startswith(WORD_START) else f"▁{word}" for word in words]
    assert spelled.decode() == "".join(starts)


@settings(database=None, deadline=None, derandomize=True, max_examples=60)
@given(texts=st.lists(ANY_TEXT, max_size=4), max_tokens=st.integers(1, 8))
def test_texts_together_are_divided_as_one_by_one(
    texts: list[str], max_tokens: int
) -> None:
    vocab = VOCAB.with_max_tokens(max_tokens)
    tokenized = tokenize_texts(texts, SECTION)
    divided = vocab.divide(tokenized)
    encoded = encode_texts(tokenized, vocab)
    assert divided.num_cut is not None
    ends = np.cumsum(divided.lengths)
    tokenize = build_tokenizer(SECTION)
    for text, end, length, num_cut in zip(
        texts, ends, divided.lengths, divided.num_cut, strict=True
    ):
        pieces = [
            divided.words[index] for index in divided.word_ids[end - length : end]
        ]
        complete = VOCAB.with_max_tokens(10**6).divide_tokens(tokenize(text))
        assert pieces == complete[:max_tokens]
        assert num_cut == len(complete) - len(pieces)
    assert encoded.token_ids.tolist() == divided.word_ids.tolist()


@settings(database=None, deadline=None, derandomize=True, max_examples=200)
@given(text=ANY_TEXT)
def test_other_languages_get_the_same_ids(text: str) -> None:
    content = dump_tokenizer(SECTION, VOCAB)
    theirs = Tokenizer.from_str(content).encode(text).ids
    _, encoded = encode_text(text, SECTION, VOCAB)
    assert (theirs or [UNK_ID]) == encoded.token_ids.tolist()


@settings(database=None, deadline=None, derandomize=True, max_examples=200)
@given(text=ANY_TEXT)
def test_pieces_know_their_place(text: str) -> None:
    pieces, _ = encode_text(text, SECTION, VOCAB.with_max_tokens(10**6))
    spans = locate_tokens(text, pieces, SECTION)
    assert len(spans) == len(pieces)
    previous_end = 0
    for start, end in spans:
        assert previous_end <= start <= end <= len(text)
        previous_end = end


def test_the_place_of_a_piece_is_as_written() -> None:
    text = "The  FILM \N{BLACK CHESS KNIGHT}x unwatched"
    pieces, _ = encode_text(text, SECTION, VOCAB)
    spans = locate_tokens(text, pieces, SECTION)
    written = [text[start:end] for start, end in spans if start < end]
    assert written[:4] == ["The", "FILM", "\N{BLACK CHESS KNIGHT}", "x"]
    assert "".join(written[4:]) == "unwatched"


@settings(database=None, deadline=None, derandomize=True, max_examples=100)
@given(text=ANY_TEXT, place=st.integers(0, 24))
def test_a_text_in_two_parts_has_the_same_pieces(text: str, place: int) -> None:
    line = IncrementalTokenizer(SECTION, VOCAB.divide_tokens)
    line.feed(text[:place])
    line.feed(text[place:], is_last=True)
    assert line.tokens == encode_text(text, SECTION, VOCAB)[0]


def test_the_file_gives_the_vocabulary_back() -> None:
    content = dump_tokenizer(SECTION, VOCAB)
    again = parse_subwords(content, VOCAB.words)
    assert (again.words, again.merges) == (VOCAB.words, VOCAB.merges)
    assert again.max_tokens == SECTION.max_tokens


def test_a_file_with_other_pieces_is_rejected() -> None:
    content = dump_tokenizer(SECTION, VOCAB)
    swapped = [*VOCAB.words[:-2], VOCAB.words[-1], VOCAB.words[-2]]
    with pytest.raises(ValueError, match=r"not those of vocab\.txt"):
        parse_subwords(content, swapped)
    with pytest.raises(ValueError, match="a piece that is not in the vocabulary"):
        parse_subwords(content, VOCAB.words[:-1])


def test_the_file_of_another_tokenizer_is_rejected() -> None:
    words = Vocab(["<pad>", UNK, "a"])
    content = dump_tokenizer(TextSection(tokenizer="words"), words)
    with pytest.raises(ValueError, match="the model BPE"):
        parse_subwords(content, VOCAB.words)


def test_a_vocabulary_without_the_bytes_is_rejected() -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        SubwordVocab(["<pad>", UNK, "a"], [], 9)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"pip install 'rnncls\[subwords\]'"):
        learn(LINES)


def test_the_length_of_a_text_is_no_part_of_the_cache() -> None:
    assert Settings.of(SECTION) == Settings.of(SECTION.replace(max_tokens=5))
