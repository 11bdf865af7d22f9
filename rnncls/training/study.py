"""The Optuna study of a search: its journal file, and what it belongs to."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
import yaml
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState

from rnncls import ConfigError, RunError
from rnncls.data.fingerprint import describe_file
from rnncls.data.sources import Sources
from rnncls.machine.files import read_bytes, write_atomic
from rnncls.training.resume import flatten

Metric = Literal["accuracy", "micro_f1", "macro_f1", "loss"]
JOURNAL = "last/journal.log"
_GOAL_OPTIONS = {
    "--metric": "metric",
    "--max-size-mb": "max_size_mb",
    "--folds": "num_folds",
}
NUM_UNPRUNED = 4
"""Trials that are completed before the first one can be pruned."""


@dataclass(frozen=True)
class Goal:
    """What makes one config better than another.

    Attributes:
        metric: The score to optimise, on rows that a trial was not trained on.
        max_size_mb: Largest size of the parameters, in megabytes of 10^6 bytes; None:
            any size.
        num_folds: Score by cross-validation with this many folds of the training rows;
            None: score on the validation rows.
    """

    metric: Metric
    max_size_mb: float | None = None
    num_folds: int | None = None

    @property
    def sign(self) -> int:
        """1 if a higher score is better, -1 if a lower one is."""
        return -1 if self.metric == "loss" else 1


def check_journal(path: Path) -> None:
    """Check that a folder holds a search that can be resumed.

    Raises:
        RunError: The folder has no such search.
    """
    if not (path / JOURNAL).is_file():
        raise RunError(f"{path}: nothing to resume: has no {JOURNAL}")


def open_study(
    path: Path, config_text: str, goal: Goal, sources: Sources
) -> optuna.Study:
    """Open the study in a folder that this process has locked, or create it.

    Trials that were running when the search was stopped are marked as failed.

    Raises:
        ConfigError: The study has another goal, config or data.
        RunError: Its file is damaged.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    journal = path / JOURNAL
    repair_journal(journal)
    try:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name="rnncls",
            direction="maximize" if goal.sign > 0 else "minimize",
            pruner=optuna.pruners.MedianPruner(NUM_UNPRUNED, n_warmup_steps=2),
            load_if_exists=True,
        )
    except (ValueError, KeyError) as error:
        raise RunError(f"{journal}: damaged: {error}") from error
    _check_same_search(study, path, _describe_search(config_text, goal, sources))
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def _describe_search(config_text: str, goal: Goal, sources: Sources) -> dict[str, Any]:
    """Return all that the results of a search depend on."""
    checksums = {
        "train": describe_file(sources.train)["sha256"],
        "valid": describe_file(sources.valid)["sha256"],
    }
    return {"goal": asdict(goal), "data": checksums, "config": config_text}


def _check_same_search(study: optuna.Study, path: Path, search: dict[str, Any]) -> None:
    """Check that a study belongs to this search; assign a new study to it.

    Raises:
        ConfigError: It belongs to another one.
    """
    saved = study.user_attrs.get("asked", search)
    differences = [
        *_goal_differences(saved["goal"], search["goal"]),
        *_data_differences(saved["data"], search["data"]),
        *_config_differences(saved, search),
    ]
    if differences:
        raise ConfigError(
            f"{path}: cannot resume: the search there differs in"
            f" {'; in '.join(differences)}; or choose another --out for a new search"
        )
    study.set_user_attr("asked", search)


def _goal_differences(saved: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """Return the options of the goal that differ, and how to give them again."""
    differences = []
    for option, key in _GOAL_OPTIONS.items():
        value, new_value = saved[key], present[key]
        if value != new_value:
            advice = f"give {option} {value}"
            if value is None:
                advice = f"leave {option} out"
            difference = f"{option}: {value} there, {new_value} now: {advice}"
            differences.append(difference.replace("None", "not given"))
    return differences


def _data_differences(saved: dict[str, str], present: dict[str, str]) -> list[str]:
    """Return the data files whose contents differ."""
    differing = [name for name in present if saved[name] != present[name]]
    return [f"the contents of the {name} data" for name in differing]


def _config_differences(saved: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """Return the keys of the config that differ, with both values."""
    saved_keys = flatten(yaml.safe_load(saved["config"]))
    present_keys = flatten(yaml.safe_load(present["config"]))
    keys = sorted(saved_keys.keys() | present_keys.keys())
    if saved["goal"]["metric"] != present["goal"]["metric"]:
        keys = [key for key in keys if key != "train.monitor"]  # it is the metric
    return [
        f"{key}: {saved_keys.get(key)} there, {present_keys.get(key)} now"
        for key in keys
        if saved_keys.get(key) != present_keys.get(key)
    ]


def repair_journal(journal: Path) -> None:
    """Remove what a killed process can leave: an incomplete last line, and a lock."""
    if journal.is_file():
        data = read_bytes(journal)
        if not data.endswith(b"\n"):
            write_atomic(journal, data[: data.rfind(b"\n") + 1])
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
