"""Choose the rows of a run that continues another run.

A text that the earlier run was validated or tested with is never trained on, and one
that it was trained on never validates. The other rows of the new file are split as its
config says. Texts are the same if they have the same tokens; with `data.split: texts`,
their copies follow.

Shapes: N rows, U texts.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.config.data_section import DataSection
from rnncls.data.duplicates import group_texts
from rnncls.data.file_rows import FileRows, LoadedFile, count_earlier_rows
from rnncls.data.sources import Sources
from rnncls.data.splits import Ints, Labels
from rnncls.text.display import format_count
from rnncls.text.tokenizer import TokenizedTexts, join_texts

logger = logging.getLogger(__name__)

_TRAIN, _VALID, _TEST = 0, 1, 2


@dataclass(frozen=True)
class _EarlierTexts:
    """The texts of earlier runs, as the numbers of `number_texts`.

    Attributes:
        trained: [U] int64, the texts that they were trained on.
        valid: [U] int64, those that they were validated with.
        tested: [U] int64, those that they kept for testing.
    """

    trained: Ints
    valid: Ints
    tested: Ints


def choose_rows(
    own: Sources,
    test_rows: Ints,
    section: DataSection,
    earlier: Sequence[LoadedFile],
    replay: float,
    seed: int,
) -> tuple[list[FileRows], list[FileRows]]:
    """Choose the rows of a run that continues another run.

    Args:
        own: The files of the new run, with the rows that its config draws.
        test_rows: [n] int64, the rows of its training file that are kept for testing.
        section: How its files are read.
        earlier: The files of the earlier runs that are at hand.
        replay: The share of their training rows to train on again, from 0 to 1.
        seed: Draws the rows to train on again.

    Returns:
        The rows of the new run's files, and those of the earlier files.

    Raises:
        DataError: No training row or no validation row is left.
    """
    own_sources = [own.train] if own.is_one_file else [own.train, own.valid]
    all_sources = [*own_sources, *(file.source for file in earlier)]
    all_ids = number_texts([source.texts for source in all_sources])
    own_ids = all_ids[: len(own_sources)]
    earlier_ids = all_ids[len(own_sources) :]
    texts = _collect_texts(earlier, earlier_ids)

    own_rows = [_assign_rows(own, test_rows, section, own_ids[0], texts)]
    if not own.is_one_file:
        own_rows.append(_choose_valid_file_rows(own, section, own_ids[1], texts))
    used_ids = np.unique(np.concatenate(own_ids))
    generator = np.random.default_rng(seed)
    earlier_rows = []
    for file, ids in zip(earlier, earlier_ids, strict=True):
        rows = _choose_earlier_rows(file, ids, used_ids, texts, replay, generator)
        earlier_rows.append(rows)
        used_ids = np.union1d(used_ids, ids)
    _check_rows_left(own_rows, earlier_rows)
    return own_rows, earlier_rows


def _check_rows_left(own: Sequence[FileRows], earlier: Sequence[FileRows]) -> None:
    """Check that there are training and validation rows.

    Raises:
        DataError: There are none of them.
    """
    num_replayed, num_reused = count_earlier_rows(earlier)
    if not len(own[0].train_rows) + num_replayed:
        raise DataError(
            f"{own[0].path}: no training row is left: the earlier run was validated"
            " or tested with all these texts: add rows"
        )
    num_valid = sum(len(file.valid_rows) for file in own)
    if not num_valid + num_reused:
        raise DataError(
            f"{own[0].path}: no validation row is left: the earlier run was trained on"
            " all rows that would validate: add rows, or set data.valid to a file of"
            " other rows"
        )


def number_texts(files: Sequence[TokenizedTexts]) -> list[Ints]:
    """Number the texts of several files: the same tokens have the same number.

    Returns:
        For each file [N] int64.
    """
    numbers = group_texts(join_texts(files))
    sizes = [len(file.lengths) for file in files]
    return np.split(numbers, np.cumsum(sizes)[:-1])


def _collect_texts(
    earlier: Sequence[LoadedFile], earlier_ids: Sequence[Ints]
) -> _EarlierTexts:
    """Return which texts the earlier runs used for what."""
    empty = np.empty(0, dtype=np.int64)
    trained, valid, tested = [empty], [empty], [empty]
    for (rows, _), ids in zip(earlier, earlier_ids, strict=True):
        trained.append(ids[rows.train_rows])
        valid.append(ids[rows.valid_rows])
        tested.append(ids[rows.test_rows])
    return _EarlierTexts(
        np.unique(np.concatenate(trained)),
        np.unique(np.concatenate(valid)),
        np.unique(np.concatenate(tested)),
    )


def _assign_rows(
    own: Sources,
    test_rows: Ints,
    section: DataSection,
    ids: Ints,
    texts: _EarlierTexts,
) -> FileRows:
    """Return the rows of the new training file, each in the split of its text."""
    source = own.train
    groups = ids if source.text_ids is None else source.text_ids
    drawn = np.full(len(ids), _TRAIN)  # [N]
    if own.is_one_file:
        drawn[own.valid_rows] = _VALID
    drawn[test_rows] = _TEST
    splits = drawn.copy()
    splits[_with_copies(np.isin(ids, texts.tested), groups)] = _TEST
    splits[_with_copies(np.isin(ids, texts.trained), groups)] = _TRAIN
    splits[_with_copies(np.isin(ids, texts.valid), groups)] = _VALID
    _note_moved(source.path.name, drawn, splits)
    return FileRows(
        str(source.path),
        source.sha256,
        len(ids),
        section,
        np.flatnonzero(splits == _VALID),
        np.flatnonzero(splits == _TEST),
    )


def _with_copies(is_text: npt.NDArray[np.bool_], groups: Ints) -> npt.NDArray[np.bool_]:
    """Return which rows are such texts, or copies of them. [N] bool."""
    return np.isin(groups, groups[is_text])


def _note_moved(name: str, drawn: Ints, splits: Ints) -> None:
    """Log how many rows are in another split than the config draws."""
    notes = {
        _TRAIN: "used for training, as the earlier run was trained on their texts",
        _VALID: "used for validation, as the earlier run was validated with their"
        " texts",
        _TEST: "not used for training or validation, as the earlier run kept their"
        " texts for testing",
    }
    for split, note in notes.items():
        num_moved = int(((drawn != split) & (splits == split)).sum())
        if num_moved:
            logger.info("%s: %s: %s", name, format_count(num_moved, "row"), note)


def _choose_valid_file_rows(
    own: Sources, section: DataSection, ids: Ints, texts: _EarlierTexts
) -> FileRows:
    """Return the rows of the new validation file that no earlier run was trained on."""
    source = own.valid
    is_trained = np.isin(ids, np.setdiff1d(texts.trained, texts.valid))  # [N]
    if is_trained.any():
        logger.info(
            "%s: %s: not used for validation, as the earlier run was trained on their"
            " texts",
            source.path.name,
            format_count(int(is_trained.sum()), "row"),
        )
    return FileRows(
        str(source.path), source.sha256, len(ids), section, np.flatnonzero(~is_trained)
    )


def _choose_earlier_rows(
    file: LoadedFile,
    ids: Ints,
    used_ids: Ints,
    texts: _EarlierTexts,
    replay: float,
    generator: np.random.Generator,
) -> FileRows:
    """Return the rows of an earlier file, without texts that other files have too."""
    rows = file.rows
    train_rows, valid_rows = rows.train_rows, rows.valid_rows
    held_out = np.concatenate([used_ids, texts.valid, texts.tested])
    candidates = train_rows[~np.isin(ids[train_rows], held_out)]
    return replace(
        rows,
        replayed_rows=_draw_share(candidates, file.source.labels, replay, generator),
        reused_valid_rows=valid_rows[~np.isin(ids[valid_rows], used_ids)],
    )


def _draw_share(
    rows: Ints, labels: Labels, share: float, generator: np.random.Generator
) -> Ints:
    """Return a share of rows, of each class at least one if there is one label a text.

    The result is sorted.
    """
    if share == 0 or not len(rows):
        return rows[:0]
    strata = [rows]
    if labels.ndim == 1:
        classes = labels[rows]
        strata = [rows[classes == label] for label in np.unique(classes)]
    drawn = []
    for stratum in strata:
        num_drawn = int(np.ceil(share * len(stratum)))
        drawn.append(generator.permutation(stratum)[:num_drawn])
    return np.sort(np.concatenate(drawn))
