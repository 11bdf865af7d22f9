"""Cleaning of raw texts before they are split into tokens.

Each function takes a text and returns a text; `rnncls.text.tokenizer` applies those
that the config asks for, in the order of this module.
"""

import html
import re

from rnncls.text.traced_text import Rule

EDITS_EARLIER_WORDS = re.compile(r"[;\\<&#]")
"""Characters by which `clean_text` may change words that came before them, such as the
`>` of a tag that was opened earlier."""

_BROKEN_ENTITY = re.compile(
    r"(?<![&\w])(?<!amp;)(#\d{1,7}|quot|amp|lt|gt|nbsp|apos|hellip|[lr][sd]quo|[mn]dash);"
)
_SPACED_APOSTROPHE = re.compile(r" ?&#0?39;(?=(?:s|t|d|m|ll|re|ve)\b)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,300}>")
NEEDS_CLEANING = re.compile(r"[;\\<]")
"""`clean_text` returns a text without a match as it is."""
_CHARACTER_REFERENCE = re.compile(
    r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)"
)
"""What `html.unescape` replaces."""
_MAY_BE_CAPITAL = re.compile(r"(?<!\S)[^\w\s]*([^\W\d_a-z][^\W\d_]*)")
_DIGIT = re.compile(r"\d")


def unescape_reference(reference: re.Match[str]) -> str:
    """Return the characters that a character reference of HTML stands for."""
    return html.unescape(reference[0])


CLEANING_RULES = (
    Rule(_BROKEN_ENTITY, r"&\1;"),
    Rule(_SPACED_APOSTROPHE, "'"),
    Rule(_CHARACTER_REFERENCE, unescape_reference),
    Rule(_CHARACTER_REFERENCE, unescape_reference),
    Rule(_TAG, " "),
    Rule(re.compile(r"\\"), " "),
)
"""What `clean_text` replaces, one after the other."""


def clean_text(text: str) -> str:
    """Repair HTML entities, remove tags and replace backslashes with spaces.

    AG News has entities that lost their ampersand (`#39;`, `quot;`), escaped tags
    (`&lt;b&gt;`) and backslashes where a line ended; ` #39;s` becomes `'s`.
    """
    if not NEEDS_CLEANING.search(text):
        return text
    for pattern, replacement in CLEANING_RULES:
        text = pattern.sub(replacement, text)
    return text


def mark_case(text: str) -> str:
    """Insert `xxup` before words in capitals and `xxmaj` before capitalised words.

    These are the marks of fastai (Howard and Gugger 2020). A word is whatever stands
    between two spaces; its first run of letters decides. A single letter is not a word
    in capitals.
    """
    return _MAY_BE_CAPITAL.sub(mark_word, text)


def mark_word(word: re.Match[str]) -> str:
    """Return what `_MAY_BE_CAPITAL` matched, after the mark of its capitals."""
    letters = word[1]
    if len(letters) > 1 and letters.isupper():
        return f"xxup {word[0]}"
    if letters[0].isupper():
        return f"xxmaj {word[0]}"
    return word[0]


CASE_RULES = (Rule(_MAY_BE_CAPITAL, mark_word),)
"""What `mark_case` replaces."""


def replace_digits(text: str) -> str:
    """Replace every digit with 0."""
    return _DIGIT.sub("0", text)


DIGIT_RULES = (Rule(_DIGIT, "0"),)
"""What `replace_digits` replaces."""
