"""Text for display: without control characters, and cut to a length."""

import re
from collections.abc import Sequence
from unicodedata import normalize

_FORMATTING = (
    "\u00ad\u061c\u200b-\u200f\u2060-\u2064\ufeff\U000e0020-\U000e007f"
    "\u00a0\u2000-\u200a\u202f\u205f\u3000"
)
"""Invisible signs of many scripts, such as the joiners of emoji, and wide spaces."""
_IN_FOREIGN_TEXT = re.compile(
    rf"(?<![{_FORMATTING}])"
    rf"(?:(?<=[^\x00-\x7f])[{_FORMATTING}]+"
    rf"|[{_FORMATTING}]+(?![{_FORMATTING}])(?=[^\x00-\x7f]))"
)


def printable(text: str) -> str:
    """Replace each character that a terminal cannot show by its escape sequence."""
    return "".join(escape_characters(text))


def printable_lines(text: str) -> str:
    """Replace what a terminal cannot show as `printable` does, but keep line ends.

    Names of labels and of columns come from files: an escape sequence in one of them
    could change what a terminal shows.
    """
    return "\n".join(map(printable, text.split("\n")))


def escape_characters(text: str) -> list[str]:
    """Return for each character itself, or the escape sequence that is shown for it.

    Signs without a look of their own, such as the joiners in an emoji or in a Persian
    word, stay beside a character outside ASCII. Changes of direction never do: they
    could let a text look like another one.
    """
    characters = [
        character if character.isprintable() else ascii(character)[1:-1]
        for character in text
    ]
    for signs in _IN_FOREIGN_TEXT.finditer(text):
        characters[signs.start() : signs.end()] = signs[0]
    return characters


def shorten(text: str, limit: int) -> str:
    """Return the text for display, cut to `limit` characters with an ellipsis."""
    shown = printable(text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def name_token(text: str, token: str, span: tuple[int, int]) -> str:
    """Return a token as written in the text, or itself if it is not in the text.

    The tokens of one character, such as the three full stops of an ellipsis, have its
    name.

    Args:
        text: The text as written.
        token: The token, which may be lower-cased or normalised.
        span: Where it begins and ends in the text.
    """
    start, end = span
    if start < end:
        return text[start:end]
    previous = text[max(start - 1, 0) : start]
    is_part = token != previous and token in normalize("NFKC", previous).lower()
    return previous if is_part else token


def list_names(names: Sequence[str], limit: int = 5) -> str:
    """Return names in quotation marks; of many only the first, and how many follow."""
    shown = ", ".join(f"'{printable(name)}'" for name in names[:limit])
    num_left = len(names) - limit
    return f"{shown} and {num_left:,} more" if num_left > 0 else shown


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 row", "2,000 rows" or "no rows".

    Args:
        number: The number.
        noun: The noun in the singular; its plural ends in s.
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s" if number else f"no {noun}s"
