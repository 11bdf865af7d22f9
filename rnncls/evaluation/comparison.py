"""Comparison of runs on the same rows: scores, differences and significance tests.

Shapes: N texts, R runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnncls.data.splits import Split
from rnncls.evaluation.compared_runs import (
    NUM_DISAGREEMENTS,
    ComparedRun,
    describe_run,
    evaluate_runs,
    find_disagreements,
)
from rnncls.evaluation.metrics import (
    NUM_RESAMPLES,
    Scores,
    mcnemar,
    percentile_interval,
)
from rnncls.evaluation.parts import PartScore
from rnncls.evaluation.run_evaluation import (
    Evaluation,
    read_ids,
    read_texts,
)

OneLabelRun: TypeAlias = ComparedRun[Scores, PartScore]


@dataclass(frozen=True)
class Difference:
    """The difference between a run and the baseline, the first run.

    Attributes:
        name: The folder of the run, as given by the user.
        gained: Number of rows that only this run classifies correctly.
        lost: Number of rows that only the baseline classifies correctly.
        difference: Accuracy of this run minus that of the baseline.
        interval: The 95% bootstrap interval of the difference.
        p: p-value of McNemar's exact test of `gained` against `lost`.
    """

    name: str
    gained: int
    lost: int
    difference: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Disagreement:
    """A text that some runs classify correctly and others do not.

    Attributes:
        row: Its row in the file, counted from 1.
        text: The text.
        label: The label in the file.
        predicted: The label that each run predicts.
        id: The value of the column that the user chose; None: none was chosen.
    """

    row: int
    text: str
    label: str
    predicted: list[str]
    id: str | None = None


@dataclass(frozen=True)
class Comparison:
    """R runs on the same rows, the first of them the baseline.

    Attributes:
        origin: The file, its checksum, the split and the number of rows.
        contenders: The runs.
        differences: Each run except the first, compared with the first.
        settings: The config keys that differ, with the value of each run.
        num_disagreements: Number of rows that only some of the runs get right.
        disagreements: Some of these rows. The rows where the fewest runs agree with
            the baseline come first.
        mean_accuracy: Mean accuracy of all runs except the first.
        deviation: Their standard deviation; None for a single run.
    """

    origin: dict[str, Any]
    contenders: list[OneLabelRun]
    differences: list[Difference]
    settings: dict[str, list[Any]]
    num_disagreements: int
    disagreements: list[Disagreement]
    mean_accuracy: float
    deviation: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists, dictionaries and numbers."""
        return asdict(self)


def compare_runs(
    paths: Sequence[Path],
    *,
    split: Split = "test",
    data: Path | None = None,
    id_column: str | None = None,
    device: str | None = None,
    use_cache: bool = True,
) -> Comparison:
    """Evaluate finished runs on the same rows and compare them.

    Args:
        paths: Two or more run folders, the baseline first.
        split: Which split of their data.
        data: A labelled file to use instead.
        id_column: A column of the file that names the rows of disagreements.
        device: The device of the models; default: the configs'.
        use_cache: Whether to read and write the cache of tokenised files.

    Raises:
        ConfigError: The runs do not have the same rows or classes.
        RnnclsError: A run, the data or the device is wrong.
    """
    evaluations = evaluate_runs(
        paths, split=split, data=data, device=device, use_cache=use_cache
    )
    return compare_evaluations(paths, evaluations, id_column)


