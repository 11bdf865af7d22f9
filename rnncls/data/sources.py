"""The tokenised files that a run learns from, and their training and validation rows.

Shapes: N rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.cache import load_cached
from rnncls.data.datasets import LabelledTexts, locate
from rnncls.data.splits import Ints, Split, split_rows, split_test_rows


class Sources(NamedTuple):
    """The files of the training and the validation rows, which may be the same file.

    Attributes:
        train: The training file.
        train_rows: [N] int64, the numbers of the training rows, from 0.
        valid: The validation file.
        valid_rows: [N] int64, the numbers of the validation rows, from 0.
    """

    train: LabelledTexts
    train_rows: Ints
    valid: LabelledTexts
    valid_rows: Ints

    @property
    def is_one_file(self) -> bool:
        """Whether the validation rows are taken from the training file."""
        return self.valid is self.train

    @property
    def own_rows(self) -> Ints:
        """The rows of the training file that train or validate, in order. [N] int64.

        None of them is kept for testing.
        """
        if self.is_one_file:
            return np.union1d(self.train_rows, self.valid_rows)
        return self.train_rows


class DrawnRows(NamedTuple):
    """The rows of a training file, as its config draws them.

    Attributes:
        train: [n] int64, the numbers of the training rows, from 0.
        valid: [n] int64, those of the validation rows; empty if they have a file.
        test: [n] int64, those of the rows that are kept for testing.
    """

    train: Ints
    valid: Ints
    test: Ints


def draw_rows(source: LabelledTexts, data: DataSection, seed: int) -> DrawnRows:
    """Draw the training, validation and test rows of a training file.

    Args:
        source: The file.
        data: Which rows.
        seed: The seed of the run (see `split_seed`).
    """
    rows, test = split_test_rows(source.labels, data.test_fraction, source.text_ids)
    if data.valid is not None:
        return DrawnRows(rows, np.empty(0, dtype=np.int64), test)
    train_part, valid_part = split_rows(
        source.labels[rows],
        data.valid_fraction,
        split_seed(data, seed),
        source.text_ids_of(rows),
    )
    return DrawnRows(rows[train_part], rows[valid_part], test)


def split_seed(section: DataSection, seed: int) -> int:
    """Return the seed of the split: `data.split_seed`, or else the seed of the run."""
    return seed if section.split_seed is None else section.split_seed


def load_sources(
    data: DataSection, text: TextSection, seed: int, *, use_cache: bool = True
) -> Sources:
    """Read and split the training and the validation rows; never a test row.

    Args:
        data: Which rows.
        text: How texts are tokenised.
        seed: The seed of the run (see `split_seed`).
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: A file or one of its rows is wrong.
    """
    train = load_cached(locate(data, "train"), data, text, use_cache=use_cache)
    drawn = draw_rows(train, data, seed)
    if data.valid is None:
        return Sources(train, drawn.train, train, drawn.valid)
    valid = load_cached(locate(data, "valid"), data, text, use_cache=use_cache)
    return Sources(train, drawn.train, valid, np.arange(len(valid.labels)))


def check_has_classes(source: LabelledTexts) -> None:
    """Check that a training file has two classes, or two labels, or more.

    Raises:
        DataError: It has fewer.
    """
    if len(source.label_names) >= 2:
        return
    if source.labels.ndim > 1:
        raise DataError(
            f"{source.path}: has {len(source.label_names)} labels: expected two or"
            " more: is data.label the right column?"
        )
    raise DataError(
        f"{source.path}: all {len(source.labels):,} rows have the label"
        f" '{source.label_names[0]}': a classifier needs two classes or more: is"
        " data.label the right column?"
    )


def load_test_source(
    data: DataSection, text: TextSection, *, use_cache: bool = True
) -> tuple[LabelledTexts, Ints]:
    """Return the file of the test rows and their numbers, from 0.

    The file is the test file, or the training file if part of it is kept for testing.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    if data.test_fraction is None:
        source = load_cached(locate(data, "test"), data, text, use_cache=use_cache)
        return source, np.arange(len(source.labels))
    source = load_cached(locate(data, "train"), data, text, use_cache=use_cache)
    _, rows = split_test_rows(source.labels, data.test_fraction, source.text_ids)
    return source, rows


def load_chosen_source(
    data: DataSection,
    text: TextSection,
    split: Split,
    chosen_rows: Sequence[int],
    *,
    use_cache: bool = True,
) -> tuple[LabelledTexts, Ints]:
    """Return the file of a split that is not drawn, and the numbers of its rows.

    Args:
        data: How the file is read.
        text: How texts are tokenised.
        split: The split.
        chosen_rows: Its row numbers, from 0.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: The file or one of its rows is wrong, there is no such row, or the
            file has fewer rows than it had.
    """
    rows = np.array(chosen_rows, dtype=np.int64)
    file: Split = "valid" if split == "valid" and data.valid else "train"
    source = load_cached(locate(data, file), data, text, use_cache=use_cache)
    if not len(rows):
        raise DataError(
            f"{source.path}: has no {split} rows: the run continues another one, and"
            " all of them are in the files of that run"
        )
    if rows.max() >= len(source.labels):
        raise DataError(
            f"{source.path}: has {len(source.labels):,} rows, but the run used row"
            f" {rows.max() + 1:,}: the file has changed: restore it"
        )
    return source, rows
