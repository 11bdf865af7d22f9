"""Check the texts that a Python program passes to the predictor."""

import math
from collections.abc import Iterable, Mapping, Set
from typing import Any

_SHOWN_CHARACTERS = 40
_EXPECTED = "expected a string, or an iterable of strings such as a list"


def check_texts(texts: str | Iterable[str], first: int = 0) -> list[str]:
    """Return the texts as a list; a single string is one text.

    Lists, tuples, generators, arrays and Series are accepted.

    Args:
        texts: The texts.
        first: The position of the first one, for messages.

    Raises:
        TypeError: It is something else, or an item is not a string. The message names
            the position of the item, from 0.
    """
    if isinstance(texts, str):
        return [str(texts)]
    items = _iterate(texts)
    checked = []
    for position, text in enumerate(items, start=first):
        if not isinstance(text, str):
            raise TypeError(
                f"texts[{position}]: expected a string, found {_describe(text)}"
            )
        checked.append(str(text))  # numpy has its own strings
    return checked


def _iterate(texts: Any) -> Iterable[object]:
    """Return the items of a collection that has an order and holds texts."""
    if isinstance(texts, bytes | bytearray | memoryview):
        raise TypeError(f"texts: {_EXPECTED}, found {_describe(texts)}")
    if isinstance(texts, Mapping | Set) or hasattr(texts, "columns"):
        kind = type(texts).__name__
        raise TypeError(f"texts: {_EXPECTED}, found a {kind}: choose its texts")
    if hasattr(texts, "to_pylist"):  # pyarrow
        texts = texts.to_pylist()
    try:
        items: Iterable[object] = iter(texts)
    except TypeError:
        raise TypeError(f"texts: {_EXPECTED}, found {_describe(texts)}") from None
    return items


def _describe(value: object) -> str:
    """Return a value with its type, and how to make a text of it."""
    if value is None:
        return "None"
    shown = repr(value)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[:_SHOWN_CHARACTERS] + "..."
    hint = ""
    if isinstance(value, bytes | bytearray):
        hint = ": decode it first"
    elif isinstance(value, list | tuple):
        hint = ": a text is one string: join its words"
    elif _is_empty_cell(value):
        hint = ': an empty cell of a table is NaN: replace it first, as fillna("") does'
    return f"{shown} ({type(value).__name__}){hint}"


def _is_empty_cell(value: object) -> bool:
    """Return whether a value is NaN, or what pandas has in its place."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return is_nan or type(value).__name__ in {"NAType", "NaTType"}
