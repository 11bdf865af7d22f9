"""HTML in texts: known tags and known entities, and nothing that only looks like them.

`<int>`, `<ann@example.org>`, `a<b and c>d` and `#1042;` are no HTML.
"""

import html
import re
from collections.abc import Iterable
from html.entities import html5

from rnncls.text.traced_text import Rule

_TAG_NAMES = (
    "a abbr address article aside b big blockquote body br button caption center cite"
    " code col colgroup dd del div dl dt em figure figcaption font footer form h1 h2 h3"
    " h4 h5 h6 head header hr html i iframe img input ins kbd label li link main mark"
    " meta nav ol option p pre q s samp script section select small source span strike"
    " strong style sub sup table tbody td textarea tfoot th thead title tr tt u ul var"
    " video wbr"
)
_FLAGS = (
    "checked disabled selected hidden nowrap controls autoplay loop muted async defer"
)
_ATTRIBUTE = (
    r"""\s+(?:[a-zA-Z_:][-\w:.]*\s*=\s*(?:"[^"<]*"|'[^'<]*'|[^\s"'<>=]+)"""
    rf"|(?:{'|'.join(_FLAGS.split())}))"
)
_TAG = re.compile(
    rf"</?(?:{'|'.join(_TAG_NAMES.split())})(?:{_ATTRIBUTE}){{0,20}}\s*/?>|<!--.{{0,300}}?-->",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|([a-zA-Z][a-zA-Z0-9]{1,31}));"
)
_EVIDENCE = re.compile(r"</|<!--|<(?:br|p|hr|li|tr|td)\b|=", re.IGNORECASE)
"""What C++'s `vector<i>` does not have: an end tag, an attribute, an entity."""
_MIN_SHARE = 0.01
"""A column shows HTML if one of a hundred texts does."""


def remove_markup(text: str) -> str:
    """Replace known HTML tags with spaces, and known entities with their characters."""
    if "<" not in text and "&" not in text:
        return text
    for pattern, replacement in MARKUP_RULES:
        text = pattern.sub(replacement, text)
    return text


def has_markup(text: str) -> bool:
    """Return whether a text has HTML that cannot be anything else."""
    if "<" not in text and "&" not in text:
        return False
    if any(_EVIDENCE.search(match[0]) for match in _TAG.finditer(text)):
        return True
    return _ENTITY.sub(decode_entity, text) != text


def decode_entity(match: re.Match[str]) -> str:
    """Return the characters of an entity, or the entity if it is none of HTML's."""
    name = match[1]
    if name is not None and f"{name};" not in html5:
        return match[0]
    return html.unescape(match[0])


MARKUP_RULES = (Rule(_TAG, " "), Rule(_ENTITY, decode_entity))
"""What `remove_markup` replaces, one after the other."""


def is_html_column(texts: Iterable[str]) -> tuple[int, bool]:
    """Return how many texts have markup, and whether it is enough for a column of HTML.

    A single tag may be what a text is about.
    """
    num_texts = num_with_markup = 0
    for text in texts:
        num_texts += 1
        num_with_markup += has_markup(text)
    return num_with_markup, num_with_markup > max(1, _MIN_SHARE * num_texts)
