"""The trials of a hyperparameter search: sample a config, train it, score it.

Optuna's TPE sampler (Bergstra et al. 2011) samples each config from the scores of the
finished trials. A trial whose score is worse than the median of the completed trials at
the same epoch, or fold, is pruned. The sample depends only on the config's seed and on
the finished trials.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import optuna
from optuna.trial import TrialState
from tqdm import tqdm

from rnncls import DivergedError
from rnncls.machine.signals import StopRequest
from rnncls.training.search_space import (
    Settings,
    Value,
    build_space,
    draw,
    read_value,
)
from rnncls.training.step_data import Step
from rnncls.training.study import Goal
from rnncls.training.trial_score import TOO_LARGE, OnStep, TrialEnd, size_mb

logger = logging.getLogger(__name__)

ScoreTrial = Callable[[optuna.Trial, Mapping[str, Value], OnStep], float]
"""Returns the score of a trial with these values; may raise `TrialEnd`."""
COMPLETED, DIVERGED, STOPPED = "completed", "diverged", "stopped"
MAX_TOO_LARGE = 200
"""Number of models in a row that may be too large before the search ends."""


@dataclass(frozen=True)
class Budget:
    """When a search ends.

    Attributes:
        num_trials: Number of trials, including those of a resumed search; None: any.
        minutes: Time of this call; None: no limit.
    """

    num_trials: int | None = None
    minutes: float | None = None


class ProgressBar:
    """A progress bar over the trials, or else the minutes; shown on a terminal only."""

    def __init__(self, budget: Budget) -> None:
        """Start at zero."""
        self.counts_trials = budget.num_trials is not None
        self.total = budget.num_trials or round(60 * (budget.minutes or 0))
        self.bar = tqdm(
            total=self.total,
            disable=None,
            leave=False,
            dynamic_ncols=True,
            bar_format="{desc}: {bar}| {elapsed} elapsed, {remaining} left",
        )
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        """Return the bar itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar from the terminal."""
        self.bar.close()

    def show(self, num_trials: int, step: Step | None) -> None:
        """Show the number of finished trials, and the epoch of the current one."""
        epoch = f", epoch {step.epoch}" if step else ""
        self.bar.set_description(f"trial {num_trials}{epoch}", refresh=False)
        elapsed_s = round(time.monotonic() - self.started)
        position = num_trials if self.counts_trials else elapsed_s
        self.bar.update(min(position, self.total) - self.bar.n)


class Tuner:
    """Runs the trials of one search, and keeps their results."""

    def __init__(
        self,
        settings: Settings,
        goal: Goal,
        study: optuna.Study,
        score_trial: ScoreTrial,
    ) -> None:
        """Search around a config.

        Args:
            settings: The first trial, and the centre of the search space.
            goal: What to optimise.
            study: Optuna's study, with the trials so far.
            score_trial: Trains and scores a trial.
        """
        self.settings = settings
        self.goal = goal
        self.study = study
        self.score_trial = score_trial
        has_limit = goal.max_size_mb is not None
        self.space = build_space(settings, has_limit=has_limit)
        self.num_cut_off = 0

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that are completed or pruned, in the order they ended."""
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return self.study.get_trials(deepcopy=False, states=states)

    def run(self, budget: Budget, deadline: float, stop: StopRequest) -> None:
        """Run trials until the budget is used up or the user stops the search.

        A trial that is cut short by either does not count, nor does a model that was
        too large to train. The first trial is always completed, however long it takes,
        so that there is a score to compare with.
        """
        ends = [trial.user_attrs["ended"] for trial in self.finished()]
        num_scored = sum(end != TOO_LARGE for end in ends)
        num_too_large = 0  # in a row
        max_scored = math.inf if budget.num_trials is None else budget.num_trials
        with ProgressBar(budget) as bar:

            def on_step(step: Step | None) -> None:
                bar.show(num_scored, step)
                is_late = num_scored > 0 and time.monotonic() > deadline
                if stop.requested or is_late:
                    raise TrialEnd(STOPPED)

            while num_scored < max_scored and num_too_large < MAX_TOO_LARGE:
                end = self.run_trial(on_step)
                if end == STOPPED:
                    self.num_cut_off += 1
                    break
                if end == TOO_LARGE:
                    num_too_large += 1
                else:
                    num_scored += 1
                    num_too_large = 0

    def run_trial(self, on_step: OnStep) -> str:
        """Run one trial, and return how it ended; the first is the config itself."""
        trial = self.start_trial()
        start, value, end = time.perf_counter(), None, COMPLETED
        try:
            on_step(None)
            values = draw(trial, self.settings["model"]["cell"], self.space)
            value = self.score_trial(trial, values, on_step)
        except TrialEnd as reason:
            end = str(reason)
        except DivergedError:
            end = DIVERGED
        trial.set_user_attr("ended", end)
        trial.set_user_attr("seconds", round(time.perf_counter() - start, 3))
        states = {COMPLETED: TrialState.COMPLETE, STOPPED: TrialState.FAIL}
        self.study.tell(trial, value, states.get(end, TrialState.PRUNED))
        is_first = len(self.finished()) == 1
        if end != STOPPED and (end != TOO_LARGE or is_first):
            self.log_last_trial()
        return end

    def start_trial(self) -> optuna.Trial:
        """Start a trial, sampled from the seed and the finished trials only."""
        finished = self.finished()
        sequence = np.random.SeedSequence((self.settings["seed"], len(finished)))
        seed = int(sequence.generate_state(1)[0])
        self.study.sampler = optuna.samplers.TPESampler(seed=seed)
        waiting = self.study.get_trials(states=(TrialState.WAITING,))
        if not finished and not waiting:
            first_values = {key: read_value(self.settings, key) for key in self.space}
            self.study.enqueue_trial(first_values)
        return self.study.ask()

    def rows(self) -> list[dict[str, Any]]:
        """Return a JSON object for each finished trial, numbered from 0."""
        return [
            trial_row(number, trial) for number, trial in enumerate(self.finished())
        ]

    def best(self) -> dict[str, Any] | None:
        """Return the row of the best completed trial, the first of equals, if any."""
        completed = [row for row in self.rows() if row["ended"] == COMPLETED]
        return max(completed, key=self._rank, default=None)

    def _rank(self, row: dict[str, Any]) -> float:
        score: float = row["scores"][self.goal.metric]
        return self.goal.sign * score

    def log_last_trial(self) -> None:
        """Log the score, the size and the time of the last finished trial."""
        row, best = self.rows()[-1], self.best()
        is_best = best is not None and best["trial"] == row["trial"]
        logger.info(
            "trial %d  %s%.1f MB  %.0f s  %s",
            row["trial"],
            self._display_score(row),
            row["size_mb"],
            row["seconds"],
            "best" if is_best else row["ended"],
        )

    def _display_score(self, row: dict[str, Any]) -> str:
        """Return the score of a trial, or its last one before pruning, as text."""
        metric, so_far = self.goal.metric, row["so_far"]
        if row["ended"] == COMPLETED:
            return f"{metric} {row['scores'][metric]:.4f}  "
        if so_far:
            unit = "fold" if self.goal.num_folds else "epoch"
            return f"{metric} {so_far[-1]:.4f} after {unit} {len(so_far)}  "
        return ""


def trial_row(number: int, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """Return a finished trial as a JSON object."""
    num_parameters = trial.user_attrs["num_parameters"]
    return {
        "trial": number,
        "ended": trial.user_attrs["ended"],
        "scores": trial.user_attrs.get("scores"),
        "so_far": list(trial.intermediate_values.values()),
        "num_parameters": num_parameters,
        "size_mb": size_mb(num_parameters),
        "seconds": trial.user_attrs["seconds"],
        "values": trial.params,
    }
