"""Texts drawn from the validation rows of a run, or from the rows of a file.

Shapes: N rows, C classes.
"""

import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnncls import DataError
from rnncls.config.data_section import DataSection
from rnncls.data.datasets import columns_of
from rnncls.data.label_names import normalize_label
from rnncls.data.label_sets import to_label_matrix
from rnncls.data.readers import find_texts
from rnncls.data.splits import Ints, Labels
from rnncls.evaluation.loading import load_rows
from rnncls.runs.continuation import load_continuation, load_reused_files
from rnncls.runs.run import Run

logger = logging.getLogger(__name__)

MIN_ROWS = 10
"""Fewer texts are not compared: no test could find a difference."""
_SEED = 0

LabelSet = tuple[str, ...] | None
"""The labels of a text; None if they are not known."""


class LabelledRow(NamedTuple):
    """A row of a file: its text, and its labels if they are known."""

    text: str
    labels: LabelSet


@dataclass(frozen=True)
class TextSample:
    """Texts drawn from rows, in the order of the rows.

    Attributes:
        source: The file, or `stdin`.
        num_rows: The number of rows that they were drawn from.
        texts: The texts.
        rows: The number of the row of each text in its file, from 1.
        labels: The labels of each text.
        split: The split of the run's own data; None: all rows of a file.
        used_for: What the run used the rows for (see `find_use`).
        earlier_sources: Further files of the rows: those of the runs that the run
            continues.
    """

    source: str
    num_rows: int
    texts: list[str]
    rows: list[int]
    labels: list[LabelSet]
    split: str | None = None
    used_for: str | None = None
    earlier_sources: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return where the texts are from, as JSON values."""
        return {
            "path": self.source,
            "earlier_paths": list(self.earlier_sources),
            "split": self.split,
            "num_rows": self.num_rows,
            "num_compared": len(self.texts),
            "used_for": self.used_for,
        }


def draw_rows(rows: Iterable[LabelledRow], source: str, max_rows: int) -> TextSample:
    """Draw rows of a stream of any length, each with the same probability.

    This is reservoir sampling (Vitter 1985, algorithm R) with a fixed seed.

    Args:
        rows: The rows.
        source: Where they are from.
        max_rows: How many rows to draw at most.

    Raises:
        DataError: There are too few rows.
    """
    generator = random.Random(_SEED)
    drawn: list[tuple[int, LabelledRow]] = []
    num_rows = 0
    for row in rows:
        num_rows += 1
        if len(drawn) < max_rows:
            drawn.append((num_rows, row))
            continue
        place = generator.randrange(num_rows)
        if place < max_rows:
            drawn[place] = (num_rows, row)
    drawn.sort(key=lambda numbered: numbered[0])
    sample = TextSample(
        source,
        num_rows,
        texts=[row.text for _, row in drawn],
        rows=[number for number, _ in drawn],
        labels=[row.labels for _, row in drawn],
    )
    _check_size(sample)
    return sample


class _ValidationFile(NamedTuple):
    """The validation rows of a file.

    Attributes:
        path: The file.
        section: How it is read.
        rows: [N] int64, the row numbers, from 0.
        labels: [N] int64, the class of each row; or [N, C] bool, which has which.
    """

    path: str
    section: DataSection
    rows: Ints
    labels: Labels


def draw_validation_rows(run: Run, max_rows: int, *, use_cache: bool) -> TextSample:
    """Draw validation rows of a run, also those of the runs that it continues.

    Args:
        run: The run.
        max_rows: How many rows to draw at most.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: The file is missing, has changed, or has too few validation rows.
        RunError: The list of the rows of the run is damaged.
    """
    own_file = _load_own_rows(run, use_cache=use_cache)
    earlier_files = _load_earlier_rows(run, use_cache=use_cache)
    files = [own_file, *earlier_files]
    num_rows = sum(len(file.rows) for file in files)
    shuffled = np.random.default_rng(_SEED).permutation(num_rows)
    chosen = np.sort(shuffled[:max_rows])
    sample = TextSample(
        own_file.path,
        num_rows,
        texts=[],
        rows=[],
        labels=[],
        split="valid",
        used_for="validation",
        earlier_sources=tuple(file.path for file in earlier_files),
    )
    start = 0
    for file in files:
        end = start + len(file.rows)
        is_inside = (chosen >= start) & (chosen < end)
        _add_rows(sample, file, chosen[is_inside] - start, run.classifier.label_names)
        start = end
    _check_size(sample)
    return sample


def _load_own_rows(run: Run, *, use_cache: bool) -> _ValidationFile:
    """Return the validation rows of the files in the config of a run.

    Raises:
        DataError: The file is missing or has changed.
    """
    device = str(run.classifier.model.linear.weight.device)
    try:
        split, origin = load_rows(
            run,
            split="valid",
            data=None,
            unknown_labels="error",
            device=device,
            use_cache=use_cache,
        )
    except DataError as error:
        raise DataError(
            f"{run.path}: the validation rows, which the texts are compared with,"
            f" cannot be read: {error}; or compare with another file",
            {"reference": "FILE"},
        ) from error
    return _ValidationFile(origin["path"], run.config.data, split.rows, split.labels)


def _load_earlier_rows(run: Run, *, use_cache: bool) -> list[_ValidationFile]:
    """Return the validation rows that a run has of the runs that it continues.

    The files that are not at hand are named in the log.

    Raises:
        RunError: The list of the rows is damaged.
    """
    continuation = load_continuation(run.path)
    if continuation is None:
        return []
    if not continuation.earlier_files:
        logger.info(
            "%s: continues %s, whose files were missing when it was trained: texts like"
            " those of %s may seem to have drifted",
            run.path,
            continuation.run,
            continuation.run,
        )
    text = run.config.text
    earlier = load_reused_files(continuation, text, use_cache=use_cache)
    for name in earlier.missing:
        logger.info(
            "%s: is missing, or has changed since the training: its validation rows"
            " are not compared, so that texts like them may seem to have drifted;"
            " restore the file",
            name,
        )
    files = []
    for rows, source in earlier.loaded:
        numbers = rows.reused_valid_rows
        labels = source.labels_as(run.classifier.label_names, numbers)
        path = str(source.path)
        files.append(_ValidationFile(path, rows.section, numbers, labels))
    return files


def _add_rows(
    sample: TextSample, file: _ValidationFile, indices: Ints, names: Sequence[str]
) -> None:
    """Add validation rows of a file to a sample.

    Args:
        sample: The sample.
        file: The validation rows.
        indices: [n] int64, which of them to add.
        names: The C classes.
    """
    rows = file.rows[indices].tolist()
    columns = replace(columns_of(file.section), label=None)
    sample.texts.extend(find_texts(Path(file.path), columns, rows))
    sample.rows.extend(row + 1 for row in rows)
    sample.labels.extend(_name_labels(file.labels[indices], names))


def _name_labels(labels: Labels, names: Sequence[str]) -> list[LabelSet]:
    """Return the names of the labels of each text.

    Args:
        labels: [N] int64, the class of each text; or [N, C] bool, which has which.
        names: The C classes.
    """
    normalized = list(map(normalize_label, names))
    matrix = to_label_matrix(labels, len(names))  # [N, C]
    label_sets: list[LabelSet] = []
    for row in matrix:
        indices = np.flatnonzero(row).tolist()
        label_sets.append(tuple(normalized[index] for index in indices))
    return label_sets


def _check_size(sample: TextSample) -> None:
    """Check that there are enough texts to compare.

    Raises:
        DataError: There are too few.
    """
    if len(sample.texts) < MIN_ROWS:
        rows = "validation rows" if sample.split else "rows"
        advice = ": compare with another file" if sample.split else ""
        raise DataError(
            f"{sample.source}: found {sample.num_rows} {rows}, expected at least"
            f" {MIN_ROWS}, as fewer texts cannot show a difference{advice}",
            {"reference": "FILE"} if sample.split else None,
        )
