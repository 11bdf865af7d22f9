"""Words and graphemes of any script.

The words are those of Unicode's default word boundaries (UAX #29), changed for
classification: the short forms of English and the elisions of French and Italian are
apart (`don 't`, `l' homme`), a full stop joins only the letters of an abbreviation
(`u.s.`), addresses, @names, #tags and `c++` are whole, and a script that is written
without spaces gives one token for each character with its marks.

Emoji are whole, with their skin tone, and so are flags and sequences with joiners
(UTS #51). `WORD_PATTERN` uses the common syntax of the `regex` package, Oniguruma
(Hugging Face tokenizers) and JavaScript but for the difference of two sets, and so does
`CHARACTER_PATTERN`.
"""

import itertools
import re
from collections.abc import Callable, Iterable

import regex

from rnncls.text.normalization import normalize
from rnncls.text.tokenizer import UNK

SPACELESS_SCRIPTS = [
    "Han",
    "Hiragana",
    "Bopomofo",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Tai_Le",
    "New_Tai_Lue",
    "Tai_Tham",
    "Tai_Viet",
    "Tibetan",
    "Javanese",
    "Balinese",
    "Yi",
]
"""Scripts without spaces between words. Katakana is not among them: its runs are mostly
single foreign words."""
WORD_START = "\u2581"
"""The token before the characters of a word; SentencePiece has the same sign."""

WHITE_SPACE = r"\s\x1c-\x1f"  # what `str.isspace` accepts
_JOINERS = r"\u200c\u200d"  # inside words of Indic scripts and of Persian
_DIVIDED_SCRIPTS = [name for name in SPACELESS_SCRIPTS if name != "Tibetan"]
"""Tibetan has a sign between syllables."""
_SPACELESS = "".join(rf"\p{{{name}}}" for name in _DIVIDED_SCRIPTS)
_PROLONGED = r"\u30fc\uff70"
_KANA_MARKS = rf"{_PROLONGED}\uff9e\uff9f"
_INITIAL_JAMO = r"\u1100-\u115f\ua960-\ua97c\u3131-\u314e"
_OTHER_JAMO = r"\u1160-\u11a7\ud7b0-\ud7c6\u314f-\u318e"
_APART = rf"{_SPACELESS}\p{{Katakana}}{_KANA_MARKS}{_INITIAL_JAMO}{_OTHER_JAMO}"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_APART}]]"
_INNER = rf"[[\p{{L}}\p{{M}}\p{{N}}_{_JOINERS}]--[{_APART}]]"
_CLITIC = r"(?i:s|t|d|m|ll|re|ve)"
_NO_CLITIC = rf"(?!{_CLITIC}(?!{_LETTER}))"
_EMOJI = r"\p{Extended_Pictographic}\p{Emoji_Modifier}?"
_TAG_LETTERS = r"[\U000E0020-\U000E007F]*"  # the flags of England, Scotland and Wales

_PLAIN_WORD = "[a-z]++(?= )"  # only for speed: most words of English
_MAIL = r"(?i:[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9-]+\.)+[a-z]{2,})"
# Text of scripts without spaces may follow an address directly.
_AFTER_URL = rf"{_SPACELESS}\p{{Katakana}}\p{{Hangul}}\u3001-\u303f"
_URL = (
    rf"""(?i:https?://|www\.)[^{WHITE_SPACE}<>"{_AFTER_URL}]*"""
    rf"[[\p{{L}}\p{{N}}/_=&#%-]--[{_AFTER_URL}]]"
)
_NAME = rf"(?<!{_LETTER})[@#][\p{{L}}\p{{M}}\p{{N}}_{_JOINERS}]+(?:(?<=\p{{Han}})#)?"
_KEYCAP = r"[0-9#*]\u20e3"
_NUMBER = r"\p{Nd}+(?:[.,:'\u066b\u066c]\p{Nd}+)+"
_SPACED = rf"[[\p{{L}}]--[{_APART}]]"
_ABBREVIATION = (
    rf"(?=\p{{L}}\.\p{{L}})(?<!{_LETTER}){_SPACED}(?:\.{_SPACED})+\.?(?!{_LETTER})"
)
_SHARP = rf"(?<!{_LETTER})(?i:[a-z])(?:\+\+|#)(?![\p{{L}}\p{{N}}_+#])"  # C++, C#

