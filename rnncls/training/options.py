"""The options of a training, taken from the `train` or from the `pretrain` section."""

from dataclasses import dataclass
from typing import Literal

from rnncls.config.sections import PretrainSection, TrainSection
from rnncls.training.schedule import Schedule


@dataclass(frozen=True)
class OptimizerOptions:
    """How gradients become updates.

    Attributes:
        name: The update rule.
        weight_decay: As torch's optimiser of that name uses it.
        clip_norm: The largest 2-norm of a gradient; None: no limit.
        layer_lr_decay: Factor on the learning rate for each layer further down.
        freeze_encoder: Epochs in which the encoder is not trained.
        freeze_embedding: Epochs in which the embedding is not trained.
    """

    name: Literal["sgd", "adam", "adamw"]
    weight_decay: float
    clip_norm: float | None
    layer_lr_decay: float = 1.0
    freeze_encoder: int = 0
    freeze_embedding: int = 0


@dataclass(frozen=True)
class TrainOptions:
    """What the trainer needs to know, whatever the task.

    Attributes:
        section_name: The section of the config that `lr` and `max_epochs` come from,
            for messages.
        max_epochs: Epochs of a training that is not stopped early.
        batch_size: Texts in a batch.
        lr: The highest learning rate.
        schedule: How the learning rate changes over the steps.
        warmup_fraction: Fraction of the steps in which it rises.
        optimizer: How gradients become updates.
        save_every: Minutes between two saves within an epoch.
        tensorboard: Whether to write event files.
        monitor: The validation score that decides which epoch is best; a lower loss is
            better, of all others a higher score.
        patience: Epochs without a better score after which the training stops; None:
            it never stops early.
        ema_decay: Factor on the averaged weights in each step; 0: no average.
        max_batches: The most batches of an epoch; None: those of all texts.
    """

    section_name: Literal["train", "pretrain"]
    max_epochs: int
    batch_size: int
    lr: float
    schedule: Schedule
    warmup_fraction: float
    optimizer: OptimizerOptions
    save_every: float
    tensorboard: bool
    monitor: Literal["accuracy", "micro_f1", "macro_f1", "loss"] = "loss"
    patience: int | None = None
    ema_decay: float = 0.0
    max_batches: int | None = None

    @classmethod
    def from_train(cls, section: TrainSection) -> "TrainOptions":
        """Return the options for training a classifier."""
        optimizer = OptimizerOptions(
            name=section.optimizer,
            weight_decay=section.weight_decay,
            clip_norm=section.clip_norm,
            layer_lr_decay=section.layer_lr_decay,
            freeze_encoder=section.freeze_encoder,
            freeze_embedding=section.freeze_embedding,
        )
        return cls(
            section_name="train",
            max_epochs=section.max_epochs,
            batch_size=section.batch_size,
            lr=section.lr,
            schedule=section.schedule,
            warmup_fraction=section.warmup_fraction,
            optimizer=optimizer,
            save_every=section.save_every,
            tensorboard=section.tensorboard,
            monitor=section.monitor,
            patience=section.patience,
            ema_decay=section.average,
        )

    @classmethod
    def from_pretrain(
        cls, section: PretrainSection, train: TrainSection
    ) -> "TrainOptions":
        """Return the options for training a language model.

        Args:
            section: The keys that only pretraining has.
            train: The keys that it shares with the training of a classifier.
        """
        optimizer = OptimizerOptions(
            name=train.optimizer,
            weight_decay=train.weight_decay,
            clip_norm=train.clip_norm,
        )
        return cls(
            section_name="pretrain",
            max_epochs=section.max_epochs,
            batch_size=section.batch_size,
            lr=section.lr,
            schedule="one_cycle",
            warmup_fraction=train.warmup_fraction,
            optimizer=optimizer,
            save_every=train.save_every,
            tensorboard=train.tensorboard,
        )
