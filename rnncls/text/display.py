"""Text for display: without control characters, and cut to a length."""

from collections.abc import Sequence


def printable(text: str) -> str:
    """Replace each character that a terminal cannot show by its escape sequence."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in text
    )


def shorten(text: str, limit: int) -> str:
    """Return the text for display, cut to `limit` characters with an ellipsis."""
    shown = printable(text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def list_names(names: Sequence[str], limit: int = 5) -> str:
    """Return names in quotation marks; of many only the first, and how many follow."""
    shown = ", ".join(f"'{name}'" for name in names[:limit])
    num_left = len(names) - limit
    return f"{shown} and {num_left:,} more" if num_left > 0 else shown
