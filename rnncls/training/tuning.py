"""Hyperparameter search: train and score other configs, and write the best one.

The search is deterministic: a search that was stopped or killed resumes at the trial it
was at, and the same number of trials finds the same result again on the same machine. A
budget in minutes runs the same trials, but how many of them depends on the speed. The
test file is never read.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from rnncls import ConfigError, Interrupted, RunError
from rnncls.config.sections import Config, ModelSection, TrainSection
from rnncls.config.yaml_format import dump_config
from rnncls.data.fingerprint import describe_file
from rnncls.data.sources import Sources, load_sources
from rnncls.evaluation.metrics import wilson_interval
from rnncls.machine.files import write_atomic, write_json
from rnncls.machine.signals import stop_on_signal
from rnncls.runs.folder import RunFolder
from rnncls.runs.lock import lock_run
from rnncls.training.folds import log_single_rows, log_small_classes, scored_rows
from rnncls.training.initialization import log_vectors_once, prepare_torch
from rnncls.training.search_space import change, read_value
from rnncls.training.study import Goal, check_journal, open_study
from rnncls.training.trial_score import TrialScorer
from rnncls.training.trials import COMPLETED, Budget, Tuner

BEST, RESULT = "best.yaml", "tuning.json"
MIN_TRIALS_FOR_IMPORTANCE = 10
"""Completed trials that are needed to estimate the importance of each key."""


def tune(
    config: Config,
    path: Path,
    goal: Goal,
    budget: Budget,
    *,
    resume: bool = False,
    use_cache: bool = True,
) -> dict[str, Any]:
    """Search around a config, write the best config found, and return the result.

    Args:
        config: The first trial.
        path: The folder to write, which must not exist unless `resume` is set.
        goal: What to optimise.
        budget: When to stop.
        resume: Resume the search at `path`.
        use_cache: Read and write the cache of tokenised files.

    Raises:
        RnnclsError: The config, the data, the device or the folder is wrong, or no
            trial was completed.
        Interrupted: The user stopped the search; it is saved and can be resumed.
    """
    deadline = math.inf
    if budget.minutes is not None:
        deadline = time.monotonic() + 60 * budget.minutes
    if resume:
        check_journal(path)
    else:
        RunFolder(path).check_is_free()
    monitored = config.train.model_copy(update={"monitor": goal.metric})
    config = config.model_copy(update={"train": monitored})
    check_config(config.model, config.train)
    check_metric(goal, config.model)
    device = prepare_torch(
        config.device,
        config.seed,
        config.model,
        config.train,
        deterministic=config.deterministic,
    )
    sources = load_sources(config.data, config.text, config.seed, use_cache=use_cache)
    if goal.num_folds:
        log_single_rows(sources)
        log_small_classes(sources, goal.num_folds)
    with lock_run(path):
        study = open_study(path, dump_config(config), goal, sources)
        settings = config.model_dump()
        scorer = TrialScorer(settings, goal, sources, device)
        tuner = Tuner(settings, goal, study, scorer.score)
        with stop_on_signal() as stop, log_vectors_once():
            tuner.run(budget, deadline, stop)
        result = save_result(tuner, sources, path)
    how_to_resume = f"repeat the command with --resume --out {path}"
    if stop.requested:
        cut_off = ""
        if tuner.num_cut_off:
            cut_off = " (one more had begun and does not count)"
        raise Interrupted(
            f"stopped after {len(tuner.finished())} trials{cut_off}; everything is"
            f" saved: {how_to_resume}"
        )
    if result["best"] is None:
        raise RunError(
            f"{path}: no trial was completed: {how_to_resume} and more --trials, or"
            " allow a larger model"
        )
    return result


def check_config(model: ModelSection, train: TrainSection) -> None:
    """Check that the sections do not fix shapes or words that the search would change.

    Raises:
        ConfigError: A key fixes them, or there is no network.
    """
    if not model.has_network:
        raise ConfigError(
            "model.ngrams: alone: has no network whose settings could be searched: set"
            " it to auto"
        )
    fixed_by = {
        "train.teachers": train.teachers,
        "model.pretrained": model.pretrained,
    }
    for key, value in fixed_by.items():
        if value:
            raise ConfigError(
                f"{key}: cannot be used in a search: leave it out, and add it to the"
                " best config"
            )


def check_metric(goal: Goal, model: ModelSection) -> None:
    """Check that the score to optimise exists for the number of labels of a text.

    Raises:
        ConfigError: It does not.
    """
    if goal.metric == "micro_f1" and not model.has_several_labels:
        raise ConfigError(
            "--metric: micro_f1 is for model.task: several_labels; for one label a text"
            " it equals the accuracy: set it to accuracy"
        )


def save_result(tuner: Tuner, sources: Sources, path: Path) -> dict[str, Any]:
    """Write the result of a search, and the best config if any; return the result."""
    rows, best, goal = tuner.rows(), tuner.best(), tuner.goal
    rows_of_score = scored_rows(sources) if goal.num_folds else sources.valid_rows
    num_rows = len(rows_of_score)
    interval = None
    if best is not None:
        num_correct = round(best["scores"]["accuracy"] * num_rows)
        interval = wilson_interval(num_correct, num_rows)
    result = {
        "goal": asdict(goal),
        "seed": tuner.settings["seed"],
        "data": describe_file(sources.train),
        "num_rows": num_rows,
        "best": best,
        "accuracy_interval": interval,
        "given": {key: read_value(tuner.settings, key) for key in tuner.space},
        "importance": compute_importance(tuner),
        "seconds": round(sum(row["seconds"] for row in rows), 3),
        "num_cut_off": tuner.num_cut_off,
        "trials": rows,
    }
    write_json(path / RESULT, result)
    if best is not None:
        config = change(tuner.settings, best["values"])
        text = _describe_best(goal, best, len(rows)) + dump_config(config)
        write_atomic(path / BEST, text.encode())
    return result


def _describe_best(goal: Goal, best: dict[str, Any], num_trials: int) -> str:
    """Return a YAML comment on where the best config comes from."""
    score = f"{goal.metric} {best['scores'][goal.metric]:.4f}"
    return (
        f"# Found by rnncls tune: trial {best['trial']} of {num_trials}, {score} (see"
        f" {RESULT}).\n"
    )


def compute_importance(tuner: Tuner) -> dict[str, float] | None:
    """Return how much each key affected the score, as shares that add up to 1.

    The method is PED-ANOVA (Watanabe et al. 2023), over the keys that all completed
    trials have. None: there are too few trials, or all have the same score.
    """
    completed = [
        trial for trial in tuner.finished() if trial.user_attrs["ended"] == COMPLETED
    ]
    num_scores = len({trial.value for trial in completed})
    if len(completed) < MIN_TRIALS_FOR_IMPORTANCE or num_scores == 1:
        return None
    keys = set.intersection(*(set(trial.params) for trial in completed))
    importances = get_param_importances(
        tuner.study, evaluator=PedAnovaImportanceEvaluator(), params=sorted(keys)
    )
    return {key: float(share) for key, share in importances.items()}
