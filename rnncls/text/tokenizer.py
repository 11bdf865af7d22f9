"""Tokenisation: from texts to flat arrays of word numbers.

A tokenised file is kept as numbers from the start: each distinct token (a *word*) gets
a number in the order of its first appearance, and a text is a slice of one flat int32
array, about 4 bytes a token. A vocabulary later maps word numbers to token ids in one
indexing operation.

Every tokenizer must follow three rules: a token is not empty, it holds no line end (the
vocabulary and the cache store one word a line; `TokenizedTexts` checks both), and it
does not extend across white space (`rnncls.text.incremental` relies on it).

Shapes: N texts, M tokens in all of them, K distinct words.
"""

import importlib.util
import os
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls.text.cleaning import clean_text, mark_case, replace_digits
from rnncls.text.traced_text import Rule

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rnncls.config.sections import TextSection

Tokenizer = Callable[[str], list[str]]
"""A function from a text to its tokens, at least one."""
UNK = "<unk>"
"""Stands for a word outside the vocabulary, and for a text without any token."""

TEXTS_A_PIECE = 4096
"""Texts that a process tokenises at once; below two pieces no process is started."""
PIECES_AHEAD = 4
"""Pieces per process that may wait for it or for the consumer; limits the memory."""
UNLIMITED = 1 << 30
"""More tokens than any text has."""
_TEXTS_COUNTED = 100_000
_UNICODE_VERSION = "2"
"""The version of `words`, `subwords` and `characters`, a part of the cache key: change
it whenever a text gives other tokens than before."""


@dataclass(frozen=True)
class TokenizedTexts:
    """N texts as slices of one flat array of word numbers.

    Attributes:
        word_ids: [M] int32, in 0..K-1.
        lengths: [N] int64, tokens in each text, at least 1.
        words: The K distinct tokens, in the order of their first appearance.
        num_cut: [N] int64, the tokens of each text beyond `max_tokens`; None if they
            were not counted, as in the cache.
    """

    word_ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    words: list[str]
    num_cut: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Check the words.

        Raises:
            ValueError: A word is empty or holds a line end.
        """
        for word in self.words:
            if not word or "\n" in word:
                raise ValueError(f"the tokenizer made the invalid token {word!r}")

    def counts(
        self, texts: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
        """Return how often each word occurs, in all or selected texts. [K] int64."""
        is_counted = np.full(len(self.lengths), texts is None)  # [N]
        if texts is not None:
            is_counted[texts] = True
        counts = np.zeros(len(self.words), dtype=np.int64)  # [K]
        start = 0
        # Not at once: bincount takes 8 bytes a token.
        for first in range(0, len(self.lengths), _TEXTS_COUNTED):
            part = slice(first, first + _TEXTS_COUNTED)
            lengths = self.lengths[part]
            end = start + int(lengths.sum())
            word_ids = self.word_ids[start:end]
            is_token_counted = np.repeat(is_counted[part], lengths)
            counted = word_ids[is_token_counted]
            counts += np.bincount(counted, minlength=len(self.words))
            start = end
        return counts

    def select(self, rows: npt.NDArray[np.int64]) -> "TokenizedTexts":
        """Return the texts with these row numbers, in this order; the words stay."""
        lengths = self.lengths[rows]
        positions = np.arange(lengths.sum())
        positions -= np.repeat(np.cumsum(lengths) - lengths, lengths)  # in their texts
        starts = np.cumsum(self.lengths) - self.lengths  # [N]
        word_ids = self.word_ids[np.repeat(starts[rows], lengths) + positions]
        return TokenizedTexts(word_ids, lengths, self.words)


class Settings(NamedTuple):
    """The keys of a text section that decide about the tokens of a text.

    They are passed to worker processes and are part of the cache key. Do not reorder
    the fields or add one: that changes the cache key. `tokenizer` also holds the names
    of the options that only some tokenizers have, such as `words nfkc lowercase`.
    """

    tokenizer: str
    clean: bool | str
    mark_case: bool
    same_digits: bool
    max_tokens: int

    @classmethod
    def of(cls, section: "TextSection") -> "Settings":
        """Return the settings of a text section."""
        return cls(
            tokenizer=_name_splitter(section),
            clean=section.clean,
            mark_case=section.mark_case,
            same_digits=section.same_digits,
            max_tokens=_find_max_words(section),
        )


def _name_splitter(section: "TextSection") -> str:
    """Return the tokenizer's name, its options that are on, and its version."""
    if section.tokenizer in {"basic_english", "whitespace"}:
        return section.tokenizer
    options = {"nfkc": section.nfkc, "lowercase": section.lowercase}
    chosen = [name for name, is_on in options.items() if is_on]
    return " ".join([section.tokenizer, *chosen, _UNICODE_VERSION])


