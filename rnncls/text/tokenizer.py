"""From texts to tokens: mending, torchtext's `basic_english`, and flat arrays of token
types.

A tokenised corpus is kept as numbers from the start: each distinct token (a *type*)
gets a number in the order of its first appearance, and a text is a slice of one flat
int32 array, about 4 bytes a token. A vocabulary later maps type numbers to token ids in
one indexing operation.

Shapes: N texts, M tokens in all of them, K types.
"""

import html
import importlib.util
import os
import re
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice, takewhile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rnncls.config.schema import TextSection

Tokenizer = Callable[[str], list[str]]
"""From a text to its tokens, at least one."""
UNK = "<unk>"
"""Stands for a word that the vocabulary lacks, and for a text with no token at all."""

TEXTS_A_PIECE = 4096
"""Texts that a process tokenises at once; fewer than two such pieces are not worth a
process."""
_TEXTS_COUNTED = 100_000
PIECES_AHEAD = 4
"""Pieces for each process that may wait for it or for whoever takes its results: what
bounds the memory."""

_BROKEN_ENTITY = re.compile(
    r"(?<![&\w])(?<!amp;)(#\d{1,7}|quot|amp|lt|gt|nbsp|apos|hellip|[lr][sd]quo|[mn]dash);"
)
_SPACED_APOSTROPHE = re.compile(r" ?&#0?39;(?=(?:s|t|d|m|ll|re|ve)\b)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,300}>")
_NEEDS_MENDING = re.compile(r"[;\\<]")
_MAY_CHANGE_OTHERS = re.compile(r"[;\\<&#]")
_MAY_BE_CAPITAL = re.compile(r"(?<!\S)[^\w\s]*([^\W\d_a-z][^\W\d_]*)")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class TokenizedTexts:
    """N texts as slices of one flat array of type numbers.

    Attributes:
        type_ids: [M] int32, in 0..K-1.
        lengths: [N] int64, tokens in each text, at least 1.
        types: The K distinct tokens, in the order of their first appearance.
    """

    type_ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    types: list[str]

    def counts(
        self, texts: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
        """Return how often each type occurs, in all texts or in the chosen ones. [K]
        int64.
        """
        chosen = np.full(len(self.lengths), texts is None)
        if texts is not None:
            chosen[texts] = True
        ends = np.cumsum(self.lengths)
        counts = np.zeros(len(self.types), dtype=np.int64)
        for start in range(
            0, len(self.lengths), _TEXTS_COUNTED
        ):  # not at once: bincount takes 8 bytes a token
            part = slice(start, start + _TEXTS_COUNTED)
            lengths = self.lengths[part]
            type_ids = self.type_ids[ends[start] - lengths[0] : ends[part][-1]][
                np.repeat(chosen[part], lengths)
            ]
            counts += np.bincount(type_ids, minlength=len(self.types))
        return counts


def mend(text: str) -> str:
    """Return `text` with broken entities mended, tags dropped and escaped line ends
    turned
    into spaces.

    AG News has entities that lost their ampersand (`#39;`, `quot;`), escaped tags
    (`&lt;b&gt;`) and backslashes where a line ended; ` #39;s` becomes `'s`.
    """
    if not _NEEDS_MENDING.search(text):
        return text
    text = _BROKEN_ENTITY.sub(r"&\1;", text)
    text = _SPACED_APOSTROPHE.sub("'", text)
    text = html.unescape(html.unescape(text))
    return _TAG.sub(" ", text).replace("\\", " ")


def mark_case(text: str) -> str:
    """Return `text` with `xxup` before each word in capitals and `xxmaj` before each
    that
    begins with one.

    These are the marks of fastai (Howard and Gugger 2020). What counts is the first run
    of letters of whatever stands between two spaces, and one letter by itself is no
    word in capitals.
    """

    def mark(word: re.Match[str]) -> str:
        letters = word[1]
        if len(letters) > 1 and letters.isupper():
            return f"xxup {word[0]}"
        return f"xxmaj {word[0]}" if letters[0].isupper() else word[0]

    return _MAY_BE_CAPITAL.sub(mark, text)


class Settings(NamedTuple):
    """Those settings of a text section that decide about a text's tokens: what other
    processes and the cache get.
    """

    tokenizer: str
    clean: bool
    mark_case: bool
    same_digits: bool
    max_tokens: int

    @classmethod
    def of(cls, section: "TextSection") -> "Settings":
        """Return those of a section."""
        return cls(*(getattr(section, name) for name in cls._fields))


def build_tokenizer(section: "TextSection") -> Tokenizer:
    """Return a function from a text to its first tokens; a text without any becomes one
    `<unk>`.
    """
    return _tokenizer(Settings.of(section))


def tokenize_texts(texts: list[str], section: "TextSection") -> TokenizedTexts:
    """Tokenise each text once and number the types."""
    return _tokenize(texts, Settings.of(section))


class LineTokens:
    """The tokens of one text that arrives in pieces, cut anywhere: at its end the same
    as if it had come at once.
    """

    def __init__(self, section: "TextSection") -> None:
        """Wait for the first piece."""
        self._tokenize = build_tokenizer(section)
        self._max_tokens = section.max_tokens
        self._parts: list[str] = []
        self._word = ""
        self._is_plain = True
        self.tokens: list[str] = []

    @property
    def has_begun(self) -> bool:
        """Whether anything has arrived."""
        return any(self._parts)

    def feed(self, part: str, *, is_last: bool = False) -> tuple[int, list[str]]:
        """Take one more piece; a word counts once a space follows it, or the text's
        end.

        Words stand for themselves until one of the signs comes by which `mend` may
        change others, such as those before the end of a tag: from there on all that has
        come is tokenised anew.

        Returns:
            How many of the tokens so far still stand, and those that follow them.
        """
        self._parts.append(part)
        self._is_plain = self._is_plain and not _MAY_CHANGE_OTHERS.search(part)
        words, self._word = _split_off_word(self._word + part)
        if self._is_plain and not is_last:
            num_kept = len(self.tokens)
            found = self._tokenize(words)[: self._max_tokens - num_kept]
            found = (
                [] if found == [UNK] else found
            )  # what a text without tokens becomes
        else:
            text = "".join(self._parts)
            whole = self._tokenize(text if is_last else _split_off_word(text)[0])
            pairs = zip(self.tokens, whole, strict=False)
            num_kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            found = [] if whole == [UNK] and not is_last else whole[num_kept:]
        self.tokens = self.tokens[:num_kept] + found
        return num_kept, found


def _split_off_word(text: str) -> tuple[str, str]:
    """Return a text up to its last space, and the word after it, which may still go on."""
    if not text or text[-1].isspace():
        return text, ""
    word = text.rsplit(None, 1)[-1]
    return text.removesuffix(word), word


def tokenize_stream(
    chunks: Iterable[list[str]], section: "TextSection"
) -> Iterator[TokenizedTexts]:
    """Yield the texts tokenised, piece by piece, in their order; other processes work
    ahead of whoever takes them.

    A stream of one piece, or a machine of one core, needs no process.
    """
    settings = Settings.of(section)
    pieces = regroup(chunks, TEXTS_A_PIECE)
    first = list(islice(pieces, 2))
    num_processes = _num_cores()
    if len(first) < 2 or num_processes == 1:
        yield from (_tokenize(piece, settings) for piece in chain(first, pieces))
        return
    from loky import get_reusable_executor

    executor = get_reusable_executor(num_processes, timeout=60)
    waiting: deque[Future[TokenizedTexts]] = deque()
    try:
        for piece in chain(first, pieces):
            waiting.append(executor.submit(_tokenize, piece, settings))
            if len(waiting) > PIECES_AHEAD * num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def join_texts(parts: Iterable[TokenizedTexts]) -> TokenizedTexts:
    """Return all parts as one, their types numbered anew in the order of their first
    appearance.
    """
    numbers = number_by_appearance()
    type_ids, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    for part in parts:
        renumbered = np.fromiter(
            map(numbers.__getitem__, part.types), np.int32, len(part.types)
        )
        type_ids.append(renumbered[part.type_ids])
        lengths.append(part.lengths)
    return TokenizedTexts(
        np.concatenate(type_ids), np.concatenate(lengths), list(numbers)
    )


def number_by_appearance() -> defaultdict[str, int]:
    """Return a mapping that gives each new key the next number, from 0."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def regroup(chunks: Iterable[list[str]], num_texts: int) -> Iterator[list[str]]:
    """Yield the texts of all chunks in their order, so many at a time, and what is left
    at the end.
    """
    waiting: list[str] = []
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= num_texts:
            yield waiting[:num_texts]
            del waiting[:num_texts]
    if waiting:
        yield waiting


def _num_cores() -> int:
    """Return how many cores this process may use, or has been told to."""
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    return min(cores, int(os.environ.get("OMP_NUM_THREADS") or cores))


@cache
def _tokenizer(settings: Settings) -> Tokenizer:
    is_basic = settings.tokenizer == "basic_english"
    split: Tokenizer = (
        _torchtext_utils().get_tokenizer("basic_english") if is_basic else str.split
    )
    changes = [
        change
        for change, is_wanted in (
            (mend, settings.clean),
            (mark_case, settings.mark_case),
            (partial(_DIGIT.sub, "0"), settings.same_digits),
        )
        if is_wanted
    ]

    def tokenize(text: str) -> list[str]:
        for change in changes:
            text = change(text)
        return split(text)[: settings.max_tokens] or [UNK]

    return tokenize


def _tokenize(texts: list[str], settings: Settings) -> TokenizedTexts:
    tokenize = _tokenizer(settings)
    numbers = number_by_appearance()
    type_ids, lengths = array("i"), array("q")
    for text in texts:
        tokens = tokenize(text)
        lengths.append(len(tokens))
        type_ids.extend(map(numbers.__getitem__, tokens))
    return TokenizedTexts(
        np.array(type_ids, dtype=np.int32),
        np.array(lengths, dtype=np.int64),
        list(numbers),
    )


@cache
def _torchtext_utils() -> ModuleType:
    """Return torchtext.data.utils without torchtext itself, which would bring torch
    into every process.
    """
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
