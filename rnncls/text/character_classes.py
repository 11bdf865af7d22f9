r"""Patterns of the package `regex` in a syntax that every language reads.

Python's `re`, and the regular expressions of most languages, lack Unicode properties
(`\p{Latin}`) or know them in another version of Unicode, and lack the difference of two
sets. Here each set that needs one of them becomes a reference, `\C{0}`, to a list of
ranges of characters.
"""

from functools import cache
from typing import NamedTuple

import regex

Range = tuple[int, int]
"""The first and the last code point of consecutive ones."""


class PlainPattern(NamedTuple):
    r"""A pattern without properties.

    Attributes:
        pattern: The pattern; `\C{n}` stands for one character of the class n.
        classes: The characters of each class.
    """

    pattern: str
    classes: list[list[Range]]


@cache
def expand_properties(pattern: str) -> PlainPattern:
    """Replace each set that has a property or is the difference of two sets.

    Args:
        pattern: A pattern of `regex.VERSION1`.
    """
    numbers: dict[str, int] = {}
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        end = _find_end(pattern, position)
        part = pattern[position:end]
        if _needs_class(part):
            number = numbers.setdefault(part, len(numbers))
            part = rf"\C{{{number}}}"
        parts.append(part)
        position = end
    every = "".join(map(chr, range(0x110000)))
    classes = [_list_ranges(part, every) for part in numbers]
    return PlainPattern("".join(parts), classes)


def _list_ranges(characters: str, every: str) -> list[Range]:
    """Return the code points that a pattern of one character matches, as ranges.

    Args:
        characters: The pattern.
        every: All characters of Unicode in their order.
    """
    runs = regex.compile(f"(?:{characters})+", regex.VERSION1).finditer(every)
    return [(run.start(), run.end() - 1) for run in runs]


def _needs_class(part: str) -> bool:
    is_set = part.startswith("[")
    has_set_inside = is_set and "[" in part[1:].replace(r"\[", "")
    return has_set_inside or r"\p{" in part or r"\P{" in part


def _find_end(pattern: str, start: int) -> int:
    """Return where the set, the escape or the character at a position ends."""
    if pattern[start] == "[":
        return find_set_end(pattern, start)
    if pattern[start] != "\\":
        return start + 1
    if pattern[start + 1] in "pP":
        return pattern.index("}", start) + 1
    return start + 2


def find_set_end(pattern: str, start: int, *, has_nested_sets: bool = True) -> int:
    """Return the position after the `]` of the set that begins at `start`.

    Args:
        pattern: The pattern.
        start: The position of the `[`.
        has_nested_sets: Whether a set may have sets inside, as in version 1 of `regex`.

    Raises:
        ValueError: The set has no end.
    """
    depth = 0
    position = start
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "[" and (depth == 0 or has_nested_sets):
            depth += 1
        elif character == "]":
            depth -= 1
        position += 1
        if depth == 0:
            return position
    raise ValueError(f"a set without its end in {pattern!r}")
