"""Fonts of this machine that have the characters of a label, for matplotlib.

matplotlib's own font, DejaVu Sans, has the Latin, Greek, Cyrillic, Arabic and Hebrew
scripts. For others, such as Thai or Japanese, the system's fonts are searched.
"""

from contextlib import suppress
from functools import cache

from matplotlib import rcParams
from matplotlib.font_manager import (
    FontEntry,
    findfont,
    findSystemFonts,
    fontManager,
    get_font,
)

from rnncls.text.display import printable

_NOT_DRAWN = ("Color Emoji", "LastResort", "Last Resort", "STIX")
"""Fonts of images, which matplotlib cannot draw, of placeholders, and of formulas."""


def replace_missing(text: str) -> str:
    """Replace each character that no font has by a "?"."""
    shown = printable(text)
    missing = _list_missing(shown)
    if not missing:
        return shown
    lacking = missing - _search_fonts(missing)[1]
    return "".join("?" if sign in lacking else sign for sign in shown)


def choose_families(text: str) -> list[str]:
    """Return the font families that have the characters of a text, in their order."""
    families: list[str] = list(rcParams["font.family"])
    missing = _list_missing(text)
    if missing:
        families += _search_fonts(missing)[0]
    return families


def _list_missing(text: str) -> frozenset[str]:
    """Return the characters that matplotlib's own font does not have."""
    if text.isascii():
        return frozenset()
    known = _read_characters(findfont("DejaVu Sans"))
    return frozenset(sign for sign in text if ord(sign) not in known and sign != "\n")


@cache
def _search_fonts(missing: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Return fonts that have these characters, and the characters that they have."""
    families, found = _search_known_fonts(missing)
    if found != missing:
        _add_new_fonts()
        families, found = _search_known_fonts(missing)
    return families, found


@cache
def _add_new_fonts() -> None:
    """Add the fonts that were installed after matplotlib listed those of the system."""
    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            # A font that matplotlib cannot read is no font to it.
            with suppress(OSError, RuntimeError):
                fontManager.addfont(path)


def _search_known_fonts(
    missing: frozenset[str],
) -> tuple[list[str], frozenset[str]]:
    families: list[str] = []
    found: set[str] = set()
    for font in sorted(fontManager.ttflist, key=_rank):
        if len(found) == len(missing):
            break
        if any(name in font.name for name in _NOT_DRAWN):
            continue
        known = _read_characters(font.fname)
        more = {sign for sign in missing - found if ord(sign) in known}
        if more:
            families.append(font.name)
            found |= more
    return families, frozenset(found)


def _rank(font: FontEntry) -> tuple[bool, bool, str]:
    """Put upright fonts of normal weight first, and plain ones without serifs."""
    is_regular = font.style == "normal" and font.weight in {400, "normal", "regular"}
    return not is_regular, "Sans" not in font.name, font.name


@cache
def _read_characters(path: str) -> frozenset[int]:
    """Return the code points that a font has; none if it cannot be read."""
    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
