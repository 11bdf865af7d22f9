"""The runs of a comparison: evaluated on the same rows, with their sizes and speeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, RunError
from rnncls.config.sections import DataSection
from rnncls.data.splits import Split
from rnncls.evaluation.run_evaluation import Evaluation, evaluate_run
from rnncls.machine.files import read_json
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import Run, load_run
from rnncls.text.display import list_names

NUM_DISAGREEMENTS = 20
"""Number of texts to keep among those on which the runs disagree."""

ScoresT = TypeVar("ScoresT")
PartT = TypeVar("PartT")


@dataclass(frozen=True)
class ComparedRun(Generic[ScoresT, PartT]):
    """A run in a comparison.

    Attributes:
        name: Its folder, as given by the user.
        scores: Its scores on the rows of the comparison.
        num_parameters: Number of weights of the model.
        size_mib: Size on disk of the four files that prediction needs.
        train_s: Training time in seconds.
        tokens_per_s: Mean number of training tokens per second.
        parts: What its network and its n-grams achieve; empty without n-grams.
        used_for: What it used the rows of the comparison for (see `find_use`).
    """

    name: str
    scores: ScoresT
    num_parameters: int
    size_mib: float
    train_s: float
    tokens_per_s: float
    parts: list[PartT]
    used_for: str | None = None


def evaluate_runs(
    paths: Sequence[Path],
    *,
    split: Split = "test",
    data: Path | None = None,
    device: str | None = None,
    use_cache: bool = True,
) -> list[Evaluation]:
    """Evaluate finished runs on the same rows.

    Args:
        paths: The run folders, the baseline first.
        split: Which split of their data.
        data: A labelled file to use instead.
        device: The device of the models; default: the configs'.
        use_cache: Whether to read and write the cache of tokenised files.

    Raises:
        ConfigError: The runs do not have the same rows, classes or task.
        RnnclsError: A run, the data or the device is wrong.
    """
    runs = list(map(load_finished_run, paths))
    return evaluate_on_same_rows(
        runs, split=split, data=data, device=device, use_cache=use_cache
    )


def evaluate_on_same_rows(
    runs: Sequence[Run],
    *,
    split: Split,
    data: Path | None,
    device: str | None,
    use_cache: bool,
) -> list[Evaluation]:
    """Do as `evaluate_runs` does, with runs that are loaded."""
    evaluations = [
        evaluate_run(run, split=split, data=data, device=device, use_cache=use_cache)
        for run in runs
    ]
    for evaluation in evaluations:
        _check_comparable(evaluation.run.path, evaluations[0], evaluation)
    return evaluations


def load_finished_run(path: Path) -> Run:
    """Load a run whose training has finished.

    Raises:
        RunError: The run is damaged, or its training has not finished.
    """
    summary_path = RunFolder(path).summary
    if not summary_path.is_file():
        raise RunError(
            f"{path}: not finished: finish it with 'rnncls train --resume --out {path}'"
        )
    return load_run(path)


def _check_comparable(path: Path, first: Evaluation, second: Evaluation) -> None:
    """Raise unless two runs were evaluated on the same rows and have the same classes.

    Args:
        path: The folder of the second run, for the message.
        first: The baseline.
        second: The other run.
    """
    has_several_labels = first.run.classifier.has_several_labels
    if second.run.classifier.has_several_labels != has_several_labels:
        task = second.run.config.model.task
        raise ConfigError(
            f"{path}: its model.task is {task}, that of {first.run.path} is"
            f" {first.run.config.model.task}: compare runs of the same task"
        )
    _check_classes(path, first, second)
    origin = second.origin
    is_same_file = origin["sha256"] == first.origin["sha256"]
    has_same_rows = np.array_equal(first.split.rows, second.split.rows)
    if not (is_same_file and has_same_rows):
        reason = (
            _explain_other_rows(first.run.config.data, second.run.config.data)
            if is_same_file
            else f"that run has the rows of {first.origin['path']}, which is another"
            " file: compare runs on the same files, or name one file for all with"
            " --data"
        )
        raise ConfigError(
            f"{path}: its {origin['split']} rows of {origin['path']} are not those of"
            f" {first.run.path}; {reason}"
        )


def _check_classes(path: Path, first: Evaluation, second: Evaluation) -> None:
    """Raise unless two runs have the same classes; see `_check_comparable`."""
    expected = first.run.classifier.label_names
    label_names = second.run.classifier.label_names
    if label_names == expected:
        return
    lacking = [name for name in expected if name not in set(label_names)]
    further = [name for name in label_names if name not in set(expected)]
    differences = []
    if lacking:
        differences.append(f"it lacks {list_names(lacking)}")
    if further:
        differences.append(f"only it has {list_names(further)}")
    shown = " and ".join(differences) or "they are in another order"
    raise ConfigError(
        f"{path}: its classes are not those of {first.run.path}: {shown}: compare runs"
        " that were trained with the same classes"
    )


def _explain_other_rows(first: DataSection, second: DataSection) -> str:
    """Return why two runs drew other rows of one file, and what to do."""
    differences = []
    for key in ("split", "valid_fraction", "test_fraction"):
        values = getattr(first, key), getattr(second, key)
        if values[0] != values[1]:
            differences.append(f"data.{key} ({values[0]} and {values[1]})")
    if differences:
        return (
            f"they differ in {', '.join(differences)}: train all runs with the same"
            " value, or name a file with --data"
        )
    return (
        "each seed draws other rows: train all runs with, for example, --set"
        " data.split_seed=1, or name a file with --data"
    )


def describe_run(
    path: Path, scores: ScoresT, parts: list[PartT], used_for: str | None
) -> ComparedRun[ScoresT, PartT]:
    """Return a finished run with its size and the speed of its training.

    Args:
        path: The run folder, as given by the user.
        scores: Its scores.
        parts: The scores of its parts.
        used_for: What it used the rows of the comparison for.

    Raises:
        RunError: Its summary is damaged.
    """
    folder = RunFolder(path)
    summary = read_json(folder.summary)
    num_bytes = 0
    for file in (folder.config, folder.vocab, folder.labels, folder.model):
        num_bytes += file.stat().st_size
    train_s = summary["train_s"]
    num_epochs = summary["num_epochs"]
    num_tokens = summary["data"]["num_train_tokens"] * num_epochs
    return ComparedRun(
        name=str(path),
        scores=scores,
        num_parameters=summary["num_parameters"],
        size_mib=num_bytes / 2**20,
        train_s=train_s,
        tokens_per_s=num_tokens / max(train_s, 1e-9),
        parts=parts,
        used_for=used_for,
    )


def find_disagreements(
    is_correct: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Return the rows that only some runs get right.

    The rows where the fewest runs agree with the baseline come first.

    Args:
        is_correct: [R, N], which of N rows each of R runs gets right, the baseline
            first.
    """
    is_disputed = is_correct.any(axis=0) & ~is_correct.all(axis=0)  # [N]
    disputed = np.flatnonzero(is_disputed)
    is_like_baseline = is_correct[:, disputed] == is_correct[0, disputed]
    num_alike = is_like_baseline.sum(axis=0)
    return disputed[np.argsort(num_alike, kind="stable")]
