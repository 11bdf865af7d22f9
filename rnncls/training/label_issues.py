"""Training rows that are probably mislabelled, found by confident learning.

The method is by Northcutt, Jiang and Chuang (2021), the implementation is cleanlab's.

A network can memorise a wrong label, so each row is scored by a network that was
trained without it: K-fold cross-validation with the run's own config.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.config.sections import Config, DataSection
from rnncls.data.datasets import LabelledTexts, columns_of, locate
from rnncls.data.duplicates import THRESHOLD, compare_pairs
from rnncls.data.readers import find_texts, read_rows
from rnncls.data.rows import Columns
from rnncls.data.sources import load_sources
from rnncls.data.splits import Ints, Labels
from rnncls.machine.files import write_atomic
from rnncls.training.cross_validation import CrossValidation, cross_validate
from rnncls.training.cross_validation_files import join_names
from rnncls.training.twin_rows import find_twins

NUM_ISSUES = 100
"""Number of rows in JSON and in reports, the most suspicious first; the CSV has all."""


@dataclass(frozen=True)
class Twin:
    """The most similar training or validation row with another label.

    Attributes:
        row: Its row in the file, from 1.
        label: Its label, or its labels joined by `|`.
        text: The text.
        similarity: The cosine of the TF-IDF vectors of both texts, from 0 to 1.
        is_near_duplicate: Whether both texts are nearly the same (see
            `rnncls.data.duplicates`), so that one of the labels is probably wrong.
        id: The value of the column that names the rows; None: no column was given.
    """

    row: int
    label: str
    text: str
    similarity: float
    is_near_duplicate: bool
    id: str | None = None


@dataclass(frozen=True)
class LabelIssue:
    """A training row whose label, or set of labels, is probably wrong.

    Attributes:
        row: Its row in its file, from 1.
        label: The label in the file.
        prob: Probability of this label, by a network not trained on the row.
        suggested: The label that this network predicts.
        text: The text.
        id: The value of the column that names the rows; None: no column was given.
        twin: The most similar row with another label; None: no such row has a word of
            the text.
    """

    row: int
    label: str
    prob: float
    suggested: str
    text: str
    id: str | None = None
    twin: Twin | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the issue as JSON values, with `id` only if there is one."""
        values = asdict(self)
        if self.id is None:
            del values["id"]
            if self.twin is not None:
                del values["twin"]["id"]
        return values


