"""Words and graphemes of any language."""

import sys
import unicodedata
from collections import Counter

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnncls.text.normalization import normalize
from rnncls.text.unicode_words import (
    CHARACTER_PATTERN,
    WHITE_SPACE,
    WORD_PATTERN,
    WORD_START,
    build_character_splitter,
    build_word_splitter,
    split_words,
)

words = build_word_splitter()
characters = build_character_splitter()

SPACES = [sign for sign in map(chr, range(sys.maxunicode + 1)) if sign.isspace()]

ANY_TEXT = st.text(max_size=60) | st.lists(
    st.sampled_from(
        [
            *"aZé'’ʼ´.,:-_/@#&1٣½ß ς",
            " ",
            "\u200b",
            "\u200d",
            "\ufe0f",
            "\u0301",
            "\u0e33",
            "word",
            "'s",
            "http://",
            "www.",
            "東京",
            "ไม่",
            "タワー",
            "한국",
            "हिन्दी",
            'צה"ל',
            "ممتاز؟",
            "😀",
            "👍🏽",
            "👩‍👩‍👧",
            "🇩🇪",
            "1️⃣",
            "ＡＢ",
            "\U000e0067",
        ]
    ),
    max_size=25,
).map("".join)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("“excellent”", "“ excellent ”"),
        ("¡excelente!", "¡ excelente !"),
        ("ممتاز؟", "ممتاز ؟"),
        ("«bien» — très… bon", "« bien » — très . . . bon"),
        ("😀😀 👍🏽 👩‍👩‍👧 🇩🇪🇫🇷", "😀 😀 👍🏽 👩‍👩‍👧 🇩🇪 🇫🇷"),
        ("don't don’t donʼt don´t", "don 't " * 4),
        ("I'll we've it’s John's", "i 'll we 've it 's john 's"),
        ("l'homme dell’arte O'Clock", "l' homme dell' arte o'clock"),
        ("об'єкт м’ята", "об'єкт м'ята"),
        ('צה"ל', 'צה"ל'),
        ("state-of-the-art", "state - of - the - art"),
        ("U.S. e.g. end.Next", "u.s. e.g. end . next"),
        ("$5.30 10,000 3.5mm 3rd 12:30", "$ 5.30 10,000 3.5 mm 3rd 12:30"),
        ("https://t.co/Ab?x=2. www.a.org, x", "https://t.co/ab?x=2 . www.a.org , x"),
        ("@Ann #great #東京 a@b C# C++", "@ann #great #東京 a @ b c# c++"),
        ("太难吃。東京タワーへ", "太 难 吃 。 東 京 タワー へ"),
        ("ไม่อร่อย", "ไ ม่ อ ร่ อ ย"),
        ("हिन्दी में 한국어 문장", "हिन्दी में 한국어 문장"),
        ("می‌خواهم", "می‌خواهم"),
        ("ＡＢＣ ｶﾞ ﬁne", "abc ガ fine"),
        ("so\u00adft a\u200bb ❤️ ❤", "soft a b ❤ ❤"),
        ("ΟΔΟΣ οδος", "οδοσ οδοσ"),
    ],
)
def test_words_of_any_language(text: str, tokens: str) -> None:
    assert words(text) == tokens.split()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("태권 V", "▁ 태 권 ▁ v"),
        ("กำ👩‍👩‍👧é", "▁ กํ า 👩‍👩‍👧 é"),
        ("स्ते विद्या", "▁ स् ते ▁ वि द् या"),
        ("\u1100\u1161\u11a8 \u1112", "▁ 각 ▁ ᄒ"),
        ("🇩🇪🇫🇷 ❤️‍🔥1️⃣", "▁ 🇩🇪 🇫🇷 ▁ ❤‍🔥 1⃣"),
        ("", ""),
    ],
)
def test_characters_have_their_marks(text: str, tokens: str) -> None:
    assert characters(text) == tokens.split()


def test_normalisation_and_small_letters_can_be_turned_off() -> None:
    assert build_word_splitter(nfkc=False)("ＡＢ é") == ["ａｂ", "é"]
    assert build_word_splitter(lowercase=False)("ＡＢ It'S") == ["AB", "It", "'S"]


ASCII_PARTS = (
    "a b' c. D e, ( ) [ ] \" ' ' . . : , ; - - # @ + + _ / = & % $ ! ? 1 23"
    " 's 't www. http:// x.y U.S. l' d' C++ ab"
)
ASCII_TEXT = st.lists(
    st.sampled_from([*ASCII_PARTS.split(), *"      "]), max_size=12
).map("".join)


@settings(database=None, deadline=None, derandomize=True, max_examples=1500)
@given(text=ASCII_TEXT | ANY_TEXT)
@example(text="www.- www.) http:a a.'s (a.b) a-'s")
def test_chunks_between_spaces_are_split_on_their_own(text: str) -> None:
    normal = normalize(text, nfkc=True, lowercase=True)
    expected = regex.findall(WORD_PATTERN, normal, regex.VERSION1)
    assert split_words(normal) == expected


@pytest.mark.parametrize("space", SPACES, ids=ascii)
def test_the_pattern_stops_at_all_white_space(space: str) -> None:
    assert regex.fullmatch(f"[{WHITE_SPACE}]", space)
    text = f"don't{space}'s{space}{space}a.{space}b-c"
    assert split_words(text) == regex.findall(WORD_PATTERN, text, regex.VERSION1)


def test_characters_of_ascii_are_those_of_the_pattern() -> None:
    text = "".join(map(chr, range(33, 127)))
    expected = regex.findall(CHARACTER_PATTERN, text, regex.VERSION1)
    assert build_character_splitter(lowercase=False)(text) == [WORD_START, *expected]


@settings(database=None, deadline=None, derandomize=True, max_examples=400)
@given(text=ANY_TEXT)
def test_no_sign_of_a_text_is_lost(text: str) -> None:
    normal = normalize(text, nfkc=True, lowercase=True)
    expected = Counter(sign for sign in normal if not sign.isspace())
    assert Counter("".join(words(text))) == expected
    found = [token for token in characters(text) if token != WORD_START]
    visible = {sign: number for sign, number in expected.items() if sign != WORD_START}
    assert Counter("".join(found)) == visible


@settings(database=None, deadline=None, derandomize=True, max_examples=400)
@given(text=ANY_TEXT)
def test_composed_and_decomposed_text_is_the_same(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(
        unicodedata.normalize("NFC", text)
    )
