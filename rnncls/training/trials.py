"""The trials of a hyperparameter search: sample a config, train it, score it.

Optuna's TPE sampler (Bergstra et al. 2011) samples each config from the scores of the
finished trials. A trial whose score is worse than the median of the completed trials at
the same epoch, or fold, is pruned. The sample depends only on the config's seed and on
the finished trials.
"""

import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import optuna
import torch
from optuna.trial import TrialState
from tqdm import tqdm

from rnncls import DivergedError
from rnncls.config.sections import Config, ModelSection
from rnncls.data.loading import collect_vocab, encode_training_data
from rnncls.data.sources import Sources
from rnncls.machine.seeds import seed_everything
from rnncls.machine.signals import StopRequest
from rnncls.nn.classifier import TextClassifier
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.cross_validation import Fold, run_folds
from rnncls.training.initialization import build_model
from rnncls.training.search_space import build_space, change, draw, read_value
from rnncls.training.step import Step
from rnncls.training.study import Goal
from rnncls.training.trainer import Trainer

logger = logging.getLogger(__name__)

OnStep = Callable[[Step | None], None]
"""Called before a trial and after each of its steps; may raise `TrialEnd`."""
COMPLETED, PRUNED, TOO_LARGE, DIVERGED, STOPPED = (
    "completed",
    "pruned",
    "too large",
    "diverged",
    "stopped",
)
BYTES_PER_PARAMETER = 4
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


class TrialEnd(Exception):  # noqa: N818 - no error
    """Ends a trial before it is complete; its text is `PRUNED`, `STOPPED` etc."""


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
    """Runs the trials of one search; the data files are read once for all of them."""

    def __init__(
        self,
        config: Config,
        goal: Goal,
        sources: Sources,
        device: torch.device,
        study: optuna.Study,
    ) -> None:
        """Search around a config.

        Args:
            config: The first trial, and the centre of the search space.
            goal: What to optimise.
            sources: The data files, tokenised.
            device: Where to train.
            study: Optuna's study, with the trials so far.
        """
        self.config = config
        self.settings = config.model_dump()
        self.goal = goal
        self.sources = sources
        self.device = device
        self.study = study
        has_limit = goal.max_size_mb is not None
        self.space = build_space(self.settings, has_limit=has_limit)
        self.num_cut_off = 0

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that are completed or pruned, in the order they ended."""
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return self.study.get_trials(deepcopy=False, states=states)

    def run(self, budget: Budget, deadline: float, stop: StopRequest) -> None:
        """Run trials until the budget is used up or the user stops the search.

        A trial that is cut short by either does not count, nor does a model that was
        too large to train. The first trial always ends, however long it takes, so that
        there is a score to compare with.
        """
        ends = [trial.user_attrs["ended"] for trial in self.finished()]
        num_scored = sum(end != TOO_LARGE for end in ends)
        num_too_large, end = 0, ""
        with ProgressBar(budget) as bar:

            def on_step(step: Step | None) -> None:
                bar.show(num_scored, step)
                is_late = num_scored > 0 and time.monotonic() > deadline
                if stop.requested or is_late:
                    raise TrialEnd(STOPPED)

            while (
                end != STOPPED
                and num_too_large < MAX_TOO_LARGE
                and num_scored < (budget.num_trials or math.inf)
            ):
                end = self.run_trial(on_step)
                num_too_large = num_too_large + 1 if end == TOO_LARGE else 0
                num_scored += end not in {STOPPED, TOO_LARGE}
            self.num_cut_off += end == STOPPED

    def run_trial(self, on_step: OnStep) -> str:
        """Run one trial, and return how it ended; the first is the config itself."""
        trial = self.start_trial()
        start, value, end = time.perf_counter(), None, COMPLETED
        try:
            on_step(None)
            values = draw(trial, self.config.model.cell, self.space)
            value = self.score_config(trial, change(self.settings, values), on_step)
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
        sequence = np.random.SeedSequence((self.config.seed, len(finished)))
        seed = int(sequence.generate_state(1)[0])
        self.study.sampler = optuna.samplers.TPESampler(seed=seed)
        waiting = self.study.get_trials(states=(TrialState.WAITING,))
        if not finished and not waiting:
            given = {key: read_value(self.settings, key) for key in self.space}
            self.study.enqueue_trial(given)
        return self.study.ask()

    def score_config(
        self, trial: optuna.Trial, config: Config, on_step: OnStep
    ) -> float:
        """Train a config, and return its score.

        Raises:
            TrialEnd: The trial was pruned or stopped, or the model is too large.
            DivergedError: The loss is not finite.
        """
        source = self.sources.train
        vocab = collect_vocab(source.texts, self.sources.train_rows, config.text)
        num_parameters = count_parameters(
            config.model, len(vocab), len(source.label_names)
        )
        trial.set_user_attr("num_parameters", num_parameters)
        num_bytes = num_parameters * BYTES_PER_PARAMETER
        max_size_mb = self.goal.max_size_mb
        if max_size_mb is not None and num_bytes > max_size_mb * 1e6:
            raise TrialEnd(TOO_LARGE)
        if self.goal.num_folds is not None:
            num_folds = self.goal.num_folds
            folds = run_folds(config, self.sources, num_folds, self.device, on_step)
            return self.score_by_folds(trial, folds)
        data = encode_training_data(
            self.sources, config.data, config.text, config.seed, vocab
        )
        seed_everything(config.seed)
        model = build_model(config.model, config.text.vectors, data).to(self.device)
        trainer = build_classifier_trainer(config.train, model, data, config.seed)
        return self.score_by_validation(trial, trainer, on_step)

    def score_by_validation(
        self, trial: optuna.Trial, trainer: Trainer[TextClassifier], on_step: OnStep
    ) -> float:
        """Return the validation score of the best epoch; an epoch may end the trial."""
        best_score = math.nan
        for step in trainer.steps():
            if step.validation is not None:
                scores = {
                    name: step.validation[f"valid_{name}"]
                    for name in ("accuracy", "macro_f1", "loss")
                }
                score = scores[self.goal.metric]
                if step.validation["is_best"]:
                    best_score = score
                    trial.set_user_attr("scores", {**scores, "best_epoch": step.epoch})
                report_score(trial, score, step.epoch)
            on_step(step)
        return best_score

    def score_by_folds(self, trial: optuna.Trial, folds: Iterator[Fold]) -> float:
        """Return the mean score of the folds; each fold may end the trial."""
        fold_scores: list[dict[str, float]] = []
        means: dict[str, float] = {}
        for fold in folds:
            fold_scores.append(fold.scores)
            for name in fold.scores:
                means[name] = statistics.mean(scores[name] for scores in fold_scores)
            trial.set_user_attr("scores", means)
            report_score(trial, means[self.goal.metric], fold.number)
        return means[self.goal.metric]

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


def report_score(trial: optuna.Trial, score: float, step: int) -> None:
    """Report an intermediate score to Optuna, which may prune the trial.

    Raises:
        TrialEnd: The trial is pruned.
    """
    trial.report(score, step)
    if trial.should_prune():
        raise TrialEnd(PRUNED)


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


def size_mb(num_parameters: int) -> float:
    """Return the size of a model in megabytes of 10^6 bytes."""
    return num_parameters * BYTES_PER_PARAMETER / 1e6


def count_parameters(section: ModelSection, vocab_size: int, num_classes: int) -> int:
    """Return the number of parameters of a model, without allocating it."""
    with torch.device("meta"):
        model = TextClassifier(section, vocab_size, num_classes)
    return sum(parameter.numel() for parameter in model.parameters())
