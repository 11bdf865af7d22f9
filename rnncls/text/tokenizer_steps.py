r"""The tokenizer of a run as data: what to do with a text, step by step.

A program in any language that performs the steps gives the token ids of this package.
Each step is an object with the key `op`:

- `replace`: replace the matches of `pattern` with `with`; `\1` is the first group.
- `unescape`: decode the HTML entities in the matches as Python's `html.unescape` does.
- `decode_entities`: the same, but keep a name that HTML 5 does not define with `;`.
- `mark_case`: insert `xxup ` before a match whose first group is in capitals and has
  two letters or more, `xxmaj ` before one whose first group starts with a capital.
- `when`: perform `steps` only if the text has a match of `pattern`.
- `nfkc`, `lowercase`: Unicode's NFKC, and lower case as Python's `str.lower`.
- `split`: the tokens are what stands between white space.
- `find`: the tokens are the matches of `pattern`.
- `characters`: after `word_start`, the matches of `pattern` in each word between white
  space.
- `subwords`: the pieces of each word between white space, which starts with
  `word_start`, by byte-pair encoding; a character without a piece becomes its UTF-8
  bytes, `<0x0A>`. A word that is `<unk>` gets `word_start` in any case.

`flags` are `i` (any case) and `s` (`.` matches a line end). `\C{0}` in a pattern stands
for one character of the first entry of `classes`: ranges of hexadecimal code points.
The first `max_tokens` tokens are kept; a text without any token is one `<unk>`; a token
that is not a word of the vocabulary, and `<pad>`, have the id of `<unk>`.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnncls.text.cleaning import (
    CASE_RULES,
    CLEANING_RULES,
    DIGIT_RULES,
    NEEDS_CLEANING,
)
from rnncls.text.markup import MARKUP_RULES
from rnncls.text.tokenizer import basic_english_rules
from rnncls.text.traced_text import Rule

if TYPE_CHECKING:
    from rnncls.config.sections import TextSection
    from rnncls.text.character_classes import Range
    from rnncls.text.normalization import Step as NormalizationStep

Step = dict[str, Any]
_FLAGS = {"i": re.IGNORECASE, "s": re.DOTALL}


def describe_tokenizer(section: "TextSection") -> dict[str, Any]:
    """Return the steps, the classes of characters and the limit of the tokens.

    The pieces of the tokenizer `subwords` are not included.
    """
    steps = _list_cleaning(section)
    classes: list[list[Range]] = []
    if section.tokenizer == "basic_english":
        steps.append({"op": "lowercase"})
        steps += _list_rules(basic_english_rules(), "replace")
        steps.append({"op": "split"})
    elif section.tokenizer == "whitespace":
        steps.append({"op": "split"})
    else:
        splitting, classes = _list_splitting(section)
        steps += splitting
    return {
        "steps": steps,
        "classes": [_format_ranges(ranges) for ranges in classes],
        "max_tokens": section.max_tokens,
    }


def _list_cleaning(section: "TextSection") -> list[Step]:
    """Return the steps of `rnncls.text.tokenizer.choose_cleaners`."""
    steps: list[Step] = []
    if section.clean == "html":
        steps += _list_rules(MARKUP_RULES, "decode_entities")
    elif section.clean:
        cleaning = _list_rules(CLEANING_RULES, "unescape")
        condition = _describe_pattern(NEEDS_CLEANING)
        steps.append({"op": "when", **condition, "steps": cleaning})
    if section.mark_case:
        steps += _list_rules(CASE_RULES, "mark_case")
    if section.same_digits:
        steps += _list_rules(DIGIT_RULES, "replace")
    return steps


def _list_rules(rules: Sequence[Rule], function: str) -> list[Step]:
    """Return rules as steps.

    Args:
        rules: The rules.
        function: The operation of those whose replacement is a function.
    """
    steps = []
    for rule in rules:
        step = _describe_pattern(rule.pattern)
        if isinstance(rule.replacement, str):
            step |= {"op": "replace", "with": rule.replacement}
        else:
            step["op"] = function
        steps.append(step)
    return steps


def _describe_pattern(pattern: re.Pattern[str]) -> Step:
    flags = [name for name, flag in _FLAGS.items() if pattern.flags & flag]
    return {"pattern": pattern.pattern, "flags": "".join(flags)}


def _list_splitting(section: "TextSection") -> tuple[list[Step], "list[list[Range]]"]:
    """Return the steps of `words`, `subwords` or `characters`, and their classes."""
    # Imported here: the lesson's tokenizers do not need the package `regex`.
    from rnncls.text import unicode_words
    from rnncls.text.character_classes import expand_properties
    from rnncls.text.normalization import list_steps

    normalizing = list_steps(nfkc=section.nfkc, lowercase=section.lowercase)
    steps = list(map(_describe_normalizing, normalizing))
    word_start = unicode_words.WORD_START
    if section.tokenizer == "subwords":
        return [*steps, {"op": "subwords", "word_start": word_start}], []
    if section.tokenizer == "words":
        # Many languages lack `++`, which only makes the pattern faster.
        pattern = unicode_words.WORD_PATTERN.replace("++", "+")
        plain = expand_properties(pattern)
        return [*steps, {"op": "find", "pattern": plain.pattern}], plain.classes
    plain = expand_properties(unicode_words.CHARACTER_PATTERN)
    step = {"op": "characters", "pattern": plain.pattern, "word_start": word_start}
    return [*steps, step], plain.classes


def _describe_normalizing(step: "NormalizationStep") -> Step:
    if isinstance(step, str):
        return {"op": step}
    return {"op": "replace", "pattern": step.pattern, "flags": "", "with": step.text}


def _format_ranges(ranges: "Sequence[Range]") -> str:
    """Return ranges of code points as text, such as `41-5a 5f`."""
    parts = []
    for first, last in ranges:
        parts.append(f"{first:x}" if first == last else f"{first:x}-{last:x}")
    return " ".join(parts)
