"""`tokenizer.json`, read by Hugging Face tokenizers, gives the token ids of ours."""

import json
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import UNK, build_tokenizer
from rnncls.text.tokenizer_json import dump_tokenizer, to_oniguruma
from rnncls.text.unicode_words import CHARACTER_PATTERN, WORD_PATTERN
from rnncls.text.vocab import PAD, UNK_ID, Vocab

_ALPHABETS = (
    "abc XYZ 019.,:'\"-@#_/<>&",
    "éßİĳﬁ ŐñÇ ÅÆ",
    "абв ЁЩ м’ята",
    "αΣς ΐ Ὀδ",
    "مرحبا؟ ، ٣٤ \u200f\u0640",
    "שלום צה״ל ׳",
    "नमस्ते क्ष \u200d\u200c ।",
    "ไทย กำ ่ ๑ ລາວ ຳ",
    "汉字 漢 の カタｶﾞ 。「」",
    "한국어 각 \u1112\u1161\u11ab",
    "မြန်မာ ខ្មែរ བོད་",
    "😀👍🏽👩‍👧🇩🇪❤\ufe0f1\ufe0f\u20e3",
    "“”‘’…—«»¡¿\u00ad\u200b\u2060 \t\n\x1c\x85\u2028",
    "▁ <pad> <unk> \u0301\u0308",
    "ន្ឋ ကျွန်တော် န္ဓ ꦏ꧀ꦏ ᩈ᩠ᨿ ນ້ຳ",
    "അവന്\u200d ർ ി \u200c\u200c x",
    "ի՞նչ շա՜տ՛ ։ col·l L·L",
    "すげーアプリabcプリー ｱﾌﾟ ー",
    "ㅋㅋㅠㅠ가ㅎ ᄒᆞᆫ각",
    "الْعَرَبِيَّة جـــ ٣٫٤٬ ﷺ ﱞ ﹷ שָׁל״ם\u05f3 שּׁ",
    "#话题#文字 @a.b-c@d.ef C++# f#",
    "‐‑−ʼ՚ꞌ\u061c\u3164\uffa0\u180b\U000e0100",
)
_WORDS = (
    "https://t.co/Ab?x=2 www.a.org @Ann #great #東京 don't l'homme U.S. $5.30 12:30",
    "об'єкт state-of-the-art 3rd I'll ΟΔΟΣ İstanbul",
    "ng'ombe c'hoar c'est Ankara'da y'all'd've rock'n'roll 1'000 a.b-c@mail.example.org"
    " http://t.cn/x好吃 #话题#文字 col·legi C++ F# iPhoneケース 10ポイント",
)


def _is_old(sign: str) -> bool:
    """Whether this Python, an older engine, knows the character."""
    return unicodedata.category(sign) not in {"Cn", "Cs", "Co"}


ANY_SIGN = st.characters(exclude_categories=("Cs", "Cn", "Co")).filter(_is_old)
ANY_TEXT = st.one_of(
    st.lists(st.sampled_from("".join(_ALPHABETS)), max_size=12).map("".join),
    st.sampled_from(_ALPHABETS).flatmap(lambda signs: st.text(signs, max_size=20)),
    st.lists(st.sampled_from(" ".join(_WORDS).split()), max_size=4).map(" ".join),
    st.text(ANY_SIGN, max_size=8),
)


def build_both(section: TextSection, text: str) -> tuple[list[int], list[int]]:
    """Return the ids of a text by both tokenizers; every second token is unknown."""
    tokens = build_tokenizer(section)(text)
    distinct = dict.fromkeys(tokens[::2])
    vocab = Vocab([PAD, UNK, *(token for token in distinct if token not in {PAD, UNK})])
    content = dump_tokenizer(section, vocab)
    theirs = Tokenizer.from_str(content).encode(text).ids
    return vocab.encode(tokens).tolist(), theirs or [UNK_ID]


@settings(database=None, deadline=None, derandomize=True, max_examples=600)
@given(
    text=ANY_TEXT,
    name=st.sampled_from(["words", "characters", "basic_english", "whitespace"]),
    nfkc=st.booleans(),
    lowercase=st.booleans(),
)
@example(text="▁a \u0308b▁", name="characters", nfkc=True, lowercase=True)
@example(text="ΣΑΣ σας", name="words", nfkc=True, lowercase=True)
@example(text="ΣΑΣ Σ ΑΣ' 'Σ ΑΣ.Α", name="basic_english", nfkc=True, lowercase=True)
@example(text="a<pad> <pad>. <PAD>", name="basic_english", nfkc=True, lowercase=True)
@example(text="<pad>\x1c<pad> <PAD>", name="whitespace", nfkc=True, lowercase=True)
@example(text='A "b".c<br />d;e:', name="basic_english", nfkc=True, lowercase=True)
def test_both_give_the_same_ids(
    text: str, name: str, *, nfkc: bool, lowercase: bool
) -> None:
    section = TextSection.model_validate(
        {"tokenizer": name, "clean": False, "nfkc": nfkc, "lowercase": lowercase}
    )
    ours, theirs = build_both(section, text)
    assert theirs == ours


def test_long_texts_are_cut_there_too() -> None:
    section = TextSection(tokenizer="words", clean=False, max_tokens=3)
    ours, theirs = build_both(section, "a b c d e")
    assert len(ours) == 3
    assert theirs == ours


def test_the_file_is_json_with_the_ids_of_the_vocabulary() -> None:
    vocab = Vocab([PAD, UNK, "gut", "♥"])
    content = dump_tokenizer(TextSection(tokenizer="words"), vocab)
    assert json.loads(content)["model"]["vocab"] == {PAD: 0, UNK: 1, "gut": 2, "♥": 3}


@pytest.mark.parametrize("pattern", [WORD_PATTERN, CHARACTER_PATTERN])
def test_no_syntax_of_one_engine_is_left(pattern: str) -> None:
    converted = to_oniguruma(pattern)
    assert "--" not in converted.replace("%-]", "")
    assert "\\u" not in converted
    assert "\\U" not in converted


def test_a_set_difference_is_an_intersection() -> None:
    assert to_oniguruma(r"[[\p{L}_]--[\p{Han}]]\u0041") == r"[\p{L}_&&[^\p{Han}]]A"