# French, Italian and Catalan words before a vowel; elsewhere an apostrophe is a letter.
_ELIDED_WORDS = (
    r"d|j|l|m|n|s|t|v|qu|c(?!'h)|jusqu|lorsqu|puisqu|quoiqu"
    r"|un|all|dall|dell|nell|sull|coll|quell|quest|bell|sant|tutt|anch|com|dov|senz"
)
_ELISION = rf"(?<!{_LETTER})(?i:{_ELIDED_WORDS})'(?=\p{{Latin}}){_NO_CLITIC}"
_INNER_APOSTROPHE = rf"(?<=[\p{{L}}\p{{M}}])'(?=\p{{L}}){_NO_CLITIC}{_INNER}+"
_INNER_GERSHAYIM = rf"(?<=\p{{Hebrew}})\"(?=\p{{Hebrew}}){_INNER}+"
_INNER_TONE = rf"(?<=\p{{Armenian}})[\u055b\u055c\u055e](?=\p{{Armenian}}){_INNER}+"
_INNER_DOT = rf"(?<=[lL])\u00b7(?=[lL]){_INNER}+"  # Catalan
_INNER_SIGN = rf"(?:{_INNER_APOSTROPHE}|{_INNER_GERSHAYIM}|{_INNER_TONE}|{_INNER_DOT})"
_WORD = rf"{_LETTER}{_INNER}*{_INNER_SIGN}*"
_SHORT_FORM = rf"(?<=[\p{{Latin}}\p{{M}}])'{_CLITIC}(?!{_LETTER})"
_KATAKANA = rf"\p{{Katakana}}[\p{{Katakana}}\p{{M}}{_KANA_MARKS}]*"
# The ㅋㅋㅋ of Korean, and syllables that have no code of their own.
_JAMO = (
    rf"[{_INITIAL_JAMO}]+(?:[{_OTHER_JAMO}]+[\u11a8-\u11ff\ud7cb-\ud7fb]*)?"
    rf"|[{_OTHER_JAMO}]+"
)

# What joins the next letter: a consonant below another one, the vowel AM, which NFKC
# divides, and the last consonant of a syllable in Myanmar.
_STACKING_SIGNS = r"\u1039\u17d2\u1a60\ua9c0\u1b44"
_JOINED_LETTER = (
    rf"(?:(?<=[{_STACKING_SIGNS}])[{_SPACELESS}]|[\u0e33\u0eb3]|(?<=\u0e4d)\u0e32"
    r"|(?<=\u0ecd)\u0eb2|[\u1000-\u1021](?=\u1037?\u103a))"
)
_GRAPHEME = rf"[{_SPACELESS}]\p{{M}}*(?:{_JOINED_LETTER}\p{{M}}*)*"
_FLAG = r"\p{Regional_Indicator}{2}"
_PICTURE = rf"{_EMOJI}{_TAG_LETTERS}(?:\u200d{_EMOJI})*"
_SIGN = rf"[^{WHITE_SPACE}]\p{{M}}*"

# The order decides. It is also that of the speed: what a sign cannot start is skipped.
_FROM_ASCII = "|".join((_URL, _MAIL, _NAME, _KEYCAP, _SHARP, _ELISION))
WORD_PATTERN = "|".join(
    (
        _PLAIN_WORD,
        _GRAPHEME,
        rf"(?=[!-~])(?:{_FROM_ASCII})",
        _NUMBER,
        _ABBREVIATION,
        _WORD,
        _KATAKANA,
        _JAMO,
        _SHORT_FORM,
        _FLAG,
        _PICTURE,
        _SIGN,
    )
)

