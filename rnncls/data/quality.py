"""What a person should look at in the data: copies, contradictions, empty texts and odd
characters.

Shapes: N rows of all splits, P pairs of texts.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls.data.duplicates import find_near_pairs, group_texts
from rnncls.data.splits import Split
from rnncls.text.tokenizer import UNK, TokenizedTexts, join_texts

Ints = npt.NDArray[np.int64]
NUM_EXAMPLES = 3
_ODD = {
    "control characters": r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]",
    "replacement characters (U+FFFD)": "\N{REPLACEMENT CHARACTER}",
    "letters of another encoding (as Ã© for é)": (
        r"Ã[\x80-\xbf]|Â[\xa0-\xbf]|â(?:€|\x80)|ï»¿"
    ),
    "invisible characters": r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]",
}
_ODD_ADVICE = {
    "control characters": (
        "remove them where the file is made: the tokenizer takes them for parts of"
        " words"
    ),
    "replacement characters (U+FFFD)": (
        "what stood there is lost: make the file anew from its source, as UTF-8"
    ),
    "letters of another encoding (as Ã© for é)": (
        "make the file anew: UTF-8 was read as another encoding on its way"
    ),
    "invisible characters": (
        "remove them where the file is made: they make two words of one"
    ),
}


@dataclass(frozen=True)
class Row:
    """A row of a split, counted from 1 as in its file, the header left out."""

    split: Split
    row: int
    label: str
    text: str


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at.

    Attributes:
        kind: A word for programs.
        what: What was found, in words that follow the count.
        count: How many rows, or tokens, it concerns.
        total: Of how many.
        examples: Up to three; rows that belong together stand together.
        advice: What to do.
    """

    kind: str
    what: str
    count: int
    total: int
    examples: list[list[Row]]
    advice: str


@dataclass(frozen=True)
class Part:
    """The rows of one split.

    Attributes:
        split: Which.
        path: Its file.
        rows: Their numbers in the file, from 0.
        texts: As they stand there.
        labels: Their classes.
        tokens: Uncut.
    """

    split: Split
    path: Path
    rows: Ints
    texts: list[str]
    labels: list[str]
    tokens: TokenizedTexts

    def row(self, place: int) -> Row:
        """Return one of the rows for showing."""
        return Row(
            self.split, int(self.rows[place]) + 1, self.labels[place], self.texts[place]
        )


class Corpus:
    """The rows of all splits, one after the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Number the texts across the splits."""
        self.parts = list(parts)
        self.tokens = join_texts(part.tokens for part in parts)
        sizes = [len(part.texts) for part in parts]
        self.part_of = np.repeat(np.arange(len(parts)), sizes)
        self.starts = np.cumsum([0, *sizes])
        self.is_wordless = find_wordless(self.tokens)
        self.groups = group_texts(self.tokens)
        groups, self.firsts = np.unique(self.groups, return_index=True)
        # Texts without a token are a matter of their own, and no copies of one another.
        self.groups[self.is_wordless] = len(groups) + np.arange(self.is_wordless.sum())

    @cached_property
    def near(self) -> Ints:
        """The pairs of different texts that are nearly the same, both ways round. [P,
        2] int64, numbers of texts.
        """
        pairs = find_near_pairs(select_texts(self.tokens, self.firsts))
        return np.concatenate([pairs, pairs[:, ::-1]])

    def row(self, place: int) -> Row:
        """Return one of the N rows for showing."""
        part = int(self.part_of[place])
        return self.parts[part].row(place - int(self.starts[part]))

    def groups_of(self, part: int) -> Ints:
        """Return the number of the text of each row of a split."""
        return self.groups[self.starts[part] : self.starts[part + 1]]

    def place_of(self, part: int, group: int) -> int:
        """Return which of the N rows is the first with a text in a split."""
        return int(self.starts[part] + np.flatnonzero(self.groups_of(part) == group)[0])


def select_texts(texts: TokenizedTexts, rows: Ints) -> TokenizedTexts:
    """Return some of the texts, in any order."""
    lengths = texts.lengths[rows]
    starts = (np.cumsum(texts.lengths) - texts.lengths)[rows]
    places = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return TokenizedTexts(
        texts.word_ids[np.repeat(starts, lengths) + places], lengths, texts.words
    )


def find_wordless(texts: TokenizedTexts) -> npt.NDArray[np.bool_]:
    """Return which texts have no token, and read as one unknown word. [N] bool."""
    starts = np.cumsum(texts.lengths) - texts.lengths
    unknown = texts.words.index(UNK) if UNK in texts.words else -1
    return np.asarray(
        (texts.lengths == 1) & (texts.word_ids[starts] == unknown), dtype=np.bool_
    )


def find_all(corpus: Corpus) -> list[Finding]:
    """Return all findings: first what makes figures wrong, then what makes learning
    harder.
    """
    found = [
        *_find_shared(corpus),
        *_find_conflicts(corpus),
        *_find_classes(corpus),
        *_find_repeats(corpus),
    ]
    found += [*_find_empty(corpus), *_find_odd(corpus)]
    return [finding for finding in found if finding.count]


