"""The tokenizer of `predict.py`, which stands in that file in place of its import.

It performs the steps that the metadata of `model.onnx` describe, with the standard
library alone.
"""

import heapq
import html
import re
import unicodedata
from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from html.entities import html5
from typing import Any

UNK = "<unk>"

Step = Mapping[str, Any]


class Tokenizer:
    """Performs the steps that the model's metadata describe."""

    def __init__(self, description: Mapping[str, Any], words: Container[str]) -> None:
        """Compile the patterns."""
        self.max_tokens: int = description["max_tokens"]
        classes = [parse_ranges(ranges) for ranges in description["classes"]]
        *cleaning, splitting = description["steps"]
        self.changes = [build_change(step) for step in cleaning]
        self.split: Callable[[str], list[str]]
        if splitting["op"] == "subwords":
            merges = description["merges"]
            self.split = SubwordSplitter(splitting["word_start"], merges, words)
        else:
            self.split = build_splitter(splitting, classes)

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of a text, at least one."""
        for change in self.changes:
            text = change(text)
        return self.split(text)[: self.max_tokens] or [UNK]


def parse_ranges(ranges: str) -> str:
    """Return ranges such as `41-5a 5f` as the inside of a set of `re`."""
    parts = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        parts.append(rf"\U{int(first, 16):08x}-\U{int(last or first, 16):08x}")
    return "".join(parts)


def compile_pattern(step: Step, classes: Sequence[str] = ()) -> re.Pattern[str]:
    r"""Return a step's pattern; `\C{0}` is one character of the first class."""
    pattern = re.sub(
        r"\\C\{(\d+)\}", lambda match: f"[{classes[int(match[1])]}]", step["pattern"]
    )
    flags = re.NOFLAG
    for name in step.get("flags", ""):
        flags |= {"i": re.IGNORECASE, "s": re.DOTALL}[name]
    return re.compile(pattern, flags)


def build_change(step: Step) -> Callable[[str], str]:
    """Return the function that performs a step before the text is split."""
    operation = step["op"]
    if operation == "nfkc":
        return lambda text: unicodedata.normalize("NFKC", text)
    if operation == "lowercase":
        return str.lower
    pattern = compile_pattern(step)
    if operation == "when":
        return build_condition(pattern, step["steps"])
    replacements: dict[str, Any] = {
        "replace": step.get("with"),
        "unescape": lambda match: html.unescape(match[0]),
        "decode_entities": decode_entity,
        "mark_case": mark_case,
    }
    replacement = replacements[operation]
    return lambda text: pattern.sub(replacement, text)


def build_condition(
    pattern: re.Pattern[str], steps: Sequence[Step]
) -> Callable[[str], str]:
    """Return the function that performs steps if a pattern is in the text."""
    changes = [build_change(step) for step in steps]

    def change_all(text: str) -> str:
        if not pattern.search(text):
            return text
        for change in changes:
            text = change(text)
        return text

    return change_all


def decode_entity(match: re.Match[str]) -> str:
    """Decode an HTML entity; keep one whose name is unknown."""
    name = match[1]
    if name is not None and f"{name};" not in html5:
        return match[0]
    return html.unescape(match[0])


def mark_case(match: re.Match[str]) -> str:
    """Insert a mark before a word in capitals, or with a first capital."""
    letters = match[1]
    if len(letters) > 1 and letters.isupper():
        return f"xxup {match[0]}"
    if letters[0].isupper():
        return f"xxmaj {match[0]}"
    return match[0]


def build_splitter(step: Step, classes: Sequence[str]) -> Callable[[str], list[str]]:
    """Return the function that performs the last step."""
    if step["op"] == "split":
        return str.split
    find = compile_pattern(step, classes).findall
    if step["op"] == "find":
        return find
    start = step["word_start"]

    def split_characters(text: str) -> list[str]:
        tokens = []
        for word in text.split():
            tokens += [start, *find(word)]
        return tokens

    return split_characters


class SubwordSplitter:
    """Byte-pair encoding of each word (Sennrich, Haddow and Birch 2016)."""

    def __init__(
        self, word_start: str, merges: Sequence[str], pieces: Container[str]
    ) -> None:
        """Take the merges of two pieces, the first ones first, and all pieces."""
        self.word_start = word_start
        pairs = [merge.split(" ") for merge in merges]
        self.ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self.pieces = pieces
        self.divide = lru_cache(maxsize=100_000)(self.divide_word)

    def __call__(self, text: str) -> list[str]:
        """Return the pieces of all words of a text."""
        tokens: list[str] = []
        for word in text.split():
            is_marked = word.startswith(self.word_start)
            tokens += self.divide(word if is_marked else self.word_start + word)
        return tokens

    def divide_word(self, word: str) -> list[str]:
        """Return the pieces of a word: merge the pair of the first rank, repeatedly."""
        symbols = self.list_symbols(word)
        following = [*range(1, len(symbols)), -1]
        previous = [-1, *range(len(symbols) - 1)]
        # As in the package tokenizers: of equal ranks, the leftmost pair comes first.
        queue: list[tuple[int, int, str]] = []
        for left in range(len(symbols) - 1):
            self.add_pair(queue, symbols, left, left + 1)
        while queue:
            _, left, merged = heapq.heappop(queue)
            right = following[left]
            if not symbols[left] or right < 0:
                continue
            pair = symbols[left], symbols[right]
            if pair not in self.ranks or "".join(pair) != merged:
                continue  # another merge has changed the pair
            symbols[left], symbols[right] = merged, ""
            before, after = previous[left], following[right]
            following[left] = after
            if after >= 0:
                previous[after] = left
                self.add_pair(queue, symbols, left, after)
            if before >= 0:
                self.add_pair(queue, symbols, before, left)
        return [symbol for symbol in symbols if symbol]

    def list_symbols(self, word: str) -> list[str]:
        """Return the characters of a word; the bytes of those without a piece."""
        symbols: list[str] = []
        for character in word:
            if character in self.pieces:
                symbols.append(character)
            else:
                symbols += [f"<0x{byte:02X}>" for byte in character.encode()]
        return symbols

    def add_pair(
        self,
        queue: list[tuple[int, int, str]],
        symbols: Sequence[str],
        left: int,
        right: int,
    ) -> None:
        """Put two neighbours into the queue, if they can be merged."""
        pair = symbols[left], symbols[right]
        if pair in self.ranks:
            heapq.heappush(queue, (self.ranks[pair], left, "".join(pair)))