def _find_max_words(section: "TextSection") -> int:
    """Return after how many tokens a text is cut before its words are divided."""
    if section.tokenizer == "subwords":
        return UNLIMITED  # `SubwordVocab` cuts it after this many pieces
    return section.max_tokens


def build_tokenizer(section: "TextSection") -> Tokenizer:
    """Return a function from a text to its first `max_tokens` tokens.

    A text without any token becomes one `<unk>`.
    """
    return _build_tokenizer(Settings.of(section))


def tokenize_texts(texts: list[str], section: "TextSection") -> TokenizedTexts:
    """Tokenise texts in this process."""
    return _tokenize(texts, Settings.of(section))


def tokenize_stream(
    chunks: Iterable[list[str]], section: "TextSection"
) -> Iterator[tuple[list[str], TokenizedTexts]]:
    """Yield pieces of a stream of texts, in their order, together with their tokens.

    Several processes work ahead of the consumer. A stream of one piece, or a machine
    with one core, uses no other process.
    """
    settings = Settings.of(section)
    pieces = rebatch(chunks, TEXTS_A_PIECE)
    first = list(islice(pieces, 2))
    pieces = chain(first, pieces)
    num_processes = _count_cores()
    if len(first) < 2 or num_processes == 1:
        for piece in pieces:
            yield piece, _tokenize(piece, settings)
        return
    yield from _tokenize_in_processes(pieces, settings, num_processes)


def _tokenize_in_processes(
    pieces: Iterable[list[str]], settings: Settings, num_processes: int
) -> Iterator[tuple[list[str], TokenizedTexts]]:
    from loky import get_reusable_executor

    executor = get_reusable_executor(num_processes, timeout=60)
    waiting: deque[tuple[list[str], Future[TokenizedTexts]]] = deque()
    try:
        for piece in pieces:
            future = executor.submit(_tokenize, piece, settings)
            waiting.append((piece, future))
            if len(waiting) > PIECES_AHEAD * num_processes:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def join_texts(parts: Iterable[TokenizedTexts]) -> TokenizedTexts:
    """Concatenate tokenised texts; words are renumbered by their first appearance."""
    numbers = number_by_appearance()
    word_ids = [np.empty(0, np.int32)]
    lengths = [np.empty(0, np.int64)]
    num_cut = [np.empty(0, np.int64)]
    is_counted = True
    for part in parts:
        word_ids.append(_renumber(part, numbers))
        lengths.append(part.lengths)
        if part.num_cut is None:
            is_counted = False
        else:
            num_cut.append(part.num_cut)
    return TokenizedTexts(
        np.concatenate(word_ids),
        np.concatenate(lengths),
        list(numbers),
        np.concatenate(num_cut) if is_counted else None,
    )


def _renumber(
    texts: TokenizedTexts, numbers: defaultdict[str, int]
) -> npt.NDArray[np.int32]:
    """Return the word ids of texts under the numbers of a longer list of words."""
    new_numbers = [numbers[word] for word in texts.words]
    number_of = np.array(new_numbers, dtype=np.int32)  # [K]
    word_ids: npt.NDArray[np.int32] = number_of[texts.word_ids]  # [M]
    return word_ids


