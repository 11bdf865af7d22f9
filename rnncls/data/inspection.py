"""Inspect the data of a config before training: sizes, lengths, coverage, findings.

All splits are read, the test rows too: a text that occurs in two splits cannot be found
otherwise. No model and no score is involved, so that the test rows select nothing.

Shapes: N texts, V words in the vocabulary.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.config.sections import DataSection, TextSection
from rnncls.data.all_rows import AllRows, SplitRows, count_classes
from rnncls.data.datasets import LabelledTexts, columns_of
from rnncls.data.duplicates import THRESHOLD
from rnncls.data.label_set_stats import (
    LabelSetStats,
    list_label_sets,
    measure_label_sets,
)
from rnncls.data.quality import Finding, find_all, find_cleaned, note_classes
from rnncls.data.readers import read_rows
from rnncls.data.sources import load_sources, load_test_source
from rnncls.data.splits import Ints, Split
from rnncls.data.tokenizer_check import describe_misfit, measure_tokens
from rnncls.text.cleaning import clean_text
from rnncls.text.markup import remove_markup
from rnncls.text.tokenizer import UNLIMITED, TokenizedTexts
from rnncls.text.vector_package import find_words, is_package
from rnncls.text.vocab import UNK_ID, Vocab
from rnncls.text.vocab_collection import collect_vocab

NUM_BINS = 12
METHOD = (
    "The same: the same tokens in the same order. Nearly the same: the sets of all"
    f" sequences of three tokens have a Jaccard similarity of at least {THRESHOLD}."
    " Candidates come from MinHash, which misses fewer than 1 in 4,000 of these pairs."
)
_UNKNOWN_WORDS_SHOWN = 10


@dataclass(frozen=True)
class Lengths:
    """The number of tokens of the texts of a split.

    Attributes:
        median: The median.
        p99: The 99th percentile.
        longest: The maximum.
        num_cut: The number of texts that `max_tokens` cuts.
        share_cut: The share of all tokens that it cuts off.
        edges: The lower edges of the histogram's bins; the last bin has no upper edge.
        counts: The number of texts in each bin.
    """

    median: int
    p99: int
    longest: int
    num_cut: int
    share_cut: float
    edges: list[int]
    counts: list[int]


@dataclass(frozen=True)
class VocabCoverage:
    """How many tokens of a split the vocabulary and pretrained vectors cover.

    Attributes:
        num_tokens: The number of tokens after `max_tokens`.
        unknown_share: The share of the tokens that become `<unk>`.
        unknown_words: The most frequent of them, with their counts.
        vectors_share: The share of the tokens with a vector in `text.vectors`; None if
            no vectors are set.
    """

    num_tokens: int
    unknown_share: float
    unknown_words: dict[str, int]
    vectors_share: float | None


@dataclass(frozen=True)
class Inspection:
    """The result of an inspection.

    Attributes:
        paths: The file of each split.
        classes: The number of rows of each class in each split; the largest class of
            the training rows first.
        lengths: The lengths of the texts of each split.
        coverage: The coverage of the tokens of each split.
        vocab_size: How many words the training rows give, with `<pad>` and `<unk>`.
        max_tokens: The value of `text.max_tokens`.
        findings: Possible problems.
        notes: What the settings leave unread; several labels; classes that look alike.
        label_sets: How many labels the training texts have; None: one each.
        num_vector_words: How many more words `text.vector_words` gives.
    """

    paths: dict[Split, str]
    classes: dict[Split, dict[str, int]]
    lengths: dict[Split, Lengths]
    coverage: dict[Split, VocabCoverage]
    vocab_size: int
    max_tokens: int
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)
    label_sets: LabelSetStats | None = None
    num_vector_words: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values |= {
            "lengths": {split: asdict(each) for split, each in self.lengths.items()},
            "coverage": {split: asdict(each) for split, each in self.coverage.items()},
            "findings": [finding.to_dict() for finding in self.findings],
        }
        del values["label_sets"]
        if self.label_sets is not None:
            values["label_sets"] = asdict(self.label_sets)
        return {**values, "method": METHOD}


def inspect_data(
    data: DataSection,
    text: TextSection,
    seed: int,
    monitor: str = "accuracy",
    *,
    id_column: str | None = None,
    use_cache: bool = True,
) -> Inspection:
    """Inspect all rows for training, validation and testing.

    Args:
        data: The files and how they are split.
        text: How texts are tokenised.
        seed: The seed of the run, which draws the splits if `data` has none.
        monitor: The value of `train.monitor`, on which advice depends.
        id_column: A column of the files whose values name the rows of findings.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: A file or one of its rows is wrong.
        ConfigError: There are no vectors of the name `text.vectors`.
    """
    splits = load_splits(data, text, seed, use_cache=use_cache)
    if id_column is not None:
        splits = _add_ids(splits, data, id_column)
    max_tokens = text.max_tokens
    vocab = _collect_vocab(splits[0].tokens, text)
    divide = vocab.with_max_tokens(UNLIMITED).divide
    tokens = {split.split: divide(split.tokens) for split in splits}
    cut = {split: cut_texts(texts, max_tokens) for split, texts in tokens.items()}
    has_vector = _find_vectors(text.vectors, vocab)
    coverage = {
        split: _measure_coverage(texts, vocab, has_vector)
        for split, texts in cut.items()
    }
    lengths = {
        split: describe_lengths(texts.lengths, max_tokens)
        for split, texts in tokens.items()
    }
    label_stats, label_notes = None, list[str]()
    if splits[0].label_sets is not None:
        label_stats = measure_label_sets(splits[0].label_sets)
        label_notes = label_stats.describe(len(splits[0].texts))
    return Inspection(
        paths={split.split: str(split.path) for split in splits},
        classes=count_classes(splits),
        lengths=lengths,
        coverage=coverage,
        vocab_size=len(vocab.trained_words),
        max_tokens=max_tokens,
        findings=_find_problems(AllRows(splits), data, text, monitor),
        notes=[
            *_note_cut(lengths["train"], max_tokens),
            *_note_misfit(cut, vocab, text),
            *label_notes,
            *note_classes(splits),
        ],
        label_sets=label_stats,
        num_vector_words=vocab.num_vector_words,
    )


def _note_cut(lengths: Lengths, max_tokens: int) -> list[str]:
    """Return the note on the training texts that are cut, and what to set."""
    if not lengths.num_cut:
        return []
    note = (
        f"text.max_tokens: {lengths.num_cut:,} of {sum(lengths.counts):,} training"
        f" texts have more than {max_tokens:,} tokens; the rest of these texts,"
        f" {lengths.share_cut:.2%} of all tokens, is not read: set it to"
        f" {lengths.longest:,} to read all of it"
    )
    if max_tokens < lengths.p99 < lengths.longest:
        note += f", or to {lengths.p99:,} to read 99% of the texts to the end"
    return [note]


def _collect_vocab(texts: TokenizedTexts, section: TextSection) -> Vocab:
    """Return the vocabulary of the training texts, as training finds it."""
    if section.tokenizer != "subwords":
        texts = cut_texts(texts, section.max_tokens)
    return collect_vocab(texts, np.arange(len(texts.lengths)), section)


def _note_misfit(
    texts: Mapping[Split, TokenizedTexts], vocab: Vocab, section: TextSection
) -> list[str]:
    """Return the note on the first split with new texts that the tokenizer misfits.

    Args:
        texts: The texts of each split, cut.
        vocab: The vocabulary of the training rows.
        section: How the texts were tokenised.
    """
    if section.tokenizer == "subwords":  # nothing is unknown
        return []
    names: dict[Split, str] = {"valid": "validation", "test": "test"}
    for split, name in names.items():
        if split in texts:
            rows = np.arange(len(texts[split].lengths))
            stats = measure_tokens(texts[split], rows, vocab)
            misfit = describe_misfit(stats, section, name)
            if misfit:
                return [misfit]
    return []


def _find_problems(
    rows: AllRows, data: DataSection, text: TextSection, monitor: str
) -> list[Finding]:
    is_split_by_text = data.split == "texts"
    findings = find_all(rows, is_split_by_text=is_split_by_text, monitor=monitor)
    if text.clean:
        is_html_only = text.clean == "html"
        cleaner = remove_markup if is_html_only else clean_text
        cleaned = find_cleaned(rows, cleaner, is_html_only=is_html_only)
        findings += [cleaned] if cleaned.count else []
    return findings


def load_splits(
    data: DataSection, text: TextSection, seed: int, *, use_cache: bool
) -> list[SplitRows]:
    """Return the rows of each split that a config has, the training rows first.

    Raises:
        DataError: A file or one of its rows is wrong.
    """
    uncut = text.replace(max_tokens=UNLIMITED)
    sources = load_sources(data, uncut, seed, use_cache=use_cache)
    parts: list[tuple[Split, LabelledTexts, Ints]] = [
        ("train", sources.train, sources.train_rows),
        ("valid", sources.valid, sources.valid_rows),
    ]
    if data.name or data.test or data.test_fraction is not None:
        parts.append(("test", *load_test_source(data, uncut, use_cache=use_cache)))
    texts_of: dict[Path, list[str]] = {}
    splits = []
    for split, source, rows in parts:
        if source.path not in texts_of:
            texts_of[source.path] = _read_texts(source.path, data)
        texts = texts_of[source.path]
        label_sets = None
        if source.labels.ndim > 1:
            label_sets = list_label_sets(source.labels[rows], source.label_names)
            labels = [", ".join(names) for names in label_sets]
        else:
            numbers = source.labels[rows].tolist()
            labels = [source.label_names[number] for number in numbers]
        split_rows = SplitRows(
            split,
            source.path,
            rows,
            [texts[row] for row in rows.tolist()],
            labels,
            source.texts.select(rows),
            label_sets=label_sets,
        )
        splits.append(split_rows)
    return splits


def _add_ids(
    splits: Sequence[SplitRows], section: DataSection, id_column: str
) -> list[SplitRows]:
    """Return the splits with the values of a column of their files.

    Raises:
        DataError: A file has no such column.
    """
    hint = "name a column of the file with --id"
    columns = replace(columns_of(section), text=(id_column,), label=None, hint=hint)
    values_of: dict[Path, list[str]] = {}
    for path in {split.path for split in splits}:
        values_of[path] = [
            value for rows in read_rows(path, columns) for value in rows.texts
        ]
    with_ids = []
    for split in splits:
        values = values_of[split.path]
        ids = [values[row] for row in split.rows.tolist()]
        with_ids.append(replace(split, ids=ids))
    return with_ids


def _read_texts(path: Path, section: DataSection) -> list[str]:
    texts: list[str] = []
    for rows in read_rows(path, columns_of(section)):
        texts += rows.texts
    return texts


def describe_lengths(lengths: Ints, max_tokens: int) -> Lengths:
    """Return percentiles and a histogram of the lengths of texts."""
    median, p99 = np.percentile(lengths, [50, 99], method="inverted_cdf").tolist()
    longest = int(lengths.max())
    bin_width = math.ceil(p99 / (NUM_BINS - 1))
    edges = [1 + bin_width * index for index in range(NUM_BINS)]
    last_edge = max(longest, edges[-1]) + 1
    counts, _ = np.histogram(lengths, [*edges, last_edge])
    num_tokens_cut = np.maximum(lengths - max_tokens, 0).sum()
    share_cut = num_tokens_cut / lengths.sum()
    is_cut = lengths > max_tokens
    return Lengths(
        median=int(median),
        p99=int(p99),
        longest=longest,
        num_cut=int(is_cut.sum()),
        share_cut=float(share_cut),
        edges=edges,
        counts=counts.tolist(),
    )


def cut_texts(texts: TokenizedTexts, max_tokens: int) -> TokenizedTexts:
    """Return the texts with at most `max_tokens` tokens each."""
    starts = np.cumsum(texts.lengths) - texts.lengths
    positions = np.arange(len(texts.word_ids)) - np.repeat(starts, texts.lengths)
    return TokenizedTexts(
        texts.word_ids[positions < max_tokens],
        np.minimum(texts.lengths, max_tokens),
        texts.words,
    )


def _measure_coverage(
    texts: TokenizedTexts, vocab: Vocab, has_vector: npt.NDArray[np.bool_] | None
) -> VocabCoverage:
    """Return the coverage of the tokens of a split.

    Args:
        texts: The texts, cut.
        vocab: The vocabulary of the training rows.
        has_vector: [V] bool, which words have a vector; None if no vectors are set.
    """
    counts = texts.counts()
    token_ids = vocab.encode(texts.words)
    num_tokens = int(counts.sum())
    unknown = counts * (token_ids == UNK_ID)
    by_frequency = sorted(
        np.flatnonzero(unknown).tolist(),
        key=lambda word_id: (-unknown[word_id], texts.words[word_id]),
    )
    unknown_words = {}
    for word_id in by_frequency[:_UNKNOWN_WORDS_SHOWN]:
        word = texts.words[word_id]
        unknown_words[word] = int(unknown[word_id])
    unknown_share = float(unknown.sum() / num_tokens)
    vectors_share = None
    if has_vector is not None:
        num_with_vector = counts[has_vector[token_ids]].sum()
        vectors_share = float(num_with_vector / num_tokens)
    return VocabCoverage(num_tokens, unknown_share, unknown_words, vectors_share)


def _find_vectors(name: str | None, vocab: Vocab) -> npt.NDArray[np.bool_] | None:
    """Return which words of the vocabulary have a pretrained vector. [V] bool."""
    if name is None:
        return None
    if is_package(name):
        has_vector = find_words(name, vocab.words)
    else:
        from rnncls.text.vectors import load_vectors

        _, found = load_vectors(name, vocab.words)
        has_vector = found.numpy()
    has_vector[:2] = False  # <pad> and <unk> stand for no word
    return has_vector
