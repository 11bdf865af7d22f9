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
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls import ConfigError, Interrupted
from rnncls.config.sections import Config, DataSettings, ModelSection, TrainSection
from rnncls.data.fingerprint import describe_file
from rnncls.data.loading import TrainingData
from rnncls.data.sources import Sources, load_sources, split_seed
from rnncls.data.splits import Labels
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.label_bootstrap import compute_f1
from rnncls.evaluation.label_metrics import MultilabelScores, score_labels
from rnncls.evaluation.metrics import (
    Scores,
    accuracy_of,
    count_confusion,
    macro_f1_of,
    score,
)
from rnncls.machine.signals import stop_on_signal
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.decisions import to_label_probs, to_probs
from rnncls.runs.progress import TrainingBar
from rnncls.training.calibration import complete_network
from rnncls.training.classification import build_fresh_trainer, limit_training
from rnncls.training.folds import (
    draw_folds,
    hold_out,
    log_single_rows,
    log_small_classes,
    scored_rows,
)
from rnncls.training.initialization import log_vectors_once, prepare_torch
from rnncls.training.step_data import Step
from rnncls.training.task import M
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
        scores: `accuracy`, `macro_f1` and `loss`, in nats, of these rows; for several
            labels a text `micro_f1` too.
        best_epoch: The epoch whose weights were used; other rows selected it.
        train_s: Seconds of training.
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.
    """

    number: int
    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    scores: dict[str, float]
    best_epoch: int
    train_s: float
    thresholds: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold predictions of the training rows, in the order of the file.

    A class with a single row is always trained on, so that row has no prediction.

    Attributes:
        label_names: The C classes.
        rows: [N] int64, row numbers in the file, from 0: all but the test rows and
            the only rows of a class.
        labels: [N] int64; for several labels a text [N, C] bool.
        logits: [N, C] float32.
        folds: The predictions by fold.
        source: The training file: path, checksum and row count.
    """

    label_names: list[str]
    rows: npt.NDArray[np.int64]
    labels: Labels
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

    def label_scores(self) -> MultilabelScores:
        """Return the scores of the predictions of all rows, for several labels a text.

        Each row is decided with the thresholds of its fold; the table of the labels has
        their mean.
        """
        thresholds = self.thresholds()  # [N, C]
        loss = score_label_logits(self.logits, self.labels, thresholds)["loss"]
        return score_labels(
            self.labels, self.probs(), thresholds, loss, self.label_names
        )

    def thresholds(self) -> npt.NDArray[np.float64]:
        """Return the thresholds that decided each row. [N, C]."""
        thresholds = np.empty(self.logits.shape)  # [N, C]
        for fold in self.folds:
            assert fold.thresholds is not None
            thresholds[np.searchsorted(self.rows, fold.rows)] = fold.thresholds
        return thresholds

    def probs(self) -> npt.NDArray[np.float64]:
        """Return the out-of-fold class probabilities. [N, C] float64."""
        logits = torch.from_numpy(self.logits).double()
        to_probs_of_task = to_label_probs if self.has_several_labels else to_probs
        probs: npt.NDArray[np.float64] = to_probs_of_task(logits).numpy()
        return probs

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.labels.ndim > 1

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
    options = limit_training(config.train, config.model)
    if options.max_batches is not None:
        num_texts = num_folds * options.max_batches * options.batch_size
    with (
        stop_on_signal() as stop,
        TrainingBar(num_texts, options.max_epochs) as bar,
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
    name = "micro-F1" if "micro_f1" in fold.scores else "accuracy"
    first_score = fold.scores.get("micro_f1", fold.scores["accuracy"])
    logger.info(
        "fold %d/%d  %s %s  macro-F1 %s  in %.0f s",
        fold.number,
        num_folds,
        name,
        f"{first_score:.2%}",
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


def run_folds(  # noqa: PLR0913 - the last is named
    settings: DataSettings,
    sources: Sources,
    num_folds: int,
    build_trainer: BuildTrainer,
    on_step: Callable[[Step], None],
    section: TrainSection,
    *,
    finished: Container[int] = (),
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
        finished: The numbers of the folds to leave out.

    Raises:
        DataError: There are too few rows for the folds.
    """
    seed = split_seed(settings.data, settings.seed)
    fraction = settings.data.valid_fraction if settings.data.valid is None else None
    parts = draw_folds(sources, num_folds, seed, fraction)
    for number in range(1, num_folds + 1):
        if number in finished:
            continue
        rows = sources.own_rows[parts == number]
        data, held_out = hold_out(settings, sources, rows)
        trainer = build_trainer(data)
        model = fit(trainer, on_step)
        thresholds = complete_network(model, section, data)
        logits = compute_logits(model, held_out.texts).numpy()
        yield Fold(
            number=number,
            rows=rows,
            logits=logits,
            scores=_score_fold(logits, held_out.labels, thresholds),
            best_epoch=trainer.best_epoch,
            train_s=round(trainer.elapsed_s, 3),
            thresholds=thresholds,
        )


def _score_fold(
    logits: npt.NDArray[np.float32],
    labels: Labels,
    thresholds: npt.NDArray[np.float64] | None,
) -> dict[str, float]:
    if thresholds is None:
        return score_logits(logits, labels)
    return score_label_logits(logits, labels, thresholds)


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


def fit(trainer: Trainer[M], on_step: Callable[[Step], None]) -> M:
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


def score_label_logits(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.bool_],
    thresholds: npt.NDArray[np.float64],
) -> dict[str, float]:
    """Return the scores of logits for several labels a text.

    Args:
        logits: [n, C], calibrated.
        labels: [n, C].
        thresholds: [C], or [n, C].

    Returns:
        `accuracy`, the share of the texts whose labels are all right, `micro_f1`,
        `macro_f1`, and `loss`, the mean binary cross-entropy in nats.
    """
    exact_logits = torch.from_numpy(logits).double()
    predicted = to_label_probs(exact_logits).numpy() >= thresholds  # [n, C]
    targets = torch.from_numpy(labels).double()
    micro_f1, macro_f1 = compute_f1(labels, predicted)
    return {
        "accuracy": float((predicted == labels).all(axis=1).mean()),
        "micro_f1": micro_f1,
        "macro_f1": macro_f1,
        "loss": F.binary_cross_entropy_with_logits(exact_logits, targets).item(),
    }
