"""Patterns of Python in JavaScript."""

import re

import pytest
import regex

from rnncls.inference.export.page.patterns import (
    CharacterSets,
    Engine,
    encode_ranges,
    find_ranges,
    translate_compiled,
    translate_unicode,
)
from tests.inference.export.page.scripts import Scripts

TEXTS = [
    "",
    "word Word WORD it's caſe Kelvin ß 3.5 ٣٤ <b>x</b> a\nb",
    "ſt ﬆ LL'll re/VE (a|b) {2} [c] $1 ^ * + ? \\ / - # &amp;",
    "日本 हिन्दी ไม่ 한국어 👍🏽 \u200d \U000e0067 \x1c\x85\u2028",
]


@pytest.mark.parametrize(
    "pattern",
    [
        re.compile(r"\w+"),
        re.compile(r"[^\W\d_]+\b"),
        re.compile(r"(?:s|t|ll|re)\b", re.IGNORECASE),
        re.compile(r"[a-z]+", re.IGNORECASE),
        re.compile(r"<.{1,3}?>"),
        re.compile(r"a.b", re.DOTALL),
        re.compile(r"a.b"),
        re.compile(r"(?<!\S)[^\s&]{2,}(?=\s)"),
        re.compile(r"[\[(]\w[\])]|\\|/|\$1|\^|\*|\+|\?|#"),
    ],
)
def test_a_pattern_finds_what_it_finds_in_python(
    pattern: re.Pattern[str], scripts: Scripts
) -> None:
    sets = CharacterSets()
    translated = translate_compiled(pattern, sets)
    found = scripts.run("find", pattern=translated, sets=sets.to_json(), texts=TEXTS)
    expected = [[match[0] for match in pattern.finditer(text)] for text in TEXTS]
    assert found == expected


@pytest.mark.parametrize(
    "source",
    [
        r"[[\p{L}\p{M}]--[\p{Han}\p{Thai}]]+",
        r"[a-z]++(?=\s)",
        r"(?i:https?|ll|s)\W",
        r"\P{L}\p{M}*",
        r"[\U000E0020-\U000E007F]|\u200d|\x1c",
        r"(?<=\p{Latin})'(?=\p{Latin}{2})",
    ],
)
def test_a_pattern_of_regex_finds_what_it_finds_in_python(
    source: str, scripts: Scripts
) -> None:
    sets = CharacterSets()
    translated = translate_unicode(source, sets)
    found = scripts.run("find", pattern=translated, sets=sets.to_json(), texts=TEXTS)
    pattern = regex.compile(source, regex.VERSION1)
    assert found == [[match[0] for match in pattern.finditer(text)] for text in TEXTS]


@pytest.mark.parametrize(
    "pattern",
    [re.compile(r"\Aa"), re.compile(r"(?P<name>a)"), re.compile("a", re.MULTILINE)],
)
def test_what_is_not_translated_is_an_error(pattern: re.Pattern[str]) -> None:
    with pytest.raises(ValueError, match="not translated"):
        translate_compiled(pattern, CharacterSets())


def test_equal_sets_are_written_once() -> None:
    sets = CharacterSets()
    assert translate_unicode(r"[ab]c[a-b]", sets) == [0, "c", 0]
    assert sets.to_json() == ["2p 1"]


def test_ranges_are_written_as_distances() -> None:
    assert encode_ranges([(0, 9), (45, 46), (1342, 1342)]) == "0 9 10 1 100 0"


def test_case_is_ignored_as_the_engine_does() -> None:
    ranges = find_ranges("s", Engine(is_regex=True, ignores_case=True))
    assert ranges == ((0x53, 0x53), (0x73, 0x73), (0x17F, 0x17F))