def compare_evaluations(
    paths: Sequence[Path], evaluations: Sequence[Evaluation], id_column: str | None
) -> Comparison:
    """Compare evaluations of runs on the same rows, each text with one label.

    Args:
        paths: The R run folders, as given by the user.
        evaluations: The R evaluations, the baseline first.
        id_column: A column of the file that names the rows of disagreements.

    Raises:
        RnnclsError: A file of a run is damaged, or a text cannot be read.
    """
    runs = []
    for path, evaluation in zip(paths, evaluations, strict=True):
        used_for = evaluation.origin["used_for"]
        scores, parts = evaluation.scores(), evaluation.part_scores()
        run = describe_run(path, scores, parts, used_for)
        runs.append(run)
    accuracies = [run.scores.accuracy for run in runs[1:]]
    configs = [evaluation.run.config for evaluation in evaluations]

    is_correct = np.stack(
        [evaluation.is_correct for evaluation in evaluations]
    )  # [R, N]
    disputed = find_disagreements(is_correct)
    return Comparison(
        origin=evaluations[0].origin,
        contenders=runs,
        differences=_differences(runs, is_correct),
        settings=differing_settings([config.model_dump() for config in configs]),
        num_disagreements=len(disputed),
        disagreements=_disagreements(
            evaluations, disputed[:NUM_DISAGREEMENTS], id_column
        ),
        mean_accuracy=mean(accuracies),
        deviation=stdev(accuracies) if len(accuracies) > 1 else None,
    )


def _differences(
    runs: Sequence[OneLabelRun], is_correct: npt.NDArray[np.bool_]
) -> list[Difference]:
    """Compare each row of `is_correct`, [R, N], with the first row."""
    return [
        compare_with_baseline(run.name, is_correct[0], row)
        for run, row in zip(runs[1:], is_correct[1:], strict=True)
    ]


def compare_with_baseline(
    name: str, baseline: npt.NDArray[np.bool_], is_correct: npt.NDArray[np.bool_]
) -> Difference:
    """Compare a run with the baseline.

    Args:
        name: The run.
        baseline: [N], whether the baseline classifies each row correctly.
        is_correct: [N], whether the run does.
    """
    num_rows = len(is_correct)
    is_gained = is_correct & ~baseline
    is_lost = baseline & ~is_correct
    gained = int(is_gained.sum())
    lost = int(is_lost.sum())
    counts = np.array([gained, lost, num_rows - gained - lost])
    shares = counts / num_rows
    generator = np.random.default_rng(0)
    samples = generator.multinomial(num_rows, shares, NUM_RESAMPLES)  # [resamples, 3]
    differences = (samples[:, 0] - samples[:, 1]) / num_rows  # [resamples]
    return Difference(
        name=name,
        gained=gained,
        lost=lost,
        difference=(gained - lost) / num_rows,
        interval=percentile_interval(differences),
        p=mcnemar(gained, lost),
    )


def differing_settings(
    configs: Sequence[Mapping[str, Any]],
) -> dict[str, list[Any]]:
    """Return each key that differs between nested configs, with its value in each."""
    flat_configs = [_list_keys(config) for config in configs]
    settings = {}
    for key in flat_configs[0]:
        values = [flat_config[key] for flat_config in flat_configs]
        if any(value != values[0] for value in values):
            settings[key] = values
    return settings


def _list_keys(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return each key of a config, with its section, and its value."""
    values: dict[str, Any] = {}
    for name, section in sections.items():
        if isinstance(section, dict):
            values |= {f"{name}.{key}": value for key, value in section.items()}
        else:
            values[name] = section
    return values


def _disagreements(
    evaluations: Sequence[Evaluation],
    indices: npt.NDArray[np.int64],
    id_column: str | None,
) -> list[Disagreement]:
    """Read the texts at these indices, and return what each run predicts for them.

    Args:
        evaluations: The R evaluations, the baseline first.
        indices: Rows that only some of the runs get right.
        id_column: A column of the file that names the rows; None: no ids.
    """
    baseline = evaluations[0]
    labels = baseline.split.labels
    label_names = baseline.label_names
    texts = read_texts(baseline, indices)
    ids = read_ids(baseline, indices, id_column)
    disagreements = []
    for index, text, row_id in zip(indices.tolist(), texts, ids, strict=True):
        predicted = [_predicted_label(evaluation, index) for evaluation in evaluations]
        disagreement = Disagreement(
            row=int(baseline.split.rows[index]) + 1,
            text=text,
            label=label_names[labels[index]],
            predicted=predicted,
            id=row_id,
        )
        disagreements.append(disagreement)
    return disagreements


def _predicted_label(evaluation: Evaluation, index: int) -> str:
    label: int = evaluation.predictions[index]
    return evaluation.label_names[label]
