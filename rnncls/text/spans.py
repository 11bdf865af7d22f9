"""Where the tokens of a text are in the text as it was written.

The tokenizer's own rules are applied to a text that remembers where each of its
characters comes from (`rnncls.text.traced_text`). The tokens are found in the result.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import regex

from rnncls.text.cleaning import (
    CASE_RULES,
    CLEANING_RULES,
    DIGIT_RULES,
    clean_text,
    mark_case,
    replace_digits,
)
from rnncls.text.markup import MARKUP_RULES, remove_markup
from rnncls.text.normalization import normalize
from rnncls.text.subwords import BYTES
from rnncls.text.tokenizer import (
    UNK,
    Settings,
    basic_english_rules,
    build_splitter,
    choose_cleaners,
)
from rnncls.text.traced_text import (
    Rule,
    Span,
    TracedText,
    apply_rule,
    apply_to_pieces,
    start_trace,
)
from rnncls.text.unicode_words import WORD_START

if TYPE_CHECKING:
    from rnncls.config.sections import TextSection

_RULES: dict[Callable[[str], str], Sequence[Rule]] = {
    clean_text: CLEANING_RULES,
    remove_markup: MARKUP_RULES,
    mark_case: CASE_RULES,
    replace_digits: DIGIT_RULES,
}
_BYTES = frozenset(BYTES)
_SHORT, _CHARACTERS_A_TOKEN = 20_000, 20
"""A text of fewer characters is traced to its end."""
_find_graphemes = regex.compile(r"\X").findall


def locate_tokens(
    text: str, tokens: Sequence[str], section: "TextSection"
) -> list[Span]:
    """Return the span of each token: `text[start:end]` is the token as written.

    Spans are in order and do not overlap. Empty are those of tokens that the tokenizer
    inserted (`xxup`, `xxmaj`, `▁`, the `<unk>` of a text without tokens), at the start
    of what follows them, and those of further tokens of one character, such as the `i`
    of the ligature `ﬁ`.

    Args:
        text: The text as written.
        tokens: What `build_tokenizer(section)` returns for the text.
        section: The tokenizer's options.
    """
    settings = Settings.of(section)
    read = _cut_unread(text, tokens, settings)
    traced = _trace(read, settings)
    if list(tokens) == [UNK] and UNK not in traced.text:
        return [Span(0, 0)]
    tokenizer = settings.tokenizer.split()[0]
    if tokenizer == "subwords":
        slices = _find_pieces(traced.text, tokens)
    else:
        marks_words = tokenizer == "characters"
        slices = _find_tokens(traced.text, tokens, marks_words=marks_words)
    spans = [_find_origin(traced, start, end) for start, end in slices]
    return _complete_graphemes(read, _separate(spans))


def _cut_unread(text: str, tokens: Sequence[str], settings: Settings) -> str:
    """Return the start of a long text, of which `max_tokens` leaves most unread.

    To trace each character of ten megabytes takes minutes.
    """
    split = build_splitter(settings)
    size = max(_SHORT, _CHARACTERS_A_TOKEN * len(tokens))
    while size < len(text):
        start = text[:size]
        found = split(start)
        has_all = list(tokens) == found[: len(tokens)]
        if settings.tokenizer.startswith("subwords"):  # a word has a piece or more
            has_all = True
        if has_all and len(found) > len(tokens):
            return start
        size *= 2
    return text


def _trace(text: str, settings: Settings) -> TracedText:
    """Clean and normalise a text as its tokenizer does."""
    traced = start_trace(text)
    for clean in choose_cleaners(settings):
        # The function also knows the texts that have nothing to clean.
        if clean(traced.text) != traced.text:
            traced = _apply_rules(traced, _RULES[clean])
    tokenizer, *options = settings.tokenizer.split()
    if tokenizer == "whitespace":
        return traced
    if tokenizer == "basic_english":
        return _apply_rules(_lowercase(traced), basic_english_rules())

    def normalize_part(part: str) -> str:
        return normalize(part, nfkc="nfkc" in options, lowercase="lowercase" in options)

    return apply_to_pieces(traced, normalize_part, _find_graphemes(traced.text))


def _lowercase(traced: TracedText) -> TracedText:
    """Return the text in small letters.

    The neighbours of a capital sigma decide which small one it becomes, but no letter's
    neighbours decide how many it becomes.
    """
    origins: list[Span] = []
    for character, origin in zip(traced.text, traced.origins, strict=True):
        origins += [origin] * len(character.lower())
    return TracedText(traced.text.lower(), origins)


def _apply_rules(traced: TracedText, rules: Sequence[Rule]) -> TracedText:
    for rule in rules:
        traced = apply_rule(traced, rule)
    return traced


def _find_tokens(text: str, tokens: Sequence[str], *, marks_words: bool) -> list[Span]:
    """Return the place of each token in the normalised text.

    Args:
        text: The normalised text.
        tokens: Its tokens. They are substrings of it, in order.
        marks_words: Whether the first token of each word is an inserted `WORD_START`.
    """
    slices = []
    end = 0
    starts_word = True
    for token in tokens:
        if marks_words and starts_word and token == WORD_START:
            start = end = _skip_space(text, end)
            starts_word = False
        else:
            start = text.index(token, end)
            end = start + len(token)
            starts_word = text[end : end + 1].isspace()
        slices.append(Span(start, end))
    return slices


def _find_pieces(text: str, pieces: Sequence[str]) -> list[Span]:
    """Return the place of each piece of a word in the normalised text.

    Of the bytes of a character, the first has its place.
    """
    slices = []
    end = 0
    starts_word = True
    num_bytes_left = 0
    for piece in pieces:
        if starts_word:
            end = _skip_space(text, end)
            is_marked = not text.startswith(WORD_START, end)
            piece = piece.removeprefix(WORD_START) if is_marked else piece
        start = end
        if num_bytes_left:
            num_bytes_left -= 1
        elif piece in _BYTES:
            end += 1
            num_bytes_left = len(text[start].encode()) - 1
        else:
            end += len(piece)
        is_complete = num_bytes_left == 0 and piece != ""
        starts_word = is_complete and text[end : end + 1].isspace()
        slices.append(Span(start, end))
    return slices


def _skip_space(text: str, start: int) -> int:
    """Return the index of the first character from `start` that is no white space."""
    return len(text) - len(text[start:].lstrip())


def _find_origin(traced: TracedText, start: int, end: int) -> Span:
    """Return the slice of the original text that a slice of the text comes from."""
    origins = traced.origins[start:end]
    if start == len(traced.origins):  # a further byte of the last character
        last = traced.origins[-1].end
        return Span(last, last)
    if not origins:  # an inserted token
        first = traced.origins[start].start
        return Span(first, first)
    return Span(origins[0].start, max(origin.end for origin in origins))


def _separate(spans: Sequence[Span]) -> list[Span]:
    """Let no span begin before the previous one ends."""
    separated = []
    previous_end = 0
    for start, end in spans:
        start = max(start, previous_end)
        previous_end = max(start, end)
        separated.append(Span(start, previous_end))
    return separated


def _complete_graphemes(text: str, spans: Sequence[Span]) -> list[Span]:
    """Extend spans to the end of a grapheme, such as an emoji's invisible selector."""
    grapheme_ends = _list_grapheme_ends(text)
    next_starts = [*(span.start for span in spans[1:]), len(text)]
    completed = []
    for span, next_start in zip(spans, next_starts, strict=True):
        if span.start < span.end:
            end = min(grapheme_ends[span.end - 1], max(next_start, span.end))
            span = Span(span.start, end)
        completed.append(span)
    return completed


def _list_grapheme_ends(text: str) -> list[int]:
    """Return for each character the index at which its grapheme ends."""
    ends: list[int] = []
    for grapheme in _find_graphemes(text):
        end = len(ends) + len(grapheme)
        ends += [end] * len(grapheme)
    return ends
