"""Cross-validation: score each row with a model that was not trained on it.

The rows are split into folds of about equal size with equal shares of the classes
(scikit-learn's `StratifiedKFold`). For each fold a model is trained on the other folds,
as `rnncls train` would do: with its own vocabulary, and with its own validation rows,
which select the best epoch. No model was trained on the rows that it is scored on, nor
knows their words from them.

Shapes: N rows of the training file, C classes.
"""

import logging
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls import ConfigError, Interrupted
from rnncls.config.sections import Config, DataSettings, ModelSection, TrainSection
from rnncls.config.several_labels import refuse_several_labels
from rnncls.data.fingerprint import describe_file
from rnncls.data.loading import TrainingData
from rnncls.data.sources import Sources, load_sources, split_seed
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import (
    Scores,
    accuracy_of,
    count_confusion,
    macro_f1_of,
    score,
)
from rnncls.machine.signals import stop_on_signal
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.progress import TrainingBar
from rnncls.training.calibration import add_ngram_part
from rnncls.training.classification import build_fresh_trainer
from rnncls.training.folds import (
    draw_folds,
    hold_out,
    log_single_rows,
    log_small_classes,
    scored_rows,
)
from rnncls.training.initialization import log_vectors_once, prepare_torch
from rnncls.training.step_data import Step
from rnncls.training.trainer import Trainer

logger = logging.getLogger(__name__)

BuildTrainer = Callable[[TrainingData], Trainer[TextClassifier]]
"""Builds a trainer with its first weights: the same ones for the same data."""