# Not `\X`: what that joins depends on the Unicode version of the engine.
_MARKS = rf"[\p{{M}}{_JOINERS}\u0e33\u0eb3]*"  # and the vowels AM of Thai and Lao
_HANGUL = (
    r"[\u1100-\u115f\ua960-\ua97c]*[\uac00-\ud7a3\u1160-\u11a7\ud7b0-\ud7c6]"
    r"[\u1160-\u11ff\ud7b0-\ud7fb]*"
)
CHARACTER_PATTERN = "|".join(
    (
        WORD_START,
        f"{_HANGUL}{_MARKS}",
        f"{_FLAG}{_MARKS}",
        f"{_PICTURE}{_MARKS}",
        rf"[^{WHITE_SPACE}]{_MARKS}",
    )
)
_is_plain = re.compile(r"""['"(\[$]*[a-zA-Z0-9()"\[\]$!?;-]+[.,:'")\]!?;]*""").fullmatch
"""Whether a chunk has no other tokens than words and signs."""
_find_plain_words = re.compile("[a-zA-Z0-9]+|.").findall
_find_words = regex.compile(WORD_PATTERN, regex.VERSION1).findall
_find_characters = regex.compile(CHARACTER_PATTERN, regex.VERSION1).findall
_search_sign = regex.compile(
    r"[[\p{P}\p{S}\p{Extended_Pictographic}]--\p{ASCII}]", regex.VERSION1
).search
_find_letters = regex.compile(r"\p{L}").findall
_find_hangul = regex.compile(r"\p{Hangul}").findall
_find_spaceless = regex.compile(
    rf"[\p{{L}}&&[{_SPACELESS}\p{{Tibetan}}]]", regex.VERSION1
).findall


def build_word_splitter(
    *, nfkc: bool = True, lowercase: bool = True
) -> Callable[[str], list[str]]:
    """Return a function from a text to its words, numbers, emoji and signs."""

    def split(text: str) -> list[str]:
        return split_words(normalize(text, nfkc=nfkc, lowercase=lowercase))

    return split


def split_words(text: str) -> list[str]:
    """Return all matches of `WORD_PATTERN` in a normalised text.

    No match extends across white space or depends on what is beyond it. Most chunks of
    English between white space are words, perhaps with signs at their ends; these do
    not need the pattern, which is slower.
    """
    tokens: list[str] = []
    for chunk in text.split():
        if not chunk.isascii():
            tokens += _find_words(chunk)
        elif chunk.isalnum():
            tokens.append(chunk)
        elif _is_plain(chunk):
            tokens += _find_plain_words(chunk)
        else:
            tokens += _find_words(chunk)
    return tokens


def build_space_splitter(
    *, nfkc: bool = True, lowercase: bool = True
) -> Callable[[str], list[str]]:
    """Return a function from a text to what stands between white space.

    The word `<unk>` is marked by `WORD_START`, so that it is not taken for the token of
    a text without words.
    """

    def split(text: str) -> list[str]:
        words = normalize(text, nfkc=nfkc, lowercase=lowercase).split()
        if UNK in words:
            return [WORD_START + UNK if word == UNK else word for word in words]
        return words

    return split


def build_character_splitter(
    *, nfkc: bool = True, lowercase: bool = True
) -> Callable[[str], list[str]]:
    """Return a function from a text to its characters, each word after `WORD_START`.

    A character is a letter or sign with its marks, an emoji sequence, or a syllable of
    Hangul (a legacy grapheme cluster of UAX #29, and UTS #51).
    """

    def split(text: str) -> list[str]:
        tokens: list[str] = []
        for word in normalize(text, nfkc=nfkc, lowercase=lowercase).split():
            tokens.append(WORD_START)
            tokens += word if word.isascii() else _find_characters(word)
        return tokens

    return split


def measure_hangul_share(texts: Iterable[str]) -> float:
    """Return the share of the letters that are Korean."""
    return _measure_share(_find_hangul, texts, itertools.repeat(1))


def measure_spaceless_share(
    texts: Iterable[str], counts: Iterable[int] | None = None
) -> float:
    """Return the share of the letters whose script is written without spaces.

    Args:
        texts: The texts.
        counts: How often each text counts; None: once.
    """
    return _measure_share(_find_spaceless, texts, counts or itertools.repeat(1))


def _measure_share(
    find: Callable[[str], list[str]], texts: Iterable[str], counts: Iterable[int]
) -> float:
    num_letters = num_found = 0
    for text, count in zip(texts, counts, strict=False):
        num_letters += count * len(_find_letters(text))
        if not text.isascii():
            num_found += count * len(find(text))
    return num_found / max(num_letters, 1)


def has_glued_sign(token: str) -> bool:
    """Whether a token holds a sign outside ASCII beside letters or other signs."""
    if token.isascii() or len(token) == 1:
        return False
    return _search_sign(token) is not None and len(_find_words(token)) > 1