@dataclass(frozen=True)
class LabelIssues:
    """The rows that are probably mislabelled.

    Attributes:
        issues: The rows, the one with the least probable label first.
        num_rows: The number of rows that were checked.
        num_folds: The number of folds, each with a model of its own.
    """

    issues: list[LabelIssue]
    num_rows: int
    num_folds: int

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the first rows as JSON values."""
        return {
            "num_folds": self.num_folds,
            "num_rows": self.num_rows,
            "num_issues": len(self.issues),
            "label_issues": [issue.to_dict() for issue in self.issues[:NUM_ISSUES]],
        }


def find_label_issues(
    config: Config,
    *,
    num_folds: int = 5,
    id_column: str | None = None,
    use_cache: bool = True,
) -> LabelIssues:
    """Return the training and validation rows that are probably mislabelled.

    The row with the least probable label comes first. One model is trained for each
    fold, without teachers and without a pretrained model: those were trained on the
    rows of every fold.

    Args:
        config: The data, and how the models are trained.
        num_folds: The number of folds.
        id_column: A column of the training file that names the rows; None: none does.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        ConfigError: cleanlab is not installed.
        DataError: The data is wrong, or has too few rows for the folds.
    """
    try:
        import cleanlab.filter  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "label issues: cleanlab is not installed: pip install 'rnncls[clean]'"
        ) from error
    config = config.replace(
        model=config.model.replace(pretrained=None),
        train=config.train.replace(teachers=[]),
    )
    ids = _read_ids(config.data, id_column) if id_column is not None else None
    validation = cross_validate(config, num_folds, use_cache=use_cache)
    ranked, describe = _rank_rows(validation)
    rows = validation.rows[ranked]
    sources = load_sources(config.data, config.text, config.seed, use_cache=use_cache)
    columns = replace(columns_of(config.data), label=None)
    texts = find_texts(sources.train.path, columns, rows.tolist())
    twins = _find_twin_rows(sources.train, validation.rows, rows, columns, ids)
    issues = []
    for number, row, text in zip(ranked.tolist(), rows.tolist(), texts, strict=True):
        label, prob, suggested = describe(number)
        row_id = None if ids is None else ids[row]
        twin = twins.get(row)
        issues.append(LabelIssue(row + 1, label, prob, suggested, text, row_id, twin))
    return LabelIssues(issues, len(validation.rows), num_folds)


Describe = Callable[[int], tuple[str, float, str]]
"""Returns the label of a row, its probability, and the suggested label."""


def _rank_rows(validation: CrossValidation) -> tuple[Ints, Describe]:
    """Return the rows that are probably mislabelled, and what describes one of them.

    The rows are indices into those of the cross-validation, the least probable label
    first.
    """
    probs = validation.probs()  # [N, C]
    if not validation.has_several_labels:
        describe: Describe = partial(_describe_label, validation, probs)
        return _rank_labels(validation, probs), describe
    thresholds = validation.thresholds()  # [N, C]
    describe = partial(_describe_label_set, validation, probs, thresholds)
    return _rank_label_sets(validation, probs), describe


def _find_twin_rows(
    source: LabelledTexts,
    candidates: Ints,
    rows: Ints,
    columns: Columns,
    ids: Sequence[str] | None,
) -> dict[int, Twin]:
    """Return the most similar row with another label for each row that has one.

    Args:
        source: The training file.
        candidates: The rows that may be a twin, from 0: not those kept for testing.
        rows: The rows whose twins are wanted, from 0.
        columns: The columns of the text.
        ids: What names the rows of the file; None: nothing does.
    """
    twins, similarities = find_twins(source.texts, source.labels, candidates, rows)
    has_twin = twins >= 0  # [Q]
    rows, twins, similarities = rows[has_twin], twins[has_twin], similarities[has_twin]
    overlaps = compare_pairs(source.texts, np.stack([rows, twins], axis=1))
    texts = find_texts(source.path, columns, twins.tolist())
    labels = _name_labels(source.labels[twins], source.label_names)
    found = {}
    for index, row in enumerate(rows.tolist()):
        twin_row = int(twins[index])
        found[row] = Twin(
            twin_row + 1,
            labels[index],
            texts[index],
            float(similarities[index]),
            bool(overlaps[index] >= THRESHOLD),
            None if ids is None else ids[twin_row],
        )
    return found


def _name_labels(labels: Labels, names: list[str]) -> list[str]:
    """Return the label of each row, or its labels joined by `|`."""
    if labels.ndim > 1:
        return join_names(labels, names)
    return [names[label] for label in labels.tolist()]


def _rank_labels(
    validation: CrossValidation, probs: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the rows that are probably mislabelled, the least probable label first."""
    from cleanlab.filter import find_label_issues as rank_issues

    labels, names = validation.labels, validation.label_names
    present, dense_labels = np.unique(labels, return_inverse=True)
    present_probs = probs[:, present]  # a class with a single row is not scored
    present_probs = present_probs / present_probs.sum(axis=1, keepdims=True)
    ranked: npt.NDArray[np.int64] = rank_issues(
        dense_labels,
        probs if len(present) == len(names) else present_probs,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return ranked


def _rank_label_sets(
    validation: CrossValidation, probs: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the rows with a probably wrong label set, as `_rank_labels` does."""
    from cleanlab.multilabel_classification.filter import (
        find_label_issues as rank_issues,
    )

    label_lists = [np.flatnonzero(row).tolist() for row in validation.labels]
    ranked: npt.NDArray[np.int64] = rank_issues(
        label_lists,
        probs,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return ranked


def _describe_label(
    validation: CrossValidation, probs: npt.NDArray[np.float64], number: int
) -> tuple[str, float, str]:
    """Return the label of a row, its probability, and the suggested label."""
    names, label = validation.label_names, validation.labels[number]
    suggested = names[probs[number].argmax()]
    return names[label], float(probs[number, label]), suggested


def _describe_label_set(
    validation: CrossValidation,
    probs: npt.NDArray[np.float64],
    thresholds: npt.NDArray[np.float64],
    number: int,
) -> tuple[str, float, str]:
    """Return the labels of a row, and those that are suggested, each joined by `|`.

    The probability is that of the least probable decision: that the row has one of its
    labels, or does not have one of the others.
    """
    is_true, row_probs = validation.labels[number], probs[number]  # [C], [C]
    is_predicted = row_probs >= thresholds[number]  # [C]
    prob = np.where(is_true, row_probs, 1 - row_probs).min()
    label, suggested = join_names(
        np.stack([is_true, is_predicted]), validation.label_names
    )
    return label, float(prob), suggested


def _read_ids(section: DataSection, id_column: str) -> list[str]:
    """Return the values of a column of the training file.

    Raises:
        DataError: The file has no such column.
    """
    columns = replace(
        columns_of(section),
        text=(id_column,),
        label=None,
        hint="name a column of the file with --id",
    )
    path = locate(section, "train")
    return [value for rows in read_rows(path, columns) for value in rows.texts]


ISSUE_COLUMNS = ("row", "label", "suggested", "probability", "text")
"""The columns that tables of every version have."""
_TWIN_COLUMNS = ("twin_row", "twin_label", "twin_similarity", "twin_text")


def save_issue_table(
    path: Path, issues: Sequence[LabelIssue], id_column: str | None = None
) -> None:
    """Write all rows that are probably mislabelled as CSV.

    Args:
        path: The file.
        issues: The rows. `probability` is that of the given label, `label`.
        id_column: The name of the column of ids, which comes last; None: no ids.

    Raises:
        RunError: The file cannot be written.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    header = [*ISSUE_COLUMNS, *_TWIN_COLUMNS]
    writer.writerow(header if id_column is None else [*header, id_column])
    for issue in issues:
        prob = f"{issue.prob:.6f}"
        values = [issue.row, issue.label, issue.suggested, prob, issue.text]
        values += _twin_cells(issue.twin)
        if id_column is not None:
            values.append(issue.id or "")
        writer.writerow(values)
    write_atomic(path, stream.getvalue().encode("utf-8", "backslashreplace"))


def _twin_cells(twin: Twin | None) -> list[str]:
    """Return the cells of `_TWIN_COLUMNS`, empty without a twin."""
    if twin is None:
        return [""] * len(_TWIN_COLUMNS)
    return [str(twin.row), twin.label, f"{twin.similarity:.4f}", twin.text]
