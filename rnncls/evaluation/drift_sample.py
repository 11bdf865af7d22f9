"""Texts drawn from the validation rows of a run, or from the rows of a file.

Shapes: N rows, C classes.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.data.datasets import columns_of
from rnncls.data.label_names import normalize_label
from rnncls.data.label_sets import to_label_matrix
from rnncls.data.readers import find_texts
from rnncls.evaluation.loading import load_rows
from rnncls.runs.run import Run

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
        rows: The number of the row of each text, from 1.
        labels: The labels of each text.
        split: The split of the run's own data; None: all rows of a file.
        used_for: What the run used the rows for (see `find_use`).
    """

    source: str
    num_rows: int
    texts: list[str]
    rows: list[int]
    labels: list[LabelSet]
    split: str | None = None
    used_for: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return where the texts are from, as JSON values."""
        return {
            "path": self.source,
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


def draw_validation_rows(run: Run, max_rows: int, *, use_cache: bool) -> TextSample:
    """Draw validation rows of a run.

    Args:
        run: The run.
        max_rows: How many rows to draw at most.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: The file is missing, has changed, or has too few validation rows.
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
    shuffled = np.random.default_rng(_SEED).permutation(len(split.rows))
    chosen = np.sort(shuffled[:max_rows])
    rows = split.rows[chosen].tolist()
    columns = replace(columns_of(run.config.data), label=None)
    sample = TextSample(
        origin["path"],
        len(split.rows),
        texts=find_texts(Path(origin["path"]), columns, rows),
        rows=[row + 1 for row in rows],
        labels=_name_labels(split.labels[chosen], run.classifier.label_names),
        split="valid",
        used_for=origin["used_for"],
    )
    _check_size(sample)
    return sample


def _name_labels(labels: npt.NDArray[Any], names: Sequence[str]) -> list[LabelSet]:
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
