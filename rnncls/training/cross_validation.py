"""Cross-validation: each training row judged by a model that has not seen it.

The rows are parted into folds of about one size with the classes in like shares
(scikit-learn's `StratifiedKFold`). For each fold a model is trained on the others just
as `rnncls train` would be: with their words, and with the best epoch picked by
validation rows of their own. So nothing of a row that is judged, not even its words,
has been learnt.

Shapes: N rows of the training file, C classes.
"""

import logging
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls import ConfigError, DataError, Interrupted
from rnncls.config.sections import Config
from rnncls.data.fingerprint import describe_file
from rnncls.data.loading import (
    EncodedSplit,
    TrainingData,
    encode_rows,
    encode_training_data,
)
from rnncls.data.sources import Sources, load_sources, split_seed
from rnncls.data.splits import split_rows
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import (
    Scores,
    accuracy_of,
    count_confusion,
    macro_f1_of,
    score,
)
from rnncls.machine.seeds import seed_everything
from rnncls.machine.signals import stop_on_signal
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.progress import TrainingBar
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model, prepare_torch
from rnncls.training.step import Step
from rnncls.training.trainer import Trainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fold:
    """What one of the models said of the rows that it had not seen.

    Attributes:
        number: From 1.
        rows: [n] int64, their numbers in the training file, from 0.
        logits: [n, C] float32.
        scores: `accuracy`, `macro_f1` and `loss`, in nats, of these rows.
        best_epoch: Which epoch's weights, picked by other rows.
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
    """What models that had not seen them said of the training rows, in the order of the
    file.

    Attributes:
        label_names: The C classes.
        rows: [N] int64, their numbers in the file, from 0: all but those kept for
            testing.
        labels: [N] int64.
        logits: [N, C] float32.
        folds: Each model's part of it.
        source: The training file: path, checksum and row count.
    """

    label_names: list[str]
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    folds: list[Fold]
    source: dict[str, Any]

    def scores(self) -> Scores:
        """Return the scores of all rows taken together."""
        loss = score_logits(self.logits, self.labels)["loss"]
        predictions = self.logits.argmax(axis=1)
        return score(
            count_confusion(self.labels, predictions, len(self.label_names)),
            loss,
            self.label_names,
        )

    def probs(self) -> npt.NDArray[np.float64]:
        """Return the probability of each row's classes to a model that has not seen the
        row. [N, C].
        """
        probs: npt.NDArray[np.float64] = (
            torch.from_numpy(self.logits).double().softmax(dim=1).numpy()
        )
        return probs

    def spread(self) -> dict[str, tuple[float, float]]:
        """Return the mean and the standard deviation over the folds of each of their
        scores.
        """
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
    """Train a model for each fold, and return what it said of that fold's rows; the
    test
    file stays closed.

    Raises:
        ConfigError: The config takes over what has seen rows of all folds.
        DataError: A file is wrong, or a class has fewer rows than there are folds.
        Interrupted: The user stopped it; nothing is kept.
    """
    device = prepare_torch(config)
    sources = load_sources(config.data, config.text, config.seed, use_cache=use_cache)
    folds: list[Fold] = []
    num_texts = (num_folds - 1) * len(sources.own_rows)
    with (
        stop_on_signal() as stop,
        TrainingBar(num_texts, config.train.max_epochs) as bar,
    ):

        def watch(step: Step) -> None:
            bar.update(step.epoch, step.num_texts, step.loss)
            if stop.requested:
                raise Interrupted(
                    f"stopped in fold {len(folds) + 1} of {num_folds}; nothing is kept"
                )

        for fold in run_folds(config, sources, num_folds, device, watch):
            folds.append(fold)
            found = (
                f"accuracy {fold.scores['accuracy']:.2%}  macro-F1"
                f" {fold.scores['macro_f1']:.2%}"
            )
            logger.info(
                "fold %d/%d  %s  in %.0f s", fold.number, num_folds, found, fold.train_s
            )
    return gather(sources, folds)


def gather(sources: Sources, folds: list[Fold]) -> CrossValidation:
    """Return the parts of a cross-validation as one."""
    source, rows = sources.train, sources.own_rows
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
    config: Config,
    sources: Sources,
    num_folds: int,
    device: torch.device,
    watch: Callable[[Step], None],
) -> Iterator[Fold]:
    """Yield each fold once its model is trained.

    Args:
        config: All settings.
        sources: The files, tokenised as the config says.
        num_folds: At least 2.
        device: Where to train.
        watch: What is called after each step; what it raises ends the whole.
    """
    refuse_what_has_seen_all(config)
    parts = draw_folds(sources, num_folds, split_seed(config.data, config.seed))
    for number in range(1, num_folds + 1):
        rows = sources.own_rows[parts == number]
        data, held_out = hold_out(config, sources, rows)
        seed_everything(config.seed)
        trainer = build_classifier_trainer(
            config.train, build_model(config, data).to(device), data, config.seed
        )
        fit(trainer, watch)
        logits = compute_logits(trainer.eval_model, held_out.texts).numpy()
        scores = score_logits(logits, held_out.labels)
        yield Fold(
            number,
            rows,
            logits,
            scores,
            trainer.best_epoch,
            round(trainer.elapsed_s, 3),
        )


def refuse_what_has_seen_all(config: Config) -> None:
    """See that nothing that a model starts from has been learnt from the rows that it
    will
    be judged by.

    Raises:
        ConfigError: Something has.
    """
    for key, value in (
        ("train.teachers", config.train.teachers),
        ("model.pretrained", config.model.pretrained),
    ):
        if value:
            raise ConfigError(
                f"{key}: has seen rows of every fold, so that none would judge fairly:"
                " leave it out"
            )


def draw_folds(sources: Sources, num_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each row that trains or validates, from 1. [N].

    Raises:
        DataError: A class has fewer rows than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    source, labels = sources.train, sources.train.labels[sources.own_rows]
    counts = np.bincount(labels, minlength=len(source.label_names))
    if counts[rarest := int(counts.argmin())] < num_folds:
        raise DataError(
            f"{source.path}: class '{source.label_names[rarest]}' has"
            f" {counts[rarest]:,} rows, fewer than {num_folds} folds: take fewer folds,"
            " or leave that class out"
        )
    random = np.random.RandomState(
        np.random.MT19937(np.random.SeedSequence(seed))
    )  # scikit-learn's own take 32 bits
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=random)
    parts = np.empty(len(labels), dtype=np.int64)
    for number, (_, rows) in enumerate(
        folds.split(np.zeros(len(parts)), labels), start=1
    ):
        parts[rows] = number
    return parts


def hold_out(
    config: Config, sources: Sources, rows: npt.NDArray[np.int64]
) -> tuple[TrainingData, EncodedSplit]:
    """Return what a model learns from without some rows of the training file, and these
    rows in its words.

    The best epoch is picked by `data.valid`, or by `data.valid_fraction` of the rows
    that are left.

    Raises:
        DataError: Too few rows are left.
    """
    source = sources.train
    left = np.setdiff1d(sources.own_rows, rows)
    if config.data.valid is None:
        train, valid = split_rows(
            source.labels[left],
            config.data.valid_fraction,
            split_seed(config.data, config.seed),
        )
        kept = Sources(source, left[train], source, left[valid])
    else:
        kept = sources._replace(train_rows=left)
    data = encode_training_data(kept, config.data, config.text, config.seed)
    return data, encode_rows(source, rows, data.vocab, source.label_names)


def fit(trainer: Trainer[TextClassifier], watch: Callable[[Step], None]) -> None:
    """Train to the end, and leave the trainer with the weights of its best epoch."""
    best: dict[str, torch.Tensor] = {}
    for step in trainer.steps():
        if step.validation is not None and step.validation["is_best"]:
            best = {
                name: value.clone()
                for name, value in trainer.eval_model.state_dict().items()
            }
        watch(step)
    trainer.eval_model.load_state_dict(best)


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
