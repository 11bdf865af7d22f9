"""Normalisation of texts of any language: what reads the same becomes the same.

`normalize` does it. `list_steps` returns the same as data, for other programs; its
patterns are in the common syntax of `re`, `regex`, Oniguruma and JavaScript.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, NamedTuple


class Replacement(NamedTuple):
    """A step that replaces the matches of a pattern with a text."""

    pattern: str
    text: str


Step = Replacement | Literal["nfkc", "lowercase"]
"""Unicode's NFKC, and lower case as `str.lower`, need no more than their name."""

_REMOVED = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200e\u200f\u2060-\u2064\ufeff"
    "\u202a-\u202e\u2066-\u206f\ufff9-\ufffb"  # direction of writing, annotations
    "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # selectors of a form
)
"""Characters that nobody sees, as the inside of a set: they are removed."""
_OPTIONAL_MARKS = (
    "\u0640\u064b-\u0652\u0670"  # tatweel and the vowel signs of Arabic
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # the points of Hebrew
)
"""Marks without which words are usually written, as the inside of a set."""
_EQUAL_SIGNS = {
    "'": "\u2018\u2019\u201b\u02bc\u00b4\u055a\ua78c\u05f3",
    '"': "\u05f4",
    "-": "\u2010\u2011\u2212",
    " ": "\u200b\u3164\uffa0",  # what looks like nothing divides words
}
"""One sign for several that look like it."""
_EQUAL_LETTERS = {
    "\u0d23\u0d4d\u200d": "\u0d7a",  # the chillu letters of Malayalam
    "\u0d28\u0d4d\u200d": "\u0d7b",
    "\u0d30\u0d4d\u200d": "\u0d7c",
    "\u0d32\u0d4d\u200d": "\u0d7d",
    "\u0d33\u0d4d\u200d": "\u0d7e",
    "\u0d15\u0d4d\u200d": "\u0d7f",
}
"""Two ways to write a letter, of which the first becomes the second."""
_EQUAL_SMALL_LETTERS = {"\u03c2": "\u03c3", "i\u0307": "i"}
"""The same for the small letters of capitals: of a sigma, and of a dotted I."""
_BESIDE_WORDS = (
    r"\s\x1c-\x1f!-/:-@\[-`{-~"  # white space and signs
    r"\u00ab\u00bb\u060c\u061b\u061f\u06d4\u2018-\u201e\u2026"
)
_IDLE_JOINER = rf"(?<![^{_BESIDE_WORDS}])\u200c+|\u200c+(?![^{_BESIDE_WORDS}])"
"""A joiner of Persian that is not between two letters."""

_TRANSLATION = str.maketrans(
    {sign: equal for equal, signs in _EQUAL_SIGNS.items() for sign in signs}
)
_remove_invisible = re.compile(f"[{_REMOVED}]+").sub
_remove_marks = re.compile(f"[{_OPTIONAL_MARKS}]+").sub
_remove_joiners = re.compile(_IDLE_JOINER).sub


def normalize(text: str, *, nfkc: bool, lowercase: bool) -> str:
    """Return a text in which what looks the same is the same.

    Invisible characters and optional marks are removed, and signs that look alike
    become one, such as the apostrophes.

    Args:
        text: The text.
        nfkc: Whether to apply Unicode's compatibility composition (UAX #15), which also
            turns full-width letters and ligatures into plain ones.
        lowercase: Whether to replace capitals; a final sigma becomes an ordinary one,
            and the Turkish dotted I a plain `i`.
    """
    if text.isascii():
        return text.lower() if lowercase else text
    text = _remove_invisible("", text).translate(_TRANSLATION)
    if nfkc:
        text = unicodedata.normalize("NFKC", text)
    text = _remove_joiners("", _remove_marks("", text))
    text = _replace_all(text, _EQUAL_LETTERS)
    if not lowercase:
        return text
    return _replace_all(text.lower(), _EQUAL_SMALL_LETTERS)


def list_steps(*, nfkc: bool, lowercase: bool) -> list[Step]:
    """Return what `normalize` does to a text, step by step."""
    steps: list[Step] = [Replacement(f"[{_REMOVED}]", "")]
    for sign, equal_signs in _EQUAL_SIGNS.items():
        steps.append(Replacement(f"[{equal_signs}]", sign))
    if nfkc:
        steps.append("nfkc")
    steps.append(Replacement(f"[{_OPTIONAL_MARKS}]", ""))
    steps.append(Replacement(_IDLE_JOINER, ""))
    steps += [Replacement(*letters) for letters in _EQUAL_LETTERS.items()]
    if lowercase:
        steps.append("lowercase")
        steps += [Replacement(*letters) for letters in _EQUAL_SMALL_LETTERS.items()]
    return steps


def _replace_all(text: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text