def _find_shared(corpus: Corpus) -> Iterator[Finding]:
    """Look for texts of one split in another."""
    for later in range(1, len(corpus.parts)):
        for earlier in range(later):
            there, own = corpus.groups_of(earlier), corpus.groups_of(later)
            is_same = np.isin(own, there)
            close = corpus.near[np.isin(corpus.near[:, 1], there)]
            is_near = np.isin(own, close[:, 0]) & ~is_same
            partners = {group: group for group in own[is_same].tolist()}
            partners |= dict(close.tolist()) if is_near.any() else {}
            for kind, what, rows in (
                ("same", "the same as", is_same),
                ("near", "nearly the same as", is_near),
            ):
                examples = [
                    [
                        corpus.row(corpus.starts[later] + row),
                        corpus.row(corpus.place_of(earlier, partners[own[row]])),
                    ]
                    for row in np.flatnonzero(rows)[:NUM_EXAMPLES].tolist()
                ]
                names = corpus.parts[later].split, corpus.parts[earlier].split
                yield Finding(
                    f"{kind}_{names[0]}_{names[1]}",
                    f"{names[0]} rows are {what} a {names[1]} row",
                    int(rows.sum()),
                    len(own),
                    examples,
                    f"take them out of the {names[1]} rows, or scores on the {names[0]}"
                    " rows will be too good",
                )


def _find_conflicts(corpus: Corpus) -> Iterator[Finding]:
    """Look for texts with several labels."""
    labels = [label for part in corpus.parts for label in part.labels]
    pairs = sorted(set(zip(corpus.groups.tolist(), labels, strict=True)))
    counts = Counter(group for group, _ in pairs)
    groups = [group for group, count in counts.items() if count > 1]
    rows = np.flatnonzero(np.isin(corpus.groups, groups))
    examples = []
    for group in groups[:NUM_EXAMPLES]:
        places = rows[corpus.groups[rows] == group].tolist()
        one = {labels[place]: place for place in reversed(places)}
        examples.append([corpus.row(place) for place in sorted(one.values())])
    yield Finding(
        "conflicting_labels",
        f"rows share a text with a row of another class ({len(groups):,} texts)",
        len(rows),
        len(labels),
        examples,
        "decide on one class for each text: nothing can learn both",
    )


def _find_classes(corpus: Corpus) -> Iterator[Finding]:
    """Look for classes of very different sizes, and for those that training lacks."""
    train = corpus.parts[0]
    counts = Counter(train.labels).most_common()
    (largest, most), (smallest, fewest) = counts[0], counts[-1]
    yield Finding(
        "imbalance",
        f"training rows have the class '{largest}', {most / fewest:.1f} times those of"
        f" '{smallest}' ({fewest:,})",
        most if most >= 3 * fewest else 0,
        len(train.labels),
        [],
        "set train.monitor: macro_f1, and judge by macro-F1: accuracy hides a class"
        " that is never predicted",
    )
    for part in corpus.parts[1:]:
        rows = [
            place
            for place, label in enumerate(part.labels)
            if label not in dict(counts)
        ]
        yield Finding(
            f"unknown_class_{part.split}",
            f"{part.split} rows have a class that the training rows lack",
            len(rows),
            len(part.labels),
            [[part.row(place)] for place in rows[:NUM_EXAMPLES]],
            "correct the label, or add training rows of that class: eval refuses the"
            " file as it is",
        )


def _find_repeats(corpus: Corpus) -> Iterator[Finding]:
    """Look for texts that stand in a split more than once."""
    for number, part in enumerate(corpus.parts):
        groups = corpus.groups_of(number)
        _, firsts = np.unique(groups, return_index=True)
        again = np.setdiff1d(np.arange(len(groups)), firsts)
        examples = [
            [corpus.row(corpus.place_of(number, int(groups[row]))), part.row(row)]
            for row in again[:NUM_EXAMPLES].tolist()
        ]
        yield Finding(
            f"same_{part.split}",
            f"{part.split} rows repeat an earlier one",
            len(again),
            len(groups),
            examples,
            "keep one of each, unless the data repeats itself in use too: each copy"
            " counts anew",
        )
        close = corpus.near[np.isin(corpus.near, groups).all(axis=1)]
        rows = np.flatnonzero(np.isin(groups, close[:, 0]))
        partners = dict(close.tolist())
        shown = [
            row for row in rows.tolist() if partners[int(groups[row])] > groups[row]
        ]  # not each pair twice
        yield Finding(
            f"near_{part.split}",
            f"{part.split} rows are nearly the same as another one",
            len(rows),
            len(groups),
            [
                [
                    part.row(row),
                    corpus.row(corpus.place_of(number, partners[int(groups[row])])),
                ]
                for row in shown[:NUM_EXAMPLES]
            ],
            "look at them: templates and corrected versions are learnt by heart",
        )


def _find_empty(corpus: Corpus) -> Iterator[Finding]:
    places = _places(corpus, lambda text: not text.strip())
    yield Finding(
        "empty",
        "rows have an empty text",
        len(places),
        len(corpus.groups),
        [[corpus.row(place)] for place in places[:NUM_EXAMPLES]],
        "take them out, or name more columns in data.text: they read as one unknown"
        " word",
    )
    wordless = [
        place
        for place in np.flatnonzero(corpus.is_wordless).tolist()
        if place not in set(places)
    ]
    yield Finding(
        "no_token",
        "rows have no token, though their text is not empty",
        len(wordless),
        len(corpus.groups),
        [[corpus.row(place)] for place in wordless[:NUM_EXAMPLES]],
        "look at them, and at text.clean and text.tokenizer: they read as one unknown"
        " word",
    )


def _find_odd(corpus: Corpus) -> Iterator[Finding]:
    """Look for characters that hardly anybody means to write."""
    for name, pattern in _ODD.items():
        places = _places(corpus, re.compile(pattern).search)
        yield Finding(
            f"odd_{name.split()[0]}",
            f"rows have {name}",
            len(places),
            len(corpus.groups),
            [[corpus.row(place)] for place in places[:NUM_EXAMPLES]],
            _ODD_ADVICE[name],
        )


def _places(corpus: Corpus, is_odd: Callable[[str], object]) -> list[int]:
    """Return which of the N rows have an odd text."""
    texts = (text for part in corpus.parts for text in part.texts)
    return [place for place, text in enumerate(texts) if is_odd(text)]
