"""Training rows that are probably mislabelled, found by confident learning.

The method is by Northcutt, Jiang and Chuang (2021), the implementation is cleanlab's.

A network can memorise a wrong label, so each row is scored by a network that was
trained without it: K-fold cross-validation with the run's own config.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from rnncls import ConfigError
from rnncls.data.datasets import columns_of
from rnncls.data.readers import find_texts
from rnncls.runs.run import Run
from rnncls.training.cross_validation import cross_validate

NUM_ISSUES = 100
"""Number of rows that are returned, the most suspicious first."""


@dataclass(frozen=True)
class LabelIssue:
    """A training row whose label is probably wrong.

    Attributes:
        row: Its row in its file, from 1.
        label: The label in the file.
        prob: Probability of this label, by a network not trained on the row.
        suggested: The label that this network predicts.
        text: The text.
    """

    row: int
    label: str
    prob: float
    suggested: str
    text: str


def find_label_issues(
    run: Run, *, num_folds: int = 5, use_cache: bool = True
) -> list[LabelIssue]:
    """Return the training and validation rows of a run that are probably mislabelled.

    They are the `NUM_ISSUES` rows with the least probable labels, the least probable
    one first. One model is trained for each fold, without teachers and without a
    pretrained model: those were trained on the rows of every fold.

    Raises:
        ConfigError: cleanlab is not installed.
        DataError: The data is wrong, or a class has fewer rows than there are folds.
    """
    try:
        from cleanlab.filter import find_label_issues as rank_issues
    except ImportError as error:
        raise ConfigError(
            "--label-issues: cleanlab is not installed: pip install 'rnncls[clean]'"
        ) from error
    config = run.config.replace(
        model=run.config.model.replace(pretrained=None),
        train=run.config.train.replace(teachers=[]),
    )
    found = cross_validate(config, num_folds, use_cache=use_cache)
    probs, labels, names = found.probs(), found.labels, found.label_names
    ranked = rank_issues(
        labels, probs, return_indices_ranked_by="self_confidence", n_jobs=1
    )[:NUM_ISSUES]
    rows = found.rows[ranked].tolist()
    texts = find_texts(
        Path(found.source["path"]), replace(columns_of(config.data), label=None), rows
    )
    return [
        LabelIssue(
            row + 1,
            names[labels[number]],
            float(probs[number, labels[number]]),
            names[best],
            text,
        )
        for number, row, best, text in zip(
            ranked, rows, probs[ranked].argmax(axis=1), texts, strict=True
        )
    ]
