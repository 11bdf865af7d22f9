"""Training: the step, and the epochs of it.

`Trainer.train_step` is the heart; `Trainer.steps` repeats it. What becomes of that in a
run folder is training.run.

Shapes: N training texts, B texts in a batch, C classes.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from rnncls import DivergedError, RunError
from rnncls.config.sections import TrainSection
from rnncls.data.loading import TrainingData
from rnncls.evaluation.evaluator import evaluate
from rnncls.evaluation.metrics import accuracy_of, macro_f1_of
from rnncls.machine.device import resolve_precision
from rnncls.machine.processes import init_process_group
from rnncls.machine.seeds import generator_of
from rnncls.machine.threads import start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.runs import checkpoint
from rnncls.text.batching import (
    Batch,
    ResidentTexts,
    drop_words,
    iter_batches,
    number_words,
    plan_epoch,
    share_out,
)
from rnncls.training.divergence import GradientWatch, describe_explosion, has_exploded
from rnncls.training.loss import Draws, find_class_weights, find_losses
from rnncls.training.optimizer import RunningMean, add_up, build_optimizer, lr_factor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What one optimiser step did.

    Attributes:
        epoch: From 1.
        num_texts: B.
        loss: Scalar on the device: looking at it waits for the step.
        validation: The metrics row, after the last step of an epoch.
    """

    epoch: int
    num_texts: int
    loss: torch.Tensor
    validation: dict[str, Any] | None = None


class TrainerState(BaseModel):
    """Where a training stands, but for its tensors."""

    model_config = ConfigDict(strict=True, extra="forbid")

    step: NonNegativeInt
    num_tokens: NonNegativeInt
    elapsed_s: float
    epoch_s: float
    best_score: float | None
    best_epoch: NonNegativeInt
    num_validations: NonNegativeInt


