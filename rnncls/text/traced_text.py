"""A text that is changed step by step, and where each of its characters comes from.

It is used to show texts, never to tokenise many of them: clarity before speed.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

Replacement = str | Callable[[re.Match[str]], str]
"""What `re.sub` accepts: a template, or a function of the match."""


class Rule(NamedTuple):
    """A pattern and what replaces it."""

    pattern: re.Pattern[str]
    replacement: Replacement


class Span(NamedTuple):
    """A slice of a text, `text[start:end]`; empty if both ends are equal."""

    start: int
    end: int


class TracedText(NamedTuple):
    """A text that was made from another one, the original.

    Attributes:
        text: The text.
        origins: For each character of the text, the slice of the original that it
            comes from; empty for an inserted character.
    """

    text: str
    origins: list[Span]


def start_trace(text: str) -> TracedText:
    """Return a text before any change."""
    return TracedText(text, [Span(index, index + 1) for index in range(len(text))])


def apply_rule(traced: TracedText, rule: Rule) -> TracedText:
    """Replace a pattern as `re.sub` does.

    A match that the replacement ends with is kept, after what is inserted before it.
    Otherwise each new character comes from the complete match, which is not empty.
    """
    parts: list[TracedText] = []
    end = 0
    for match in rule.pattern.finditer(traced.text):
        parts.append(_cut(traced, end, match.start()))
        parts.append(_replace_match(traced, match, rule.replacement))
        end = match.end()
    parts.append(_cut(traced, end, len(traced.text)))
    return _join(parts)


def _replace_match(
    traced: TracedText, match: re.Match[str], replacement: Replacement
) -> TracedText:
    found = _cut(traced, match.start(), match.end())
    if isinstance(replacement, str):
        new_text = match.expand(replacement)
    else:
        new_text = replacement(match)
    if not new_text.endswith(found.text):
        return TracedText(new_text, [_hull(found)] * len(new_text))
    num_inserted = len(new_text) - len(found.text)
    start = found.origins[0].start
    inserted = [Span(start, start)] * num_inserted
    return TracedText(new_text, inserted + found.origins)


def apply_to_pieces(
    traced: TracedText, change: Callable[[str], str], pieces: Iterable[str]
) -> TracedText:
    """Apply a function that changes neighbouring characters together.

    Args:
        traced: The text.
        change: A function such as a Unicode normalisation, which acts on short
            stretches of a text.
        pieces: The text in small pieces, such as its graphemes. Pieces that change
            together, such as letters that form a syllable, are joined.
    """
    changed = change(traced.text)
    groups = _group_pieces(pieces, change)
    if "".join(map(change, groups)) != changed:
        groups = [traced.text]
    parts: list[TracedText] = []
    start = 0
    for group in groups:
        end = start + len(group)
        parts.append(_change_group(_cut(traced, start, end), change(group)))
        start = end
    return _join(parts)


def _group_pieces(pieces: Iterable[str], change: Callable[[str], str]) -> list[str]:
    """Join the pieces that a function does not change independently."""
    groups: list[str] = []
    for piece in pieces:
        changed = change(piece)
        if not groups:
            groups.append(piece)
            continue
        separate = change(groups[-1]) + changed
        together = change(groups[-1] + piece)
        # A sign that vanishes may be between a letter and its mark.
        if changed and together == separate:
            groups.append(piece)
        else:
            groups[-1] += piece
    return groups


def _change_group(group: TracedText, new_text: str) -> TracedText:
    """Return the changed group; equal characters at both ends keep their origin."""
    shorter = min(len(group.text), len(new_text))
    num_first = _count_equal(group.text, new_text)
    rest = shorter - num_first
    num_last = min(_count_equal(group.text[::-1], new_text[::-1]), rest)
    num_old, num_new = len(group.text) - num_last, len(new_text) - num_last
    middle = _cut(group, num_first, num_old)
    origin = _hull(middle if middle.text else group)
    origins = [
        *group.origins[:num_first],
        *[origin] * (num_new - num_first),
        *group.origins[num_old:],
    ]
    return TracedText(new_text, origins)


def _count_equal(first: str, second: str) -> int:
    """Return how many characters at the start of two texts are equal."""
    count = 0
    for one, two in zip(first, second, strict=False):
        if one != two:
            break
        count += 1
    return count


def _hull(part: TracedText) -> Span:
    """Return the slice of the original that a part comes from, without outer spaces."""
    kept = part.text.strip()
    start = part.text.find(kept)
    origins = part.origins[start : start + len(kept)] or part.origins
    return Span(origins[0].start, max(origin.end for origin in origins))


def _cut(traced: TracedText, start: int, end: int) -> TracedText:
    return TracedText(traced.text[start:end], traced.origins[start:end])


def _join(parts: Iterable[TracedText]) -> TracedText:
    text, origins = "", list[Span]()
    for part in parts:
        text += part.text
        origins += part.origins
    return TracedText(text, origins)
