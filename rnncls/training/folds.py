"""The folds of cross-validation: which rows each has, and the data of the others.

Shapes: N rows of the training file, C classes.
"""

import logging
import warnings

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.config.sections import DataSettings
from rnncls.data.iterative_stratification import sample_label_sets
from rnncls.data.loading import (
    EncodedSplit,
    TrainingData,
    encode_rows,
    encode_training_data,
)
from rnncls.data.small_data import count_folds, count_smallest_class
from rnncls.data.sources import Sources, split_seed
from rnncls.data.splits import assign_folds, count_texts, split_rows
from rnncls.text.display import list_names

logger = logging.getLogger(__name__)


def draw_folds(
    sources: Sources, num_folds: int, seed: int, fraction: float | None = None
) -> npt.NDArray[np.int64]:
    """Return the fold of each training or validation row, from 1. [N] int64.

    The only row of a class is in no fold: its number is 0, so it is always trained on.
    So is the only text of a class, with all its copies, if `data.split` is `texts`.

    Args:
        sources: The files.
        num_folds: At least 2.
        seed: Draws the rows.
        fraction: The share of the validation rows of each fold, for the advice in the
            error; None: they come from another file.

    Raises:
        DataError: There are too few rows for the folds.
    """
    if sources.train.labels.ndim > 1:
        labels = sources.train.labels[sources.own_rows]
        return _deal_label_sets(sources, labels, num_folds, seed)
    is_scored = np.isin(sources.own_rows, scored_rows(sources))  # [N]
    labels = sources.train.labels[sources.own_rows[is_scored]]
    text_ids = _text_ids(sources)[is_scored]
    largest = int(count_texts(labels, text_ids, num_classes=1).max())
    noun = "rows" if sources.train.text_ids is None else "different texts"
    if largest < num_folds:
        working = count_folds(labels, text_ids, fraction, largest)
        if not working:  # the validation rows are checked later
            working = count_folds(labels, text_ids, None, largest)
        advice = f"use --folds {working}, or add rows" if working else "add rows"
        raise DataError(
            f"{sources.train.path}: no class has as many {noun} as there are folds,"
            f" {num_folds}: the largest has {largest}: {advice}"
        )
    parts = np.zeros(len(sources.own_rows), dtype=np.int64)
    if sources.train.text_ids is None:
        parts[is_scored] = _deal_rows(labels, num_folds, seed)
    else:
        parts[is_scored] = assign_folds(labels, text_ids, num_folds, seed)
    return parts