def number_by_appearance() -> defaultdict[str, int]:
    """Return a mapping that gives each new key the next number, from 0."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def rebatch(chunks: Iterable[list[str]], num_texts: int) -> Iterator[list[str]]:
    """Yield all texts in lists of `num_texts`; the last list may be shorter."""
    waiting: list[str] = []
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= num_texts:
            yield waiting[:num_texts]
            del waiting[:num_texts]
    if waiting:
        yield waiting


def _count_cores() -> int:
    """Return how many cores this process may use, at most OMP_NUM_THREADS."""
    if hasattr(os, "sched_getaffinity"):
        num_cores = len(os.sched_getaffinity(0))
    else:
        num_cores = os.cpu_count() or 1
    return min(num_cores, int(os.environ.get("OMP_NUM_THREADS") or num_cores))


@cache
def _build_tokenizer(settings: Settings) -> Tokenizer:
    split = build_splitter(settings)

    def tokenize(text: str) -> list[str]:
        return split(text)[: settings.max_tokens] or [UNK]

    return tokenize


@cache
def build_splitter(settings: Settings) -> Callable[[str], list[str]]:
    """Return a function from a text to all its tokens, perhaps none."""
    split = _find_splitter(settings.tokenizer)
    cleaners = choose_cleaners(settings)

    def clean_and_split(text: str) -> list[str]:
        for clean in cleaners:
            text = clean(text)
        return split(text)

    return clean_and_split


def choose_cleaners(settings: Settings) -> list[Callable[[str], str]]:
    """Return the functions that clean a text before it is split, in their order."""
    cleaners: list[Callable[[str], str]] = []
    if settings.clean == "html":
        from rnncls.text.markup import remove_markup  # few runs need its patterns

        cleaners.append(remove_markup)
    elif settings.clean:
        cleaners.append(clean_text)
    if settings.mark_case:
        cleaners.append(mark_case)
    if settings.same_digits:
        cleaners.append(replace_digits)
    return cleaners


def basic_english_rules() -> list[Rule]:
    """Return what torchtext's `basic_english` replaces in a lowercased text."""
    return [Rule(*rule) for rule in _torchtext_utils()._patterns_dict]


def _build_basic_english() -> Tokenizer:
    """Return torchtext's `basic_english`, which replaces signs with `re.sub`.

    Here `str.replace` does, in half the time. The last rule makes white space one
    space; `str.split` needs no such rule.
    """
    *sign_rules, _white_space = _torchtext_utils()._patterns_dict
    replacements = [
        (pattern.pattern.replace("\\", ""), replacement)
        for pattern, replacement in sign_rules
    ]

    def split(text: str) -> list[str]:
        text = text.lower()
        for sign, replacement in replacements:
            text = text.replace(sign, replacement)
        return text.split()

    return split


def _find_splitter(name: str) -> Callable[[str], list[str]]:
    """Return the function that splits a cleaned text into tokens.

    Args:
        name: What `_name_splitter` returned.
    """
    tokenizer, *options = name.split()
    if tokenizer == "basic_english":
        return _build_basic_english()
    if tokenizer == "whitespace":
        return str.split
    # Imported here: the lesson's tokenizers do not need the package `regex`.
    from rnncls.text import unicode_words

    builders = {
        "words": unicode_words.build_word_splitter,
        "subwords": unicode_words.build_space_splitter,
        "characters": unicode_words.build_character_splitter,
    }
    build = builders[tokenizer]
    return build(nfkc="nfkc" in options, lowercase="lowercase" in options)


def _tokenize(texts: list[str], settings: Settings) -> TokenizedTexts:
    split = build_splitter(settings)
    max_tokens = settings.max_tokens
    numbers = number_by_appearance()
    word_ids, lengths, num_all = array("i"), array("q"), array("q")
    for text in texts:
        tokens = split(text)
        num_all.append(len(tokens))
        tokens = tokens[:max_tokens] or [UNK]
        lengths.append(len(tokens))
        word_ids.extend(map(numbers.__getitem__, tokens))
    return TokenizedTexts(
        np.array(word_ids, dtype=np.int32),
        np.array(lengths, dtype=np.int64),
        list(numbers),
        np.maximum(np.array(num_all, dtype=np.int64) - max_tokens, 0),
    )


@cache
def _torchtext_utils() -> ModuleType:
    """Import torchtext.data.utils alone: torchtext itself would import torch."""
    package = importlib.util.find_spec("torchtext")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "torchtext is not installed: pip install torchtext==0.6.0", name="torchtext"
        )
    spec = importlib.util.spec_from_file_location(
        "_torchtext_data_utils", Path(package.origin).parent / "data" / "utils.py"
    )
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(
            "torchtext.data.utils is missing", name="torchtext.data.utils"
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
