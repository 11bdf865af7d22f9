"""From texts to tokens: mending, torchtext's `basic_english`, and flat arrays of token types.

A tokenised corpus is kept as numbers from the start: each distinct token (a *type*) gets a number in the order of its
first appearance, and a text is a slice of one flat int32 array, about 4 bytes a token. A vocabulary later maps type
numbers to token ids in one indexing operation.

Shapes: N texts, M tokens in all of them, K types.
"""

import html
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torchtext.data.utils import get_tokenizer
from tqdm import tqdm

from rnncls.config import TextSection

Tokenizer = Callable[[str], list[str]]
"""From a text to its tokens, at least one."""
UNK = "<unk>"
"""Stands for a word that the vocabulary lacks, and for a text with no token at all."""

_BROKEN_ENTITY = re.compile(r"(?<![&\w])(?<!amp;)(#\d{1,7}|quot|amp|lt|gt|nbsp|apos|hellip|[lr][sd]quo|[mn]dash);")
_SPACED_APOSTROPHE = re.compile(r" ?&#0?39;(?=(?:s|t|d|m|ll|re|ve)\b)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,300}>")
_NEEDS_MENDING = re.compile(r"[;\\<]")


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

    def counts(self, texts: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
        """Return how often each type occurs, in all texts or in the chosen ones. [K] int64."""
        type_ids = self.type_ids
        if texts is not None:
            chosen = np.zeros(len(self.lengths), dtype=bool)
            chosen[texts] = True
            type_ids = type_ids[np.repeat(chosen, self.lengths)]
        return np.bincount(type_ids, minlength=len(self.types))


def mend(text: str) -> str:
    """Return `text` with broken entities mended, tags dropped and escaped line ends turned into spaces.

    AG News has entities that lost their ampersand (`#39;`, `quot;`), escaped tags (`&lt;b&gt;`) and backslashes where
    a line ended; ` #39;s` becomes `'s`.
    """
    if not _NEEDS_MENDING.search(text):
        return text
    text = _BROKEN_ENTITY.sub(r"&\1;", text)
    text = _SPACED_APOSTROPHE.sub("'", text)
    text = html.unescape(html.unescape(text))
    return _TAG.sub(" ", text).replace("\\", " ")


def build_tokenizer(section: TextSection) -> Tokenizer:
    """Return a function from a text to its first tokens; a text without any becomes one `<unk>`."""
    split: Tokenizer = get_tokenizer("basic_english") if section.tokenizer == "basic_english" else str.split
    clean, max_tokens = section.clean, section.max_tokens

    def tokenize(text: str) -> list[str]:
        return split(mend(text) if clean else text)[:max_tokens] or [UNK]

    return tokenize


def tokenize_texts(chunks: Iterable[list[str]], tokenize: Tokenizer, *, title: str | None = None) -> TokenizedTexts:
    """Tokenise each text once and number the types; a `title` shows a progress bar on a terminal."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    type_ids, lengths = array("i"), array("q")
    with tqdm(desc=title, unit=" texts", unit_scale=True, leave=False, disable=None if title else True) as bar:
        for texts in chunks:
            for text in texts:
                tokens = tokenize(text)
                lengths.append(len(tokens))
                type_ids.extend(map(numbers.__getitem__, tokens))
            bar.update(len(texts))
    return TokenizedTexts(np.array(type_ids, dtype=np.int32), np.array(lengths, dtype=np.int64), list(numbers))