class Trainer:
    """A model, its optimiser and its place in the training data; all that changes is in
    `state_dict`.
    """

    file = checkpoint.MODEL
    """Where the best weights go."""
    section_name = "train"
    """Where the keys of `section` stand in the config."""

    def __init__(
        self,
        section: TrainSection,
        model: TextClassifier,
        data: TrainingData,
        seed: int,
    ) -> None:
        """Take a model on its device, and the data on the host."""
        self.section = section
        self.model = model
        self.data = data
        self.seed = seed
        self.device = model.embedding.weight.device
        self.dtype = resolve_precision(
            section.precision, self.device, model.section.cell
        )
        self.processes = init_process_group()
        self.workers = start_workers(self.device)
        texts = data.train.texts
        on_gpu = self.device.type == "cuda"
        self.iter_batches = (
            ResidentTexts(texts, self.device).iter_batches
            if on_gpu
            else partial(iter_batches, texts)
        )
        self.labels = torch.from_numpy(data.train.labels).to(self.device)  # [N]
        self.targets = (
            self.labels
            if data.targets is None
            else torch.from_numpy(data.targets).to(self.device)
        )
        weights = find_class_weights(section, data.train.labels, data.label_names)
        self.weights = (
            None if weights is None else weights.to(self.device)[self.labels]
        )  # [N]
        self.optimizer = build_optimizer(model, section)
        self.steps_per_epoch = -(-self.num_texts // section.batch_size)
        self.average = (
            RunningMean(model, section.average, self.steps_per_epoch)
            if section.average
            else None
        )
        self.step = 0
        self.num_tokens = 0
        self.elapsed_s = 0.0
        self.best_score: float | None = None
        self.best_epoch = 0
        self.num_validations = 0
        self._forget_epoch()

    def steps(self) -> Iterator[Step]:
        """Train to the end, from wherever this trainer stands; between two steps its
        state is whole.
        """
        while not self.is_finished:
            epoch, position = divmod(self.step, self.steps_per_epoch)
            plan = self.plan(epoch)
            for batch in self.iter_batches(plan[position:]):
                start = time.perf_counter()
                loss = self.train_step(batch)
                self.watch.add(self.step - 1, loss, self.optimizer.norm)
                self.epoch_s += time.perf_counter() - start
                is_last = self.step % self.steps_per_epoch == 0
                if is_last or self.watch.is_full:
                    self.check_losses()
                yield Step(
                    epoch + 1,
                    len(batch.rows),
                    loss,
                    self.validate() if is_last else None,
                )

    def plan(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Return the row numbers of each batch of an epoch, and note how many tokens
        they have.
        """
        balance = (
            self.data.train.labels if self.section.sampling == "balanced" else None
        )
        lengths = self.data.train.texts.lengths
        plan = plan_epoch(lengths, self.section.batch_size, self.seed, epoch, balance)
        self.epoch_tokens = int(lengths[np.concatenate(plan)].sum())
        return plan

    def train_step(self, batch: Batch) -> torch.Tensor:
        """Move the weights once, along the gradient of the mean loss of one batch, and
        return that loss.

        Every random draw is a function of the seed and the number of the step alone.
        The texts are shared out among processes, where there are several, and in each
        of them among threads.
        """
        lr = self.section.lr * lr_factor(
            self.step,
            self.num_steps,
            self.section.schedule,
            self.section.warmup_fraction,
        )
        generator = generator_of(self.device, self.seed, self.step)
        whole = batch.to(self.device)
        read = drop_words(whole, self.model.section.word_dropout, generator)
        draws = self.draw(whole, generator)
        may_wait = (
            self.device.type != "cuda"
        )  # which would stand still until the host has gone on
        words, read = number_words(
            read, self.model.embedding.num_embeddings, may_wait=may_wait
        )  # [R]
        table = self.model.embedding.weight.detach()[words].requires_grad_()  # [R, E]
        num_targets = self.count_targets(batch.rows)
        self.optimizer.thaw(self.step // self.steps_per_epoch)

        def differentiate(
            texts: slice,
        ) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
            losses, num_correct = self.loss(
                whole.of(texts), read.of(texts), table, draws.of(texts)
            )
            weights = [table, *self.optimizer.moving]
            return (
                losses.detach(),
                num_correct,
                torch.autograd.grad(
                    losses / num_targets, weights, materialize_grads=True
                ),
            )

        number, count = self.processes.rank, self.processes.world_size
        parts = self.workers.map(
            differentiate,
            share_out(len(batch), self.workers.num_threads, first=number, every=count),
        )
        losses, num_correct, gradients = zip(*parts, strict=True)
        total, loss, correct = (
            add_up(words, gradients),
            torch.stack(losses).sum(),
            torch.stack(num_correct).sum(),
        )
        self.processes.all_reduce_sum([total.rows, *total.network, loss, correct])
        self.optimizer.step(total, lr)
        self.step += 1
        if self.average is not None and self.step % self.average.every == 0:
            self.average.update_parameters(self.model)
        self.epoch_loss += loss
        self.epoch_correct += correct
        return loss / num_targets

    def check_losses(self) -> None:
        """See that the losses and gradients of the steps since the last look are
        finite;
        waits for these steps.

        Raises:
            DivergedError: The first that is not; names the rows of its batch in the
                training file, from 1.
        """
        step = self.watch.find_bad_step()
        if step is None:
            return
        epoch, position = divmod(step, self.steps_per_epoch)
        plan = self.plan(epoch)
        rows = ", ".join(map(str, np.sort(self.data.train.rows[plan[position]]) + 1))
        raise DivergedError(
            f"the loss or its gradient is not finite in step {step + 1} (epoch"
            f" {epoch + 1}), a batch of the training rows {rows}; {self._way_out}"
        )

    def check_weights(self) -> None:
        """See that all weights are finite, as those that are saved must be.

        Raises:
            DivergedError: They are not.
        """
        self.check_losses()
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise DivergedError(
                f"the weights are not finite after step {self.step}; {self._way_out}"
            )

    @property
    def _way_out(self) -> str:
        return (
            "the last save is whole: go on from there with a lower"
            f" {self.section_name}.lr or a train.clip_norm (--resume --with-changes)"
        )

    def draw(self, batch: Batch, generator: torch.Generator) -> Draws:
        """Draw all that chance decides in a step on these texts, but for the words that
        are dropped.
        """
        dropout, again, probe = (
            self.model.sample_dropout(len(batch), generator),
            None,
            None,
        )
        if self.section.r_drop:
            again = self.model.sample_dropout(len(batch), generator)
        if self.section.virtual_adversarial:
            shape = *batch.token_ids.t().shape, self.model.embedding.embedding_dim
            inside = (
                torch.arange(shape[0], device=self.device)[:, None] < batch.lengths
            )  # [T, B]
            probe = (
                torch.randn(shape, generator=generator, device=self.device)
                * inside[..., None]
            )  # [T, B, E]
        return Draws(dropout, again, probe)

    def loss(
        self, whole: Batch, read: Batch, table: torch.Tensor, draws: Draws
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the summed loss of some texts, and how many of them are judged right.

        Args:
            whole: The texts as they are.
            read: The same with words dropped, as numbers of rows of the table.
            table: [R, E] float32, the vectors of the words.
            draws: What chance decides for these texts.
        """
        rows = whole.numbers  # [B]
        judge = partial(
            self.model,
            read.token_ids,
            read.lengths,
            is_ragged=read.is_ragged,
            word_vectors=table,
            dtype=self.dtype,
        )
        shape = torch.Size((*read.token_ids.t().shape, table.shape[1]))
        weights = None if self.weights is None else self.weights[rows]  # [B]
        losses, logits = find_losses(
            self.section, judge, self.targets[rows], draws, shape, weights
        )
        return losses, (logits.argmax(dim=1) == self.labels[rows]).sum()

    def count_targets(self, rows: npt.NDArray[np.int64]) -> int:
        """Return how many losses the training texts with these numbers add up."""
        return len(rows)

    def score(self) -> dict[str, float]:
        """Return the scores of the validation rows: the loss, and what `train.monitor`
        may name.
        """
        confusion, loss = evaluate(self.eval_model, self.data.valid, self.processes)
        return {
            "accuracy": accuracy_of(confusion),
            "macro_f1": macro_f1_of(confusion),
            "loss": loss,
        }

    def validate(self) -> dict[str, Any]:
        """Return the metrics row of the epoch that has just ended, and note whether it
        is the best so far.
        """
        scores = self.score()
        if not math.isfinite(scores["loss"]):
            raise DivergedError(
                "the validation loss is not finite after epoch"
                f" {self.num_validations + 1}; {self._way_out}"
            )
        score = (
            -scores["loss"]
            if self.section.monitor == "loss"
            else scores[self.section.monitor]
        )
        self.num_validations += 1
        if is_best := self.best_score is None or score > self.best_score:
            self.best_score, self.best_epoch = score, self.num_validations
        self.elapsed_s += self.epoch_s
        norms = self.watch.summary(self.steps_per_epoch)
        if has_exploded(norms, self.steps_per_epoch):
            logger.info(
                "%s", f"epoch {self.num_validations}: {describe_explosion(norms)}"
            )
        self.num_tokens += self.epoch_tokens
        row = {
            "step": self.step,
            "epoch": self.num_validations,
            "num_tokens": self.num_tokens,
            "elapsed_s": round(self.elapsed_s, 3),
            "tokens_per_s": round(self.epoch_tokens / self.epoch_s),
            "train_loss": (
                self.epoch_loss.item() / self.count_targets(np.arange(self.num_texts))
            ),
            **(
                {"train_accuracy": self.epoch_correct.item() / self.num_texts}
                if "accuracy" in scores
                else {}
            ),
            **{f"valid_{name}": value for name, value in scores.items()},
            **norms,
            "is_best": is_best,
        }
        self._forget_epoch()
        return row

    @property
    def eval_model(self) -> TextClassifier:
        """The model that is validated and saved: that of the averaged weights, if they
        are.
        """
        return (
            self.model
            if self.average is None
            else cast(TextClassifier, self.average.module)
        )

    @property
    def num_texts(self) -> int:
        """Training texts in an epoch."""
        return len(self.data.train.texts)

    @property
    def num_texts_seen(self) -> int:
        """Training texts used so far, those of earlier epochs again."""
        epochs, position = divmod(self.step, self.steps_per_epoch)
        return epochs * self.num_texts + position * self.section.batch_size

    @property
    def num_steps(self) -> int:
        """Steps of a run that is not stopped early."""
        return self.steps_per_epoch * self.section.max_epochs

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done, or too many went by without a better score."""
        return self.why_finished is not None

    @property
    def why_finished(self) -> str | None:
        """The key of the config by which the training is at its end, or None."""
        if self.num_validations >= self.section.max_epochs:
            return f"{self.section_name}.max_epochs"
        waited = self.num_validations - self.best_epoch
        return (
            "train.patience"
            if self.section.patience is not None and waited >= self.section.patience
            else None
        )

    @property
    def label_names(self) -> list[str] | None:
        """The classes that the weights are sealed with; a language model has none."""
        return (
            self.data.label_names
            if checkpoint.LABELS in checkpoint.SEALED[self.file]
            else None
        )

    def state_dict(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return all that changes, as tensors and as plain values, for an exact resume."""
        tensors = {
            f"model.{name}": value for name, value in self.model.state_dict().items()
        }
        tensors |= {
            f"optimizer.{name}": value
            for name, value in self.optimizer.state_dict().items()
        }
        if self.average is not None:
            tensors |= {
                f"average.{name}": value
                for name, value in self.average.state_dict().items()
            }
        tensors |= {
            f"gradients.{name}": value
            for name, value in self.watch.state_dict().items()
        }
        tensors |= {"epoch_loss": self.epoch_loss, "epoch_correct": self.epoch_correct}
        return tensors, {
            name: getattr(self, name) for name in TrainerState.model_fields
        }

    def load_state_dict(
        self, tensors: dict[str, torch.Tensor], values: dict[str, Any], source: Path
    ) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: It is from another model or optimiser.
        """

        def part(name: str) -> dict[str, torch.Tensor]:
            prefix = f"{name}."
            return {
                key.removeprefix(prefix): value
                for key, value in tensors.items()
                if key.startswith(prefix)
            }

        checkpoint.load_weights(self.model, part("model"), source)
        if self.average is not None:
            if average := part("average"):
                checkpoint.load_weights(self.average, average, source)
            else:  # averaging is what has changed: it begins here
                self.average.module.load_state_dict(self.model.state_dict())
        try:
            self.optimizer.load_state_dict(
                {key: value.to(self.device) for key, value in part("optimizer").items()}
            )
            self.watch.load_state_dict(part("gradients"))
            self.epoch_loss = tensors["epoch_loss"].to(self.device).reshape(())
            self.epoch_correct = tensors["epoch_correct"].to(self.device).reshape(())
        except (KeyError, RuntimeError) as error:
            raise RunError(
                f"{source}: the optimizer's state does not fit the config: {error}"
            ) from error
        for name, value in values.items():
            setattr(self, name, value)

    def begin_epoch_anew(self) -> None:
        """Go back to the end of the last whole epoch, but keep the weights."""
        self.step = self.num_validations * self.steps_per_epoch
        self._forget_epoch()

    def _forget_epoch(self) -> None:
        """Start the sums over an epoch's training texts from zero; they stay on the
        device until it ends.
        """
        self.epoch_loss = torch.zeros((), device=self.device)
        self.epoch_correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.watch: GradientWatch = GradientWatch(self.device)
        self.epoch_s = 0.0


def build_classifier_trainer(
    section: TrainSection, model: TextClassifier, data: TrainingData, seed: int
) -> Trainer:
    """Return a trainer of a classifier on its device, with the data on the host."""
    return Trainer(section, model, data, seed)
