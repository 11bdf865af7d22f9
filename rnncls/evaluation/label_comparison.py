"""Comparison of runs with several labels a text, on the same rows.

Shapes: N texts, C labels, R runs.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.compared_runs import (
    NUM_DISAGREEMENTS,
    ComparedRun,
    describe_run,
    find_disagreements,
)
from rnncls.evaluation.comparison import differing_settings
from rnncls.evaluation.label_bootstrap import F1Difference, compare_labels
from rnncls.evaluation.label_evaluation import (
    LabelDecisions,
    decide_labels,
    score_run_parts,
)
from rnncls.evaluation.label_metrics import MultilabelScores
from rnncls.evaluation.parts import LabelPartScore
from rnncls.evaluation.run_evaluation import Evaluation, read_ids, read_texts

ComparedLabelRun: TypeAlias = ComparedRun[MultilabelScores, LabelPartScore]


@dataclass(frozen=True)
class LabelDifference:
    """The difference between a run and the baseline, the first run.

    Attributes:
        name: The folder of the run, as given by the user.
        gained: Number of rows of which only this run gets all labels right.
        lost: Number of rows of which only the baseline gets all labels right.
        micro_f1: The difference of micro-F1, with a paired bootstrap.
        macro_f1: The difference of macro-F1, with a paired bootstrap.
    """

    name: str
    gained: int
    lost: int
    micro_f1: F1Difference
    macro_f1: F1Difference


@dataclass(frozen=True)
class LabelDisagreement:
    """A text all of whose labels some runs get right and others do not.

    Attributes:
        row: Its row in the file, counted from 1.
        text: The text.
        labels: The labels in the file.
        predicted: The labels that each run predicts.
        id: The value of the column that the user chose; None: none was chosen.
    """

    row: int
    text: str
    labels: list[str]
    predicted: list[list[str]]
    id: str | None = None


@dataclass(frozen=True)
class LabelRunComparison:
    """R runs on the same rows, the first of them the baseline.

    Attributes:
        origin: The file, its checksum, the split and the number of rows.
        contenders: The runs.
        differences: Each run except the first, compared with the first.
        settings: The config keys that differ, with the value of each run.
        num_disagreements: Number of rows that only some of the runs get right.
        disagreements: Some of these rows. The rows where the fewest runs agree with
            the baseline come first.
    """

    origin: dict[str, Any]
    contenders: list[ComparedLabelRun]
    differences: list[LabelDifference]
    settings: dict[str, list[Any]]
    num_disagreements: int
    disagreements: list[LabelDisagreement]

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists, dictionaries and numbers."""
        return asdict(self)


def compare_label_runs(
    paths: Sequence[Path], evaluations: Sequence[Evaluation], id_column: str | None
) -> LabelRunComparison:
    """Compare evaluations of runs on the same rows.

    Args:
        paths: The R run folders, as given by the user.
        evaluations: The R evaluations, the baseline first; labels are [N, C] bool.
        id_column: A column of the file that names the rows of disagreements.

    Raises:
        RnnclsError: A file of a run is damaged, or a text cannot be read.
    """
    decisions = [decide_labels(evaluation) for evaluation in evaluations]
    is_correct = np.stack([_is_correct(decision) for decision in decisions])  # [R, N]
    disputed = find_disagreements(is_correct)
    configs = [evaluation.run.config.model_dump() for evaluation in evaluations]
    runs, differences = [], []
    for number, path in enumerate(paths):
        parts = score_run_parts(evaluations[number])
        scores = decisions[number].scores()
        used_for = evaluations[number].origin["used_for"]
        runs.append(describe_run(path, scores, parts, used_for))
        if number:
            difference = _compare(
                str(path), decisions[0], decisions[number], is_correct[[0, number]]
            )
            differences.append(difference)
    return LabelRunComparison(
        origin=evaluations[0].origin,
        contenders=runs,
        differences=differences,
        settings=differing_settings(configs),
        num_disagreements=len(disputed),
        disagreements=_describe_disagreements(
            evaluations[0],
            decisions,
            disputed[:NUM_DISAGREEMENTS],
            id_column,
        ),
    )


def _is_correct(decisions: LabelDecisions) -> npt.NDArray[np.bool_]:
    """Return whether all labels of a text are right. [N]."""
    is_right = decisions.predicted == decisions.labels  # [N, C]
    is_correct: npt.NDArray[np.bool_] = is_right.all(axis=1)
    return is_correct


def _compare(
    name: str,
    baseline: LabelDecisions,
    decisions: LabelDecisions,
    is_correct: npt.NDArray[np.bool_],
) -> LabelDifference:
    """Compare a run with the baseline.

    Args:
        name: The run.
        baseline: What the baseline decides.
        decisions: What the run decides.
        is_correct: [2, N], which rows the baseline and the run get right.
    """
    f1 = compare_labels(decisions.labels, decisions.predicted, baseline.predicted)
    by_baseline, by_run = is_correct
    return LabelDifference(
        name=name,
        gained=int((by_run & ~by_baseline).sum()),
        lost=int((by_baseline & ~by_run).sum()),
        micro_f1=f1.micro_f1,
        macro_f1=f1.macro_f1,
    )


def _describe_disagreements(
    baseline: Evaluation,
    decisions: Sequence[LabelDecisions],
    indices: npt.NDArray[np.int64],
    id_column: str | None,
) -> list[LabelDisagreement]:
    """Read the texts at these indices, and return what each run predicts for them."""
    texts = read_texts(baseline, indices)
    ids = read_ids(baseline, indices, id_column)
    disagreements = []
    for index, text, row_id in zip(indices.tolist(), texts, ids, strict=True):
        predicted = [decision.name_predicted(index) for decision in decisions]
        disagreement = LabelDisagreement(
            row=int(baseline.split.rows[index]) + 1,
            text=text,
            labels=decisions[0].name_true(index),
            predicted=predicted,
            id=row_id,
        )
        disagreements.append(disagreement)
    return disagreements
