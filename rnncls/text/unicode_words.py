"""Words and graphemes of any script.

The words are those of Unicode's default word boundaries (UAX #29), changed for
classification: an apostrophe divides words of Latin letters (`don 't`, `l' homme`), a
full stop joins only the letters of an abbreviation (`u.s.`), URLs, @names and #tags are
whole, and a script that is written without spaces gives one token for each grapheme.

Emoji are whole, with their skin tone, and so are flags and sequences with joiners
(UTS #51). `WORD_PATTERN` uses the common syntax of the `regex` package, Oniguruma
(Hugging Face tokenizers) and JavaScript but for the difference of two sets, and so does
`CHARACTER_PATTERN`.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable

import regex

from rnncls.text.tokenizer import UNK

SPACELESS_SCRIPTS = [
    "Han",
    "Hiragana",
    "Bopomofo",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Tai_Tham",
    "Tibetan",
    "Javanese",
    "Balinese",
]
"""Scripts without spaces between words. Katakana is not among them: its runs are mostly
single foreign words."""
WORD_START = "\u2581"
"""The token before the characters of a word; SentencePiece has the same sign."""

REMOVED = (
    "\u00ad\u200e\u200f\u2060\ufe0e\ufe0f\ufeff"  # soft hyphen, marks, selectors
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # direction of writing
)
APOSTROPHES = "\u2018\u2019\u201b\u02bc\u00b4\u055a\ua78c"
ZERO_WIDTH_SPACE = "\u200b"
_TRANSLATION = str.maketrans(
    {
        **dict.fromkeys(REMOVED),
        **dict.fromkeys(APOSTROPHES, "'"),
        ZERO_WIDTH_SPACE: " ",
    }
)

WHITE_SPACE = r"\s\x1c-\x1f"  # what `str.isspace` accepts
_JOINERS = r"\u200c\u200d"  # inside words of Indic scripts and of Persian
_SPACELESS = "".join(rf"\p{{{name}}}" for name in SPACELESS_SCRIPTS)
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_SPACELESS}]]"
_INNER = rf"[[\p{{L}}\p{{M}}\p{{N}}_{_JOINERS}]--[{_SPACELESS}]]"
_OTHER_LETTER = r"[^\P{L}\p{Latin}]"  # a letter that is not Latin
_CLITIC = r"(?i:s|t|d|m|ll|re|ve)"
_EMOJI = r"\p{Extended_Pictographic}\p{Emoji_Modifier}?"
_TAG_LETTERS = r"[\U000E0020-\U000E007F]*"  # the flags of England, Scotland and Wales

_PLAIN_WORD = "[a-z]++(?= )"  # only for speed: most words of English
_URL = rf"""(?i:https?://|www\.)[^{WHITE_SPACE}<>"]*[\p{{L}}\p{{N}}/_=&#%-]"""
_NAME = rf"(?<!{_LETTER})[@#][\p{{L}}\p{{M}}\p{{N}}_]+"
_KEYCAP = r"[0-9#*]\u20e3"
_NUMBER = r"\p{Nd}+(?:[.,:]\p{Nd}+)+"
_GRAPHEME = rf"[{_SPACELESS}]\p{{M}}*"
_ABBREVIATION = rf"(?<!{_LETTER})\p{{L}}(?:\.\p{{L}})+\.?(?!{_LETTER})"
_ELISION = rf"(?<=\p{{Latin}})'(?=\p{{Latin}}{{2}})(?!{_CLITIC}(?!{_LETTER}))"
_INNER_APOSTROPHE = rf"(?<={_OTHER_LETTER})'(?={_OTHER_LETTER}){_INNER}+"
_INNER_GERSHAYIM = rf"(?<=\p{{Hebrew}})[\"״׳](?=\p{{Hebrew}}){_INNER}+"
_WORD = (
    rf"{_LETTER}{_INNER}*(?:{_ELISION}|(?:{_INNER_APOSTROPHE}|{_INNER_GERSHAYIM})+)?"
)
_SHORT_FORM = rf"(?<=\p{{Latin}})'{_CLITIC}(?!{_LETTER})"
_FLAG = r"\p{Regional_Indicator}{2}"
_PICTURE = rf"{_EMOJI}{_TAG_LETTERS}(?:\u200d{_EMOJI})*"
_SIGN = rf"[^{WHITE_SPACE}]\p{{M}}*"

WORD_PATTERN = "|".join(
    (
        _PLAIN_WORD,
        _URL,
        _NAME,
        _KEYCAP,
        _NUMBER,
        _ABBREVIATION,
        _WORD,
        _GRAPHEME,
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
_find_spaceless = regex.compile(rf"[\p{{L}}&&[{_SPACELESS}]]", regex.VERSION1).findall


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


def normalize(text: str, *, nfkc: bool, lowercase: bool) -> str:
    """Return a text in which what looks the same is the same.

    Invisible characters are removed and apostrophes get one form.

    Args:
        text: The text.
        nfkc: Whether to apply Unicode's compatibility composition (UAX #15), which also
            turns full-width letters and ligatures into plain ones.
        lowercase: Whether to replace capitals; a final sigma becomes an ordinary one.
    """
    if not text.isascii():
        text = text.translate(_TRANSLATION)
        if nfkc:
            text = unicodedata.normalize("NFKC", text)
        if lowercase:
            return text.lower().replace("ς", "σ")
    return text.lower() if lowercase else text


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