def _deal_label_sets(
    sources: Sources, labels: npt.NDArray[np.bool_], num_folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """Return a fold for each row, from 1, stratified iteratively. [N] int64.

    Args:
        sources: For the copies of a text, which stay together.
        labels: [N, C], the label set of each row.
        num_folds: At least 2.
        seed: Draws the folds.

    Raises:
        DataError: There are too few rows for the folds.
    """
    generator = np.random.default_rng(seed)
    text_ids = _text_ids(sources)
    parts = np.full(len(labels), num_folds, dtype=np.int64)
    for number in range(1, num_folds):
        left = np.flatnonzero(parts == num_folds)
        fraction = 1 / (num_folds - number + 1)
        drawn = sample_label_sets(labels[left], fraction, generator, text_ids[left])
        parts[left[drawn]] = number
    if len(np.unique(parts)) < num_folds:
        raise DataError(
            f"{sources.train.path}: {len(labels):,} rows are too few for {num_folds}"
            " folds: use fewer folds, or add rows"
        )
    return parts


def _deal_rows(
    labels: npt.NDArray[np.int64], num_folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """Return a fold for each row, from 1, with equal shares of the classes. [N]."""
    from sklearn.model_selection import StratifiedKFold

    random = np.random.RandomState(
        np.random.MT19937(np.random.SeedSequence(seed))
    )  # scikit-learn's own take 32 bits
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=random)
    parts = np.empty(len(labels), dtype=np.int64)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is in some of them only.
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = list(folds.split(np.zeros(len(labels)), labels))
    for number, (_, rows) in enumerate(splits, start=1):
        parts[rows] = number
    return parts


def _text_ids(sources: Sources) -> npt.NDArray[np.int64]:
    """Return the text of each row; by default each row counts as a text. [N] int64."""
    text_ids = sources.train.text_ids_of(sources.own_rows)
    return sources.own_rows if text_ids is None else text_ids


def _count_texts_by_class(sources: Sources) -> npt.NDArray[np.int64]:
    """Return the number of different texts, or else of rows, of each class. [C]."""
    source = sources.train
    labels = source.labels[sources.own_rows]
    return count_texts(labels, _text_ids(sources), len(source.label_names))


def scored_rows(sources: Sources) -> npt.NDArray[np.int64]:
    """Return the rows that cross-validation scores: not the only row of a class.

    If `data.split` is `texts`, neither the only text of a class with all its copies. If
    a text may have several labels, all rows are scored.
    """
    if sources.train.labels.ndim > 1:
        return sources.own_rows
    labels = sources.train.labels[sources.own_rows]
    text_ids = _text_ids(sources)
    is_single = _count_texts_by_class(sources)[labels] == 1  # [N]
    is_always_trained_on = np.isin(text_ids, text_ids[is_single])  # [N]
    return sources.own_rows[~is_always_trained_on]


def log_single_rows(sources: Sources) -> None:
    """Log which classes have a single row or text, which cannot be scored."""
    if sources.train.labels.ndim > 1:
        return
    is_single = _count_texts_by_class(sources) == 1  # [C]
    names = [sources.train.label_names[index] for index in np.flatnonzero(is_single)]
    if names:
        logger.info(
            "%s: one %s only, so it stays in training and the class cannot be scored:"
            " %s",
            sources.train.path,
            "row" if sources.train.text_ids is None else "text",
            list_names(names),
        )


def log_small_classes(sources: Sources, num_folds: int) -> None:
    """Log if a class has fewer rows or texts than there are folds.

    Nothing is logged if a text may have several labels.
    """
    if sources.train.labels.ndim > 1:
        return
    is_scored = np.isin(sources.own_rows, scored_rows(sources))  # [N]
    labels = sources.train.labels[sources.own_rows[is_scored]]
    smallest = count_smallest_class(labels, _text_ids(sources)[is_scored])
    counts = _count_texts_by_class(sources)
    is_too_few = counts.max(initial=0) < num_folds  # `draw_folds` raises an error
    if is_too_few or not 1 < smallest < num_folds:
        return
    names = [
        name
        for name, count in zip(sources.train.label_names, counts, strict=True)
        if 1 < count < num_folds
    ]
    logger.info(
        "%s: fewer %s than folds, so some folds have none to score: %s; --folds %d"
        " puts at least one of each class into each fold",
        sources.train.path,
        "rows" if sources.train.text_ids is None else "different texts",
        list_names(names),
        smallest,
    )


def hold_out(
    settings: DataSettings, sources: Sources, rows: npt.NDArray[np.int64]
) -> tuple[TrainingData, EncodedSplit]:
    """Split off rows of the training file; return the training data and these rows.

    The rows are encoded with the vocabulary of the training data. The best epoch is
    selected by `data.valid`, or by `data.valid_fraction` of the other rows.

    Raises:
        DataError: Too few rows are left.
    """
    source = sources.train
    left = np.setdiff1d(sources.own_rows, rows)
    data, seed = settings.data, settings.seed
    if data.valid is None:
        train, valid = split_rows(
            source.labels[left],
            data.valid_fraction,
            split_seed(data, seed),
            source.text_ids_of(left),
        )
        kept = Sources(source, left[train], source, left[valid])
    else:
        kept = sources._replace(train_rows=left)
    training_data = encode_training_data(kept, data, settings.text, seed)
    held_out = encode_rows(source, rows, training_data.vocab, source.label_names)
    return training_data, held_out
