r"""The words of texts in many languages and of many kinds.

A line of `languages.txt` has a name, a text, and its tokens, which `|` separates.
`\u1234` stands for a character that an editor may change or hide.
"""

import re
from pathlib import Path

import pytest

from rnncls.config.sections import TextSection
from rnncls.text.normalization import normalize
from rnncls.text.spans import locate_tokens
from rnncls.text.unicode_words import build_word_splitter

LINES = Path(__file__).with_name("languages.txt").read_text(encoding="utf-8")
_CODE_POINT = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
split = build_word_splitter()


def read_lines() -> list[tuple[str, str, list[str]]]:
    rows = []
    for line in LINES.splitlines():
        line = _CODE_POINT.sub(lambda match: chr(int(match[1] or match[2], 16)), line)
        name, rest = line.split(": ", 1)
        text, tokens = rest.split(" → ")
        rows.append((name, text, tokens.split(" | ")))
    return rows


ROWS = read_lines()
NAMES = [name for name, _, _ in ROWS]


@pytest.mark.parametrize(("text", "tokens"), [row[1:] for row in ROWS], ids=NAMES)
def test_words_are_those_that_a_reader_sees(text: str, tokens: list[str]) -> None:
    assert split(text) == tokens


@pytest.mark.parametrize(("text", "tokens"), [row[1:] for row in ROWS], ids=NAMES)
def test_each_token_is_found_as_it_was_written(text: str, tokens: list[str]) -> None:
    section = TextSection(tokenizer="words", clean=False)
    last = ""
    for token, (start, end) in zip(
        tokens, locate_tokens(text, tokens, section), strict=True
    ):
        written = normalize(text[start:end], nfkc=True, lowercase=True)
        last = written or last  # further tokens of a character, such as those of …
        assert token in last
