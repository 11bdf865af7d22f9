r"""Regular expressions of Python as data for JavaScript.

What `\p{L}`, `\w` or "ignoring case" match depends on the Unicode version of the
engine. So each set of characters is written as its ranges of code points, as the
engine of this Python finds them: a browser of any version then finds the same tokens.

The syntax that is translated is that of the patterns in `rnncls.text`. Lookarounds,
groups and quantifiers mean the same in both languages.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import regex

from rnncls.text.character_classes import find_set_end

MAX_CODE_POINT = 0x10FFFF
Ranges = list[tuple[int, int]]
"""The first and the last code point of each range, in ascending order."""
JsonPattern = list[str | int]
"""Parts of a pattern: JavaScript source, or the index of a set in `CharacterSets`."""

_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
"""The characters that JavaScript wants to be escaped when they mean themselves."""
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_GROUP = re.compile(r"\((?:\?(?:i:|:|=|!|<=|<!))?")
_ESCAPED_SET = re.compile(r"\\(?:[pP]\{\w+\}|[sSdDwW])")
_CODE_POINT = re.compile(r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})")
_WORD_BOUNDARY = r"\b"
_WORD_SET = r"\w"


class Engine(NamedTuple):
    """What finds the characters of a set.

    Attributes:
        is_regex: Whether it is the package `regex`, in its version 1, or `re`.
        ignores_case: Whether capitals and small letters are the same.
        dot_is_all: Whether `.` matches line ends as well.
    """

    is_regex: bool
    ignores_case: bool = False
    dot_is_all: bool = False


class CharacterSets:
    """The distinct sets of characters of several patterns, by their index."""

    def __init__(self) -> None:
        """Start without a set."""
        self._indices: dict[str, int] = {}

    def add(self, ranges: Ranges) -> int:
        """Return the index of a set, which is added unless it is there already."""
        return self._indices.setdefault(encode_ranges(ranges), len(self._indices))

    def to_json(self) -> list[str]:
        """Return all sets, each as `encode_ranges` writes it."""
        return list(self._indices)


def encode_ranges(ranges: Ranges) -> str:
    """Write ranges in a short form.

    Each number is the distance from the one before, in base 36: from the end of a range
    to the start of the next, and from that start to its end.
    """
    numbers = []
    previous = 0
    for start, end in ranges:
        numbers += [start - previous, end - start]
        previous = end
    return " ".join(map(_to_base_36, numbers))


def _to_base_36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = digits[number % 36]
    while number := number // 36:
        text = digits[number % 36] + text
    return text


@cache
def _all_characters() -> str:
    return "".join(map(chr, range(MAX_CODE_POINT + 1)))


@cache
def find_ranges(source: str, engine: Engine) -> tuple[tuple[int, int], ...]:
    """Return the ranges of the characters that a pattern for one character matches."""
    pattern = _compile(f"(?:{source})+", engine)
    return tuple(
        (match.start(), match.end() - 1)
        for match in pattern.finditer(_all_characters())
    )


def _compile(source: str, engine: Engine) -> Any:
    module: Any = regex if engine.is_regex else re
    flags = module.VERSION1 if engine.is_regex else 0
    if engine.ignores_case:
        flags |= module.IGNORECASE
    if engine.dot_is_all:
        flags |= module.DOTALL
    return module.compile(source, flags)


def translate_compiled(pattern: re.Pattern[str], sets: CharacterSets) -> JsonPattern:
    """Translate a compiled pattern of `re`.

    Raises:
        ValueError: It has a flag or a part that is not translated.
    """
    known = re.UNICODE | re.IGNORECASE | re.DOTALL
    if pattern.flags & ~known:
        raise ValueError(f"a flag of this pattern is not translated: {pattern!r}")
    engine = Engine(
        is_regex=False,
        ignores_case=bool(pattern.flags & re.IGNORECASE),
        dot_is_all=bool(pattern.flags & re.DOTALL),
    )
    return _Translation(pattern.pattern, engine, sets).translate()


def translate_unicode(source: str, sets: CharacterSets) -> JsonPattern:
    """Translate a pattern of the package `regex` in its version 1.

    Raises:
        ValueError: It has a part that is not translated.
    """
    return _Translation(source, Engine(is_regex=True), sets).translate()


class _Translation:
    """The translation of one pattern, part by part."""

    def __init__(self, source: str, engine: Engine, sets: CharacterSets) -> None:
        self._source = source
        self._engine = engine
        self._sets = sets
        self._parts: JsonPattern = []
        self._outer_engines: list[Engine] = []
        """The engine that holds again at the end of each open group."""
        self._num_atomic = 0

    def translate(self) -> JsonPattern:
        position = 0
        while position < len(self._source):
            position = self._translate_part(position)
        return list(_join_sources(self._parts))

    def _translate_part(self, position: int) -> int:
        """Translate what begins at a position; return the position after it."""
        character = self._source[position]
        if character == "\\":
            return self._translate_escape(position)
        if character == "[":
            end = find_set_end(
                self._source, position, has_nested_sets=self._engine.is_regex
            )
            self._add_set(self._source[position:end])
            return end
        if character == "(":
            return self._open_group(position)
        if character == "{":
            return self._copy_quantifier(position)
        self._translate_character(character, position)
        return position + 1

    def _translate_character(self, character: str, position: int) -> None:
        if character == ")":
            self._engine = self._outer_engines.pop()
            self._parts.append(character)
        elif character == ".":
            self._add_set(character)
        elif character == "+" and self._source[position - 1] == "+":
            self._make_possessive()
        elif character in "|*+?^$":
            self._parts.append(character)
        else:
            self._add_literal(character)

    def _translate_escape(self, position: int) -> int:
        if self._source.startswith(_WORD_BOUNDARY, position):
            self._add_word_boundary()
            return position + len(_WORD_BOUNDARY)
        if match := _ESCAPED_SET.match(self._source, position):
            self._add_set(match[0])
            return match.end()
        if match := _CODE_POINT.match(self._source, position):
            digits = next(filter(None, match.groups()))
            self._add_literal(chr(int(digits, 16)))
            return match.end()
        character = self._source[position + 1]
        if character.isalnum():
            raise ValueError(f"not translated: \\{character} in {self._source!r}")
        self._add_literal(character)
        return position + 2

    def _add_set(self, source: str) -> None:
        ranges = list(find_ranges(source, self._engine))
        self._parts.append(self._sets.add(ranges))

    def _add_literal(self, character: str) -> None:
        if self._engine.ignores_case and character.isalpha():
            self._add_set(character)
        elif character in _SYNTAX:
            self._parts.append(f"\\{character}")
        else:
            self._parts.append(character)

    def _add_word_boundary(self) -> None:
        r"""Add `\b` for the letters of all scripts; JavaScript's knows only ASCII."""
        ranges = list(find_ranges(_WORD_SET, self._engine))
        word = self._sets.add(ranges)
        self._parts += ["(?:(?<=", word, ")(?!", word, ")|(?<!", word, ")(?=", word]
        self._parts.append("))")

    def _make_possessive(self) -> None:
        """Replace `A+` by what does not give characters back: `(?=(A+))` and its match.

        The group is named, so that the numbers of other groups stay the same.
        """
        quantifier, atom = self._parts.pop(), self._parts.pop()
        name = f"atomic{self._num_atomic}"
        self._num_atomic += 1
        self._parts += [f"(?=(?<{name}>", atom, quantifier, rf"))\k<{name}>"]

    def _open_group(self, position: int) -> int:
        match = _GROUP.match(self._source, position)
        if match is None or self._source.startswith("(?", match.end() - 1):
            raise ValueError(f"not translated: a group of {self._source!r}")
        self._outer_engines.append(self._engine)
        if match[0] == "(?i:":
            self._engine = self._engine._replace(ignores_case=True)
            self._parts.append("(?:")
        else:
            self._parts.append(match[0])
        return match.end()

    def _copy_quantifier(self, position: int) -> int:
        match = _QUANTIFIER.match(self._source, position)
        if match is None:
            raise ValueError(f"not translated: a brace of {self._source!r}")
        self._parts.append(match[0])
        return match.end()


def _join_sources(parts: JsonPattern) -> Iterator[str | int]:
    """Join neighbouring strings."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        yield part
        text = ""
    if text:
        yield text
