"""What is in the data, and what is wrong with it, before anything is trained.

All splits are looked at, the test rows too, for a text that stands in two of them is
found in no other way. No model and no score is involved, so that nothing is picked by
the test rows.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.config.sections import Config
from rnncls.data.datasets import LabelledTexts, columns_of
from rnncls.data.duplicates import THRESHOLD
from rnncls.data.quality import Corpus, Finding, Ints, Part, find_all, select_texts
from rnncls.data.readers import read_rows
from rnncls.data.sources import load_sources, load_test_source
from rnncls.data.splits import Split
from rnncls.text.tokenizer import TokenizedTexts
from rnncls.text.vocab import UNK_ID, Vocab, build_vocab

NUM_BINS = 12
METHOD = (
    "The same: the same tokens in the same order. Nearly the same: a Jaccard"
    f" similarity of the runs of three tokens of {THRESHOLD} or more; pairs are"
    " proposed by MinHash, which misses fewer than 1 in 4,000 of them."
)
_UNLIMITED = 1 << 30


@dataclass(frozen=True)
class Lengths:
    """How many tokens the texts of a split have.

    Attributes:
        median: In the middle.
        p99: Of 100 texts, 99 have at most so many.
        longest: At most.
        num_cut: Texts that `max_tokens` cuts.
        share_cut: The share of all tokens that it cuts off.
        edges: Of the histogram's bins: a bin holds the lengths from its edge to the one
            before the next.
        counts: Texts in each bin.
    """

    median: int
    p99: int
    longest: int
    num_cut: int
    share_cut: float
    edges: list[int]
    counts: list[int]


@dataclass(frozen=True)
class Coverage:
    """What the vocabulary of the training rows, and pretrained vectors, know of a
    split's
    tokens.

    Attributes:
        num_tokens: After `max_tokens`.
        unknown_share: The share of tokens that become `<unk>`.
        unknown_words: The most frequent of them, with their counts.
        vectors_share: The share of tokens with a vector in `text.vectors`; None without
            any.
    """

    num_tokens: int
    unknown_share: float
    unknown_words: dict[str, int]
    vectors_share: float | None


@dataclass(frozen=True)
class Inspection:
    """All that was found.

    Attributes:
        paths: The file of each split.
        classes: The rows of each class in each split, the largest of the training rows
            first.
        lengths: Of each split.
        coverage: Of each split.
        vocab_size: Words of the training rows, `<pad>` and `<unk>` counted in.
        max_tokens: The config's.
        findings: What a person should look at.
    """

    paths: dict[Split, str]
    classes: dict[Split, dict[str, int]]
    lengths: dict[Split, Lengths]
    coverage: dict[Split, Coverage]
    vocab_size: int
    max_tokens: int
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {**asdict(self), "method": METHOD}


def inspect_data(config: Config, *, use_cache: bool = True) -> Inspection:
    """Look at all that a config would train, validate and test on.

    Raises:
        DataError: A file or one of its rows is wrong.
        ConfigError: `text.vectors` names none.
    """
    parts = load_parts(config, use_cache=use_cache)
    corpus = Corpus(parts)
    train, max_tokens = parts[0], config.text.max_tokens
    cut = {part.split: cut_texts(part.tokens, max_tokens) for part in parts}
    own = cut["train"]
    vocab = build_vocab(
        own.words,
        own.counts(),
        min_freq=config.text.min_freq,
        max_vocab=config.text.max_vocab,
    )
    known = _find_vectors(config, vocab)
    order = [label for label, _ in Counter(train.labels).most_common()]
    order += sorted({label for part in parts for label in part.labels} - set(order))
    return Inspection(
        paths={part.split: str(part.path) for part in parts},
        classes={
            part.split: {label: Counter(part.labels)[label] for label in order}
            for part in parts
        },
        lengths={
            part.split: describe_lengths(part.tokens.lengths, max_tokens)
            for part in parts
        },
        coverage={
            split: _describe_coverage(texts, vocab, known)
            for split, texts in cut.items()
        },
        vocab_size=len(vocab),
        max_tokens=max_tokens,
        findings=find_all(corpus),
    )


def load_parts(config: Config, *, use_cache: bool) -> list[Part]:
    """Return the rows of each split that the config has, the training rows first."""
    data = config.data
    uncut = config.text.replace(max_tokens=_UNLIMITED)
    train, train_rows, valid, valid_rows = load_sources(
        data, uncut, config.seed, use_cache=use_cache
    )
    sources: list[tuple[Split, LabelledTexts, Ints]] = [
        ("train", train, train_rows),
        ("valid", valid, valid_rows),
    ]
    if config.data.name or config.data.test or config.data.test_fraction is not None:
        sources.append(("test", *load_test_source(data, uncut, use_cache=use_cache)))
    raw: dict[Path, list[str]] = {}
    for _, source, _ in sources:
        if source.path not in raw:
            chunks = read_rows(source.path, columns_of(config.data))
            raw[source.path] = [text for rows in chunks for text in rows.texts]
    return [
        Part(
            split,
            source.path,
            rows,
            [raw[source.path][row] for row in rows.tolist()],
            [source.label_names[label] for label in source.labels[rows].tolist()],
            select_texts(source.texts, rows),
        )
        for split, source, rows in sources
    ]


def describe_lengths(lengths: Ints, max_tokens: int) -> Lengths:
    """Return how long texts are; the last of the histogram's bins is open."""
    median, p99 = np.percentile(lengths, [50, 99], method="inverted_cdf").tolist()
    width = -(-int(p99) // (NUM_BINS - 1))
    edges = [1 + width * place for place in range(NUM_BINS)]
    counts = np.histogram(lengths, [*edges, max(int(lengths.max()), edges[-1]) + 1])[0]
    return Lengths(
        median=int(median),
        p99=int(p99),
        longest=int(lengths.max()),
        num_cut=int((lengths > max_tokens).sum()),
        share_cut=float(np.maximum(lengths - max_tokens, 0).sum() / lengths.sum()),
        edges=edges,
        counts=counts.tolist(),
    )


def cut_texts(texts: TokenizedTexts, max_tokens: int) -> TokenizedTexts:
    """Return the texts as the network reads them."""
    places = np.arange(len(texts.word_ids)) - np.repeat(
        np.cumsum(texts.lengths) - texts.lengths, texts.lengths
    )
    return TokenizedTexts(
        texts.word_ids[places < max_tokens],
        np.minimum(texts.lengths, max_tokens),
        texts.words,
    )


def _describe_coverage(
    texts: TokenizedTexts, vocab: Vocab, known: npt.NDArray[np.bool_] | None
) -> Coverage:
    counts = texts.counts()
    ids = vocab.encode(texts.words)
    num_tokens = int(counts.sum())
    unknown = counts * (ids == UNK_ID)
    most = sorted(
        np.flatnonzero(unknown).tolist(),
        key=lambda kind: (-unknown[kind], texts.words[kind]),
    )[:10]
    return Coverage(
        num_tokens=num_tokens,
        unknown_share=float(unknown.sum() / num_tokens),
        unknown_words={texts.words[kind]: int(unknown[kind]) for kind in most},
        vectors_share=(
            None if known is None else float(counts[known[ids]].sum() / num_tokens)
        ),
    )


def _find_vectors(config: Config, vocab: Vocab) -> npt.NDArray[np.bool_] | None:
    """Return which words of the vocabulary have a pretrained vector; None without any.
    [V] bool.
    """
    if config.text.vectors is None:
        return None
    from rnncls.text.vectors import load_vectors

    found = load_vectors(config.text.vectors, vocab.words)[1].numpy()
    found[:2] = False  # <pad> and <unk> stand for no word
    return np.asarray(found, dtype=np.bool_)
