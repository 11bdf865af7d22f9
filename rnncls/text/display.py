"""Text for display: without control characters, and cut to a length."""


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
