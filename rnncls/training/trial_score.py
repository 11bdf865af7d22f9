"""The score of a trial: build its config, train it, and score it on other rows."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
import torch

from rnncls.config.sections import ModelSection, TrainSection
from rnncls.data.loading import encode_training_data
from rnncls.data.sources import Sources
from rnncls.nn.classifier import TextClassifier
from rnncls.text.vocab_collection import collect_vocab
from rnncls.training.calibration import score_with_ngrams
from rnncls.training.classification import build_fresh_trainer
from rnncls.training.cross_validation import Fold, fit, run_folds
from rnncls.training.search_space import Settings, Value, change
from rnncls.training.step_data import Step
from rnncls.training.study import Goal
from rnncls.training.trainer import Trainer

OnStep = Callable[[Step | None], None]
"""Called before a trial and after each of its steps; may raise `TrialEnd`."""
PRUNED, TOO_LARGE = "pruned", "too large"
BYTES_PER_PARAMETER = 4


class TrialEnd(Exception):  # noqa: N818 - no error
    """Ends a trial before it is complete; its text is `PRUNED`, `STOPPED` etc."""


@dataclass(frozen=True)
class TrialScorer:
    """Trains and scores the trials of a search.

    Attributes:
        settings: The config that the trials change, by section and key.
        goal: What to optimise.
        sources: The data files, tokenised; they are read once for all trials.
        device: Where to train.
    """

    settings: Settings
    goal: Goal
    sources: Sources
    device: torch.device

    def score(
        self, trial: optuna.Trial, values: Mapping[str, Value], on_step: OnStep
    ) -> float:
        """Train the config with other values of some keys, and return its score.

        Raises:
            TrialEnd: The trial was pruned or stopped, or the model is too large.
            DivergedError: The loss is not finite.
        """
        config = change(self.settings, values)
        settings = config.data_settings
        source = self.sources.train
        vocab = collect_vocab(source.texts, self.sources.train_rows, settings.text)
        num_parameters = count_parameters(
            config.model, vocab.num_rows, len(source.label_names)
        )
        trial.set_user_attr("num_parameters", num_parameters)
        max_size_mb = self.goal.max_size_mb
        if max_size_mb is not None and size_mb(num_parameters) > max_size_mb:
            raise TrialEnd(TOO_LARGE)
        build_trainer = partial(
            build_fresh_trainer,
            config.model,
            config.train,
            settings.text.vectors,
            settings.seed,
            self.device,
        )
        num_folds = self.goal.num_folds
        if num_folds is not None:
            folds = run_folds(
                settings,
                self.sources,
                num_folds,
                build_trainer,
                on_step,
                config.train,
            )
            return score_by_folds(trial, self.goal, folds)
        data = encode_training_data(
            self.sources, settings.data, settings.text, settings.seed, vocab
        )
        trainer = build_trainer(data)
        if config.model.ngrams is None:
            return score_by_validation(trial, self.goal, trainer, on_step)
        return score_both_parts(trial, self.goal, trainer, config.train, on_step)


def score_by_validation(
    trial: optuna.Trial,
    goal: Goal,
    trainer: Trainer[TextClassifier],
    on_step: OnStep,
) -> float:
    """Return the validation score of the best epoch; an epoch may end the trial."""
    best_score = math.nan
    for step in trainer.steps():
        if step.validation is not None:
            score = report_epoch(trial, goal, step, step.validation)
            if step.validation["is_best"]:
                best_score = score
        on_step(step)
    return best_score


def score_both_parts(
    trial: optuna.Trial,
    goal: Goal,
    trainer: Trainer[TextClassifier],
    section: TrainSection,
    on_step: OnStep,
) -> float:
    """Return the validation score of the best network together with its n-gram part.

    The scores of the epochs, which may end the trial, are those of the network alone.

    Args:
        trial: The trial.
        goal: What to optimise.
        trainer: The trainer of the network.
        section: How the network is trained.
        on_step: Called after each step.
    """

    def report(step: Step) -> None:
        if step.validation is not None:
            report_epoch(trial, goal, step, step.validation)
        on_step(step)

    model = fit(trainer, report)
    scores = score_with_ngrams(model, section, trainer.data)
    trial.set_user_attr("scores", {**scores, "best_epoch": trainer.best_epoch})
    return scores[goal.metric]


def report_epoch(
    trial: optuna.Trial, goal: Goal, step: Step, validation: Mapping[str, Any]
) -> float:
    """Report the score of an epoch, and return it.

    Args:
        trial: The trial, which keeps the scores of its best epoch.
        goal: What to optimise.
        step: The last step of the epoch.
        validation: The validation scores after it.

    Raises:
        TrialEnd: The trial is pruned.
    """
    scores = {
        name: validation[f"valid_{name}"]
        for name in ("accuracy", "micro_f1", "macro_f1", "loss")
        if f"valid_{name}" in validation
    }
    score: float = scores[goal.metric]
    if validation["is_best"]:
        trial.set_user_attr("scores", {**scores, "best_epoch": step.epoch})
    report_score(trial, score, step.epoch)
    return score


def score_by_folds(trial: optuna.Trial, goal: Goal, folds: Iterator[Fold]) -> float:
    """Return the mean score of the folds; each fold may end the trial."""
    fold_scores: list[dict[str, float]] = []
    means: dict[str, float] = {}
    for fold in folds:
        fold_scores.append(fold.scores)
        for name in fold.scores:
            means[name] = statistics.mean(scores[name] for scores in fold_scores)
        trial.set_user_attr("scores", means)
        report_score(trial, means[goal.metric], fold.number)
    return means[goal.metric]


def report_score(trial: optuna.Trial, score: float, step: int) -> None:
    """Report an intermediate score to Optuna, which may prune the trial.

    Raises:
        TrialEnd: The trial is pruned.
    """
    trial.report(score, step)
    if trial.should_prune():
        raise TrialEnd(PRUNED)


def size_mb(num_parameters: int) -> float:
    """Return the size of a model in megabytes of 10^6 bytes."""
    return num_parameters * BYTES_PER_PARAMETER / 1e6


def count_parameters(section: ModelSection, vocab_size: int, num_classes: int) -> int:
    """Return the number of parameters of a model, without allocating it."""
    with torch.device("meta"):
        model = TextClassifier(section, vocab_size, num_classes)
    return sum(parameter.numel() for parameter in model.parameters())
