"""The names of classes: one form for each label, and names that look alike."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_MERGED_LISTED = 5
_MIN_LETTERS = 5
"""Shorter names often differ in one letter on purpose: `cat`, `car`."""
_BETWEEN_WORDS = re.compile(r"(?<=[^\W_])[_-](?=[^\W_])")
_MAX_TYPO_SHARE = 0.2
"""A name with a typing error has at most this share of the rows of the right one."""


class LookAlikes(NamedTuple):
    """Classes that are probably one class.

    Attributes:
        names: Their names, the largest class first.
        difference: In what the names differ.
    """

    names: tuple[str, ...]
    difference: str


def normalize_label(label: str) -> str:
    """Return a label without white space around it, in Unicode's composed form (NFC).

    All kinds of white space count, also the no-break space.
    """
    return unicodedata.normalize("NFC", label.strip())


def find_look_alikes(counts: Mapping[str, int]) -> list[LookAlikes]:
    """Return classes whose names differ in case, form, separators or one letter.

    Args:
        counts: The number of rows of each class.
    """
    by_key: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        by_key[plain_form(name)].append(name)
    found = [
        LookAlikes(tuple(names), _describe_difference(names))
        for names in by_key.values()
        if len(names) > 1
    ]
    totals = {
        names[0]: sum(counts[name] for name in names) for names in by_key.values()
    }
    found += [LookAlikes(pair, "one letter") for pair in _find_typos(totals)]
    return found


def describe_look_alikes(found: list[LookAlikes]) -> str:
    """Return the names of look-alikes with their differences, for a message."""
    return "; ".join(
        f"{', '.join(show_label(name) for name in group.names)} differ in"
        f" {group.difference}"
        for group in found
    )


def note_look_alikes(counts: Mapping[str, int]) -> list[str]:
    """Return the note on classes that look alike; none if there are no such classes.

    Args:
        counts: The number of rows of each class.
    """
    found = find_look_alikes(counts)
    return [f"one class or several? {describe_look_alikes(found)}"] if found else []


def note_merged_labels(
    respelled: Mapping[str, int], counts: Mapping[str, int]
) -> list[str]:
    """Return the note on labels that are read as another one; none if there are none.

    Args:
        respelled: The number of rows of each label that `normalize_label` changes.
        counts: The number of rows of each class.
    """
    merged = []
    for label, num_rows in respelled.items():
        name = normalize_label(label)
        if num_rows < counts.get(name, 0):
            shown = f"{show_label(label)} ({num_rows:,} rows) as {show_label(name)}"
            merged.append(shown)
    if not merged:
        return []
    listed = ", ".join(merged[:_MERGED_LISTED])
    more = ", …" if len(merged) > _MERGED_LISTED else ""
    return [f"labels that differ in white space only are one class: {listed}{more}"]


def show_label(name: str) -> str:
    """Return a label in quotation marks, invisible characters as escapes."""
    shown = [
        f"\\u{ord(character):04x}" if _is_invisible(character) else character
        for character in name
    ]
    return f"'{''.join(shown)}'"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in {"Cf", "Cc", "Zs"} and character != " "


def plain_form(name: str) -> str:
    """Return what is the same in names that look alike, but for typing errors.

    It has no case, no invisible characters, and a space for each sign between words.
    """
    return _join_words(name).casefold()


def _join_words(name: str) -> str:
    return _BETWEEN_WORDS.sub(" ", _visible_form(name))


def _visible_form(name: str) -> str:
    """Return a name in its compatibility form, without invisible characters."""
    name = unicodedata.normalize("NFKC", name)
    letters = [
        character
        for character in name
        if unicodedata.category(character) not in {"Cf", "Cc"} or character.isspace()
    ]
    return " ".join("".join(letters).split())


def _describe_difference(names: list[str]) -> str:
    """Return in what names differ that have the same plain form."""
    differences = []
    if len(set(map(_join_words, names))) > 1:
        differences.append("case")
    if len({_visible_form(name).casefold() for name in names}) > 1:
        differences.append("a sign between words")
    if any(_is_invisible(character) for name in names for character in name):
        differences.append("an invisible character")
    elif len({name.lower() for name in names}) > len(
        {_visible_form(name).lower() for name in names}
    ):
        differences.append("the form of a character")
    return " and ".join(differences)


def _find_typos(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names that differ in one letter, if one of them is rare."""
    by_shortened: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        if len(name) >= _MIN_LETTERS:
            for shortened in {name, *_delete_letters(name)}:
                by_shortened[shortened].append(name)
    pairs = {
        tuple(sorted((first, second), key=lambda name: (-counts[name], name)))
        for names in by_shortened.values()
        for first in names
        for second in names
        if first < second
    }
    for common, rare in sorted(pairs):
        is_rare = counts[rare] <= _MAX_TYPO_SHARE * counts[common]
        if is_rare and _digits(common) == _digits(rare):
            yield common, rare


def _delete_letters(name: str) -> Iterator[str]:
    for index, character in enumerate(name):
        if character.isalpha():
            yield name[:index] + name[index + 1 :]


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))