@dataclass(frozen=True)
class Fold:
    """The predictions of one model on the rows of its fold.

    Attributes:
        number: From 1.
        rows: [n] int64, row numbers in the training file, from 0.
        logits: [n, C] float32.
        scores: `accuracy`, `macro_f1` and `loss`, in nats, of these rows.
        best_epoch: The epoch whose weights were used; other rows selected it.
        train_s: Seconds of training.
    """

    number: int
    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    scores: dict[str, float]
    best_epoch: int
    train_s: float


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold predictions of the training rows, in the order of the file.

    A class with a single row is always trained on, so that row has no prediction.

    Attributes:
        label_names: The C classes.
        rows: [N] int64, row numbers in the file, from 0: all but the test rows and
            the only rows of a class.
        labels: [N] int64.
        logits: [N, C] float32.
        folds: The predictions by fold.
        source: The training file: path, checksum and row count.
    """

    label_names: list[str]
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    folds: list[Fold]
    source: dict[str, Any]

    def scores(self) -> Scores:
        """Return the scores of the predictions of all rows."""
        loss = score_logits(self.logits, self.labels)["loss"]
        predictions = self.logits.argmax(axis=1)
        return score(
            count_confusion(self.labels, predictions, len(self.label_names)),
            loss,
            self.label_names,
        )

    def probs(self) -> npt.NDArray[np.float64]:
        """Return the out-of-fold class probabilities. [N, C] float64."""
        probs: npt.NDArray[np.float64] = (
            torch.from_numpy(self.logits).double().softmax(dim=1).numpy()
        )
        return probs

    def mean_and_std(self) -> dict[str, tuple[float, float]]:
        """Return the mean and standard deviation of each score over the folds."""
        columns = {
            name: [fold.scores[name] for fold in self.folds]
            for name in self.folds[0].scores
        }
        return {
            name: (statistics.mean(values), statistics.stdev(values))
            for name, values in columns.items()
        }


def cross_validate(
    config: Config, num_folds: int, *, use_cache: bool = True
) -> CrossValidation:
    """Train a model for each fold, and return the predictions of all rows.

    The test file is not read.

    Raises:
        ConfigError: The config starts from a model that was trained on all rows.
        DataError: A file is wrong, or has too few rows for the folds.
        Interrupted: The user stopped it; nothing is saved.
    """
    check_no_leakage(config.model, config.train)
    refuse_several_labels(config.model.task, "the config")
    device = prepare_torch(
        config.device,
        config.seed,
        config.model,
        config.train,
        deterministic=config.deterministic,
    )
    sources = load_sources(config.data, config.text, config.seed, use_cache=use_cache)
    log_single_rows(sources)
    log_small_classes(sources, num_folds)
    build_trainer = partial(
        build_fresh_trainer,
        config.model,
        config.train,
        config.text.vectors,
        config.seed,
        device,
    )
    folds: list[Fold] = []
    num_texts = (num_folds - 1) * len(sources.own_rows)
    with (
        stop_on_signal() as stop,
        TrainingBar(num_texts, config.train.max_epochs) as bar,
        log_vectors_once(),
    ):

        def on_step(step: Step) -> None:
            bar.update(step.epoch, step.num_texts, step.loss)
            if stop.requested:
                raise Interrupted(
                    f"stopped in fold {len(folds) + 1} of {num_folds}; nothing is saved"
                )

        all_folds = run_folds(
            config.data_settings,
            sources,
            num_folds,
            build_trainer,
            on_step,
            config.train,
        )
        for fold in all_folds:
            folds.append(fold)
            log_fold(fold, num_folds)
    return join_folds(sources, folds)


def log_fold(fold: Fold, num_folds: int) -> None:
    """Log the scores and the time of a fold."""
    logger.info(
        "fold %d/%d  accuracy %s  macro-F1 %s  in %.0f s",
        fold.number,
        num_folds,
        f"{fold.scores['accuracy']:.2%}",
        f"{fold.scores['macro_f1']:.2%}",
        fold.train_s,
    )


def join_folds(sources: Sources, folds: list[Fold]) -> CrossValidation:
    """Return the predictions of all folds in the order of the file."""
    source, rows = sources.train, scored_rows(sources)
    logits = np.empty((len(rows), len(source.label_names)), dtype=np.float32)
    for fold in folds:
        logits[np.searchsorted(rows, fold.rows)] = fold.logits
    return CrossValidation(
        source.label_names,
        rows,
        source.labels[rows],
        logits,
        folds,
        describe_file(source),
    )


def run_folds(
    settings: DataSettings,
    sources: Sources,
    num_folds: int,
    build_trainer: BuildTrainer,
    on_step: Callable[[Step], None],
    section: TrainSection,
) -> Iterator[Fold]:
    """Train a model for each fold, and yield its predictions.

    Args:
        settings: How the rows are split and tokenised.
        sources: The files, tokenised as `settings` says.
        num_folds: At least 2.
        build_trainer: Called for each fold; must not use weights that were trained on
            its rows (see `check_no_leakage`).
        on_step: Called after each training step; may raise to stop.
        section: How each model is trained.

    Raises:
        DataError: There are too few rows for the folds.
    """
    seed = split_seed(settings.data, settings.seed)
    fraction = settings.data.valid_fraction if settings.data.valid is None else None
    parts = draw_folds(sources, num_folds, seed, fraction)
    for number in range(1, num_folds + 1):
        rows = sources.own_rows[parts == number]
        data, held_out = hold_out(settings, sources, rows)
        trainer = build_trainer(data)
        model = add_ngram_part(fit(trainer, on_step), section, data)
        logits = compute_logits(model, held_out.texts).numpy()
        yield Fold(
            number=number,
            rows=rows,
            logits=logits,
            scores=score_logits(logits, held_out.labels),
            best_epoch=trainer.best_epoch,
            train_s=round(trainer.elapsed_s, 3),
        )


def check_no_leakage(model: ModelSection, train: TrainSection) -> None:
    """Check that no model starts from weights that were trained on all rows.

    Raises:
        ConfigError: A model starts from such weights.
    """
    for key, value in (
        ("train.teachers", train.teachers),
        ("model.pretrained", model.pretrained),
    ):
        if value:
            raise ConfigError(
                f"{key}: was trained on the rows of every fold, so the scores would"
                " be too optimistic: leave it out"
            )


def fit(
    trainer: Trainer[TextClassifier], on_step: Callable[[Step], None]
) -> TextClassifier:
    """Train to the end, and return the model with the weights of the best epoch."""
    best: dict[str, torch.Tensor] = {}
    for step in trainer.steps():
        if step.validation is not None and step.validation["is_best"]:
            best = {
                name: value.clone()
                for name, value in trainer.eval_model.state_dict().items()
            }
        on_step(step)
    model = trainer.eval_model
    model.load_state_dict(best)
    return model


def score_logits(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return `accuracy`, `macro_f1` and `loss`, in nats, of logits [n, C]."""
    confusion = count_confusion(labels, logits.argmax(axis=1), logits.shape[1])
    loss = F.cross_entropy(
        torch.from_numpy(logits).double(), torch.from_numpy(labels)
    ).item()
    return {
        "accuracy": accuracy_of(confusion),
        "macro_f1": macro_f1_of(confusion),
        "loss": loss,
    }
