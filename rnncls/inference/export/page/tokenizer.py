"""How a text becomes token ids, as data for the page's JavaScript.

Whatever depends on a Unicode version is written out as this Python has it, so that the
tokens are the same in any browser: sets of characters, lower case, and the characters
that Unicode's normalization knows.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from html.entities import html5
from itertools import pairwise
from typing import Any

from rnncls.config.sections import TextSection
from rnncls.inference.export.page.patterns import (
    MAX_CODE_POINT,
    CharacterSets,
    Engine,
    JsonPattern,
    Ranges,
    encode_ranges,
    find_ranges,
    translate_compiled,
    translate_unicode,
)
from rnncls.text.cleaning import CASE_RULES, CLEANING_RULES, DIGIT_RULES, NEEDS_CLEANING
from rnncls.text.markup import MARKUP_RULES
from rnncls.text.normalization import Replacement, Step, list_steps
from rnncls.text.subwords import SubwordVocab
from rnncls.text.tokenizer import basic_english_rules
from rnncls.text.traced_text import Rule
from rnncls.text.unicode_words import (
    CHARACTER_PATTERN,
    WHITE_SPACE,
    WORD_PATTERN,
    WORD_START,
)
from rnncls.text.vocab import Vocab

Json = dict[str, Any]
_ALL_CODES = range(MAX_CODE_POINT + 1)
_WITH_CASE = [*range(0x20000), *range(0xE0000, 0xE1000)]
"""Unicode has nothing but ideographs, variation selectors and tags above them."""
_WORD_TOKENIZERS = {"words", "subwords", "characters"}
"""They normalize a text before they split it."""


def describe_tokenizer(section: TextSection, vocab: Vocab) -> Json:
    """Return all that turns a text into token ids, but for the words."""
    sets = CharacterSets()
    is_normalized = section.tokenizer in _WORD_TOKENIZERS
    needs_lower = section.tokenizer == "basic_english" or (
        is_normalized and section.lowercase
    )
    description: Json = {
        "name": section.tokenizer,
        "cleaning": _describe_cleaning(section, sets),
        "entities": html5 if section.clean else {},
        "letterCase": _describe_letter_case() if section.mark_case else None,
        "normalization": None,
        "lowercase": _describe_lowercase() if needs_lower else None,
        "rules": _describe_basic_english(section, sets),
        "pattern": _translate_split_pattern(section.tokenizer, sets),
        "wordStart": WORD_START,
        "whiteSpace": encode_ranges(
            list(find_ranges(f"[{WHITE_SPACE}]", Engine(is_regex=True)))
        ),
        "maxTokens": section.max_tokens,
        "merges": vocab.merges if isinstance(vocab, SubwordVocab) else None,
    }
    if is_normalized:
        description["normalization"] = _describe_normalization(section, sets)
    description["sets"] = sets.to_json()
    return description


def _describe_cleaning(section: TextSection, sets: CharacterSets) -> list[Json]:
    """Return the rules that clean a text, in their order; see `choose_cleaners`."""
    steps = []
    if section.clean == "html":
        markup = _describe_step(MARKUP_RULES, sets)
        steps.append(markup)
    elif section.clean:
        guard = translate_compiled(NEEDS_CLEANING, sets)
        cleaning = _describe_step(CLEANING_RULES, sets, guard)
        steps.append(cleaning)
    if section.mark_case:
        steps.append(_describe_step(CASE_RULES, sets))
    if section.same_digits:
        steps.append(_describe_step(DIGIT_RULES, sets))
    return steps


def _describe_step(
    rules: Iterable[Rule], sets: CharacterSets, guard: JsonPattern | None = None
) -> Json:
    """Return rules that are applied one after the other.

    Args:
        rules: Patterns and their replacements.
        sets: The sets of characters so far.
        guard: The rules are applied only to a text in which this pattern is found.
    """
    described = [_describe_rule(rule, sets) for rule in rules]
    return {"guard": guard, "rules": described}


def _describe_rule(rule: Rule, sets: CharacterSets) -> Json:
    pattern = translate_compiled(rule.pattern, sets)
    if isinstance(rule.replacement, str):
        template = rule.replacement.replace("$", "$$").replace("\\1", "$1")
        return {"pattern": pattern, "template": template}
    return {"pattern": pattern, "function": rule.replacement.__name__}


def _describe_basic_english(section: TextSection, sets: CharacterSets) -> Json | None:
    if section.tokenizer != "basic_english":
        return None
    return _describe_step(basic_english_rules(), sets)


def _translate_split_pattern(name: str, sets: CharacterSets) -> JsonPattern | None:
    """Return the pattern whose matches are tokens."""
    if name == "words":
        return translate_unicode(WORD_PATTERN, sets)
    if name == "characters":
        return translate_unicode(CHARACTER_PATTERN, sets)
    return None


def _describe_normalization(section: TextSection, sets: CharacterSets) -> Json:
    steps = list_steps(nfkc=section.nfkc, lowercase=section.lowercase)
    return {
        "steps": [_describe_normal_step(step, sets) for step in steps],
        "assigned": encode_ranges(_list_assigned()) if section.nfkc else None,
    }


def _describe_normal_step(step: Step, sets: CharacterSets) -> Json | str:
    if isinstance(step, Replacement):
        pattern = translate_compiled(re.compile(step.pattern), sets)
        return {"pattern": pattern, "text": step.text}
    return step


@cache
def _list_assigned() -> Ranges:
    """Return the characters that this Python's version of Unicode knows.

    Unicode promises that later versions normalize them in the same way.
    """
    return _find_all(lambda sign: unicodedata.category(sign) != "Cn", _ALL_CODES)


@cache
def _describe_lowercase() -> Json:
    """Return the lower case of each capital, and what a capital sigma depends on.

    A sigma at the end of a word becomes another letter than one inside. Python does not
    tell what it takes for a letter there, but shows it.
    """
    lower = {
        character: character.lower()
        for character in map(chr, _WITH_CASE)
        if character.lower() != character
    }
    return {
        "from": "".join(lower),
        "to": " ".join(lower.values()),
        "cased": encode_ranges(_find_all(_is_cased, _WITH_CASE)),
        "ignored": encode_ranges(_find_all(_is_ignored, _WITH_CASE)),
    }


def _is_cased(character: str) -> bool:
    """Whether a sigma after this character is at the end of a word."""
    return f"{character}Σ".lower()[-1] == "ς"


def _is_ignored(character: str) -> bool:
    """Whether a sigma looks past this character for a letter."""
    return f"A{character}Σ".lower()[-1] == "ς" and not _is_cased(character)


def _describe_letter_case() -> Json:
    """Return what `str.isupper` depends on."""
    return {
        "upper": encode_ranges(_find_all(str.isupper, _WITH_CASE)),
        "notUpper": encode_ranges(_find_all(_is_lower_or_title, _WITH_CASE)),
    }


def _is_lower_or_title(character: str) -> bool:
    return character.islower() or (character.istitle() and not character.isupper())


def _find_all(has_property: Callable[[str], bool], codes: Iterable[int]) -> Ranges:
    """Return the ranges of the code points whose characters have a property."""
    found = [code for code in codes if has_property(chr(code))]
    starts = [code for last, code in pairwise([-2, *found]) if code != last + 1]
    ends = [code for code, after in pairwise([*found, -2]) if after != code + 1]
    return list(zip(starts, ends, strict=True))
