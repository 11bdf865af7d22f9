"""The rows of all splits together, grouped by equal texts.

Shapes: N rows of all splits, P pairs of texts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.data.duplicates import find_near_pairs, group_texts
from rnncls.data.splits import Ints, Split
from rnncls.text.tokenizer import UNK, TokenizedTexts, join_texts


@dataclass(frozen=True)
class Row:
    """A row of a split, counted from 1 as in its file, without the header.

    Attributes:
        id: The value of the column that the user chose, if any.
    """

    split: Split
    row: int
    label: str
    text: str
    id: str | None = None

    def place(self) -> dict[str, Any]:
        """Return where the row is, as JSON values."""
        place = {"split": self.split, "row": self.row, "label": self.label}
        return place if self.id is None else {**place, "id": self.id}


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split.

    Attributes:
        split: The split.
        path: Its file.
        rows: The numbers of the rows in the file, from 0.
        texts: The texts as in the file.
        labels: The classes.
        tokens: The tokenised texts, not cut.
        ids: The values of the column that the user chose; None: none was chosen.
        label_sets: The labels of each row, if it may have several; `labels` has them
            separated by commas.
    """

    split: Split
    path: Path
    rows: Ints
    texts: list[str]
    labels: list[str]
    tokens: TokenizedTexts
    ids: list[str] | None = None
    label_sets: list[list[str]] | None = None

    @property
    def labels_of_rows(self) -> list[list[str]]:
        """The labels of each row; a list of one if a row has one label."""
        if self.label_sets is None:
            return [[label] for label in self.labels]
        return self.label_sets

    @property
    def all_labels(self) -> list[str]:
        """The label of each row, or all labels of all rows."""
        if self.label_sets is None:
            return self.labels
        return [label for labels in self.label_sets for label in labels]

    def row(self, index: int) -> Row:
        """Return one row."""
        number = int(self.rows[index]) + 1
        row_id = None if self.ids is None else self.ids[index]
        return Row(self.split, number, self.labels[index], self.texts[index], row_id)


class AllRows:
    """The rows of all splits, one split after the other.

    Attributes:
        splits: The splits, the training rows first.
        tokens: N tokenised texts.
        starts: The index of the first row of each split, and N.
        is_wordless: [N] bool, whether a text has no token.
        groups: [N] int64, the same number for the same text. A text without a token is
            a group of its own.
    """

    def __init__(self, splits: Sequence[SplitRows]) -> None:
        """Group the texts of all splits."""
        self.splits = list(splits)
        self.tokens = join_texts(split.tokens for split in splits)
        sizes = [len(split.texts) for split in splits]
        self.starts = np.cumsum([0, *sizes])
        self.is_wordless = find_wordless(self.tokens)
        self.groups = group_texts(self.tokens)
        group_numbers, self._first_rows = np.unique(self.groups, return_index=True)
        num_wordless = int(self.is_wordless.sum())
        new_numbers = len(group_numbers) + np.arange(num_wordless)
        self.groups[self.is_wordless] = new_numbers

    @cached_property
    def near_pairs(self) -> Ints:
        """The pairs of groups whose texts are nearly the same. [P, 2] int64.

        Each pair appears in both directions.
        """
        texts = self.tokens.select(self._first_rows)  # one of each group
        pairs = find_near_pairs(texts)
        return np.concatenate([pairs, pairs[:, ::-1]])

    def row(self, index: int) -> Row:
        """Return one of the N rows."""
        split = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.splits[split].row(index - int(self.starts[split]))

    def group_by_label(self, names: Sequence[str]) -> list[list[Row]]:
        """Return the rows that have one of some labels, in a list for each label.

        Args:
            names: The labels. A row with several of them is listed with the last one.
        """
        rows_of_name: dict[str, list[Row]] = {name: [] for name in names}
        for split in self.splits:
            for index, labels in enumerate(split.labels_of_rows):
                matching = [name for name in names if name in labels]
                if matching:
                    rows_of_name[matching[-1]].append(split.row(index))
        return [members for members in rows_of_name.values() if members]

    def groups_of(self, split: int) -> Ints:
        """Return the group of each row of a split."""
        return self.groups[self.starts[split] : self.starts[split + 1]]

    def first_row_of(self, split: int, group: int) -> Row:
        """Return the first row of a split with a text of a group."""
        return self.splits[split].row(self._first_indices[split][group])

    @cached_property
    def _first_indices(self) -> list[dict[int, int]]:
        """For each split, the index of the first row of each group."""
        first_indices = []
        for split in range(len(self.splits)):
            groups, indices = np.unique(self.groups_of(split), return_index=True)
            pairs = zip(groups.tolist(), indices.tolist(), strict=True)
            first_indices.append(dict(pairs))
        return first_indices


def find_wordless(texts: TokenizedTexts) -> npt.NDArray[np.bool_]:
    """Return which texts have no token, and read as one unknown word. [N] bool."""
    first_tokens = texts.word_ids[np.cumsum(texts.lengths) - texts.lengths]
    unknown = texts.words.index(UNK) if UNK in texts.words else -1
    is_wordless = (texts.lengths == 1) & (first_tokens == unknown)
    return np.asarray(is_wordless, dtype=np.bool_)


def count_all_labels(splits: Sequence[SplitRows]) -> Counter[str]:
    """Return the number of rows of each label in all splits together."""
    return Counter(label for split in splits for label in split.all_labels)


def count_classes(splits: Sequence[SplitRows]) -> dict[Split, dict[str, int]]:
    """Return the rows of each class; classes that training lacks come last."""
    labels_of = {split.split: split.all_labels for split in splits}
    order = [label for label, _ in Counter(labels_of["train"]).most_common()]
    labels = {label for split in splits for label in labels_of[split.split]}
    order += sorted(labels - set(order))
    classes: dict[Split, dict[str, int]] = {}
    for split in splits:
        counts = Counter(labels_of[split.split])
        classes[split.split] = {label: counts[label] for label in order}
    return classes
