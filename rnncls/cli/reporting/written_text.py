"""Texts as they were written, divided at their tokens, for the terminal and for pages.

Capitals, spaces and the order of right-to-left scripts stay. What a terminal cannot
show is escaped (`rnncls.text.display`).
"""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from rnncls.text.display import escape_characters, name_token, printable
from rnncls.text.traced_text import Span

_MAX_REST = 60
"""How many characters after the last token are shown."""


class Segment(NamedTuple):
    """A part of a text.

    Attributes:
        text: The part, for display.
        token: The index of the token that it is; None between two tokens.
    """

    text: str
    token: int | None


def divide_text(text: str, spans: Sequence[Span]) -> list[Segment]:
    """Return the parts of a text; tokens without a character of their own have none.

    Args:
        text: The text as written.
        spans: The places of its tokens.
    """
    characters = _show_characters(text)
    segments: list[Segment] = []
    end = 0
    for index, span in enumerate(spans):
        if span.start == span.end:
            continue
        if span.start > end:
            between = "".join(characters[end : span.start])
            segments.append(Segment(between, None))
        token = "".join(characters[span.start : span.end])
        segments.append(Segment(token, index))
        end = span.end
    rest = "".join(characters[end:]).rstrip()
    if len(rest) > _MAX_REST:
        rest = f"{rest[: _MAX_REST - 1]}…"
    return [*segments, Segment(rest, None)] if rest else segments


def _show_characters(text: str) -> list[str]:
    """Return each character as displayed; line ends, tabs and spaces stay."""
    characters = escape_characters(text)
    for index, character in enumerate(text):
        if character in "\n\t" or unicodedata.category(character) == "Zs":
            characters[index] = character
        elif text[index : index + 2] == "\r\n":
            characters[index] = ""
    return characters


def name_tokens(text: str, tokens: Sequence[str], spans: Sequence[Span]) -> list[str]:
    """Return each token as written, or the token itself if it has no character."""
    names = []
    for token, span in zip(tokens, spans, strict=True):
        names.append(printable(name_token(text, token, span)))
    return names
