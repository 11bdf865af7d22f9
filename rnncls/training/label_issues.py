"""Training rows that are probably mislabelled, found by confident learning.

The method is by Northcutt, Jiang and Chuang (2021), the implementation is cleanlab's.

A network can memorise a wrong label, so each row is scored by a network that was
trained without it: K-fold cross-validation with the run's own config.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.config.sections import DataSection
from rnncls.data.datasets import columns_of, locate
from rnncls.data.readers import find_texts, read_rows
from rnncls.machine.files import write_atomic
from rnncls.runs.run import Run
from rnncls.training.cross_validation import CrossValidation, cross_validate
from rnncls.training.cross_validation_files import join_names

NUM_ISSUES = 100
"""Number of rows in JSON and on pages, the most suspicious first; the CSV has all."""


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
    """

    row: int
    label: str
    prob: float
    suggested: str
    text: str
    id: str | None = None


def find_label_issues(
    run: Run,
    *,
    num_folds: int = 5,
    id_column: str | None = None,
    use_cache: bool = True,
) -> list[LabelIssue]:
    """Return the training and validation rows of a run that are probably mislabelled.

    The row with the least probable label comes first. One model is trained for each
    fold, without teachers and without a pretrained model: those were trained on the
    rows of every fold.

    Raises:
        ConfigError: cleanlab is not installed.
        DataError: The data is wrong, or has too few rows for the folds.
    """
    try:
        import cleanlab.filter  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "--label-issues: cleanlab is not installed: pip install 'rnncls[clean]'"
        ) from error
    config = run.config.replace(
        model=run.config.model.replace(pretrained=None),
        train=run.config.train.replace(teachers=[]),
    )
    ids = _read_ids(config.data, id_column) if id_column is not None else None
    validation = cross_validate(config, num_folds, use_cache=use_cache)
    probs = validation.probs()  # [N, C]
    if validation.has_several_labels:
        ranked = _rank_label_sets(validation, probs)
        describe = partial(
            _describe_label_set, validation, probs, validation.thresholds()
        )
    else:
        ranked = _rank_labels(validation, probs)
        describe = partial(_describe_label, validation, probs)
    rows = validation.rows[ranked].tolist()
    texts = find_texts(
        Path(validation.source["path"]),
        replace(columns_of(config.data), label=None),
        rows,
    )
    issues = []
    for number, row, text in zip(ranked.tolist(), rows, texts, strict=True):
        label, prob, suggested = describe(number)
        row_id = None if ids is None else ids[row]
        issues.append(LabelIssue(row + 1, label, prob, suggested, text, row_id))
    return issues


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
    header = ["row", "label", "suggested", "probability", "text"]
    writer.writerow(header if id_column is None else [*header, id_column])
    for issue in issues:
        prob = f"{issue.prob:.6f}"
        values = [issue.row, issue.label, issue.suggested, prob, issue.text]
        writer.writerow(values if id_column is None else [*values, issue.id])
    write_atomic(path, stream.getvalue().encode("utf-8", "backslashreplace"))
