"""Training: the step, the epochs, and a run from its config to its folder.

`Trainer.train_step` is the heart; `Trainer.steps` repeats it; `train` feeds it data and writes what it yields.

Shapes: N training texts, B texts in a batch, C classes.
"""

import contextlib
import logging
import math
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError
from torch import nn

import rnncls
from rnncls import checkpoint, storage, tracking
from rnncls.batching import Batch, drop_words, iter_batches, number_words, plan_epoch, share_out
from rnncls.calibration import fit_temperature
from rnncls.checkpoint import Pretrained
from rnncls.config import Config, ModelSection, TrainSection, dump_config, load_config
from rnncls.corpus import TrainingData, load_split, load_training_data
from rnncls.dataset import checksum
from rnncls.distributed import find_launch, find_processes
from rnncls.divergence import GradientWatch, describe_explosion, has_exploded
from rnncls.errors import ConfigError, DivergedError, Interrupted, RunError
from rnncls.evaluator import compute_logits, evaluate
from rnncls.metrics import accuracy_of, macro_f1_of, wilson_interval
from rnncls.model import TextClassifier, start_from_vectors
from rnncls.objective import Draws, find_class_weights, find_losses
from rnncls.optim import RunningMean, add_up, build_optimizer, lr_factor
from rnncls.runtime import (
    generator_of,
    keep_freed_memory,
    resolve_device,
    resolve_precision,
    seed_everything,
    start_workers,
    stop_on_signal,
    use_deterministic_kernels,
)
from rnncls.vectors import load_vectors
from rnncls.vocab import Vocab

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


class Place(BaseModel):
    """Where a training stands, but for its tensors."""

    model_config = ConfigDict(strict=True, extra="forbid")

    step: NonNegativeInt
    num_tokens: NonNegativeInt
    elapsed_s: float
    epoch_s: float
    best_score: float | None
    best_epoch: NonNegativeInt
    num_validations: NonNegativeInt


class SavedState(BaseModel):
    """What stands in a saved state beside the tensors, and what an exact resume must find unchanged."""

    model_config = ConfigDict(strict=True)

    place: Place
    steps_per_epoch: PositiveInt
    fingerprint: dict[str, Any]
    precision: str
    metrics_sha256: str


class Trainer:
    """A model, its optimiser and its place in the training data; all that changes is in `state_dict`."""

    file = checkpoint.MODEL
    """Where the best weights go."""
    section_name = "train"
    """Where the keys of `section` stand in the config."""

    def __init__(self, section: TrainSection, model: TextClassifier, data: TrainingData, seed: int) -> None:
        """Take a model on its device, and the data on the host."""
        self.section = section
        self.model = model
        self.data = data
        self.seed = seed
        self.device = model.embedding.weight.device
        self.dtype = resolve_precision(section.precision, self.device, model.section.cell)
        self.processes = find_processes()
        self.workers = start_workers(self.device)
        self.labels = torch.from_numpy(data.train.labels).to(self.device)  # [N]
        self.targets = self.labels if data.targets is None else torch.from_numpy(data.targets).to(self.device)
        weights = find_class_weights(section, data.train.labels, data.label_names)
        self.weights = None if weights is None else weights.to(self.device)[self.labels]  # [N]
        self.optimizer = build_optimizer(model, section)
        self.average = RunningMean(model, section.average) if section.average else None
        self.steps_per_epoch = -(-self.num_texts // section.batch_size)
        self.step = 0
        self.num_tokens = 0
        self.elapsed_s = 0.0
        self.best_score: float | None = None
        self.best_epoch = 0
        self.num_validations = 0
        self._forget_epoch()

    def steps(self) -> Iterator[Step]:
        """Train to the end, from wherever this trainer stands; between two steps its state is whole."""
        while not self.is_finished:
            epoch, position = divmod(self.step, self.steps_per_epoch)
            plan = self.plan(epoch)
            for batch in iter_batches(self.data.train.texts, plan[position:]):
                start = time.perf_counter()
                loss = self.train_step(batch)
                self.watch.add(self.step - 1, loss, self.optimizer.norm)
                self.epoch_s += time.perf_counter() - start
                is_last = self.step % self.steps_per_epoch == 0
                if is_last or self.watch.is_full:
                    self.check_losses()
                yield Step(epoch + 1, len(batch.rows), loss, self.validate() if is_last else None)

    def plan(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Return the row numbers of each batch of an epoch, and note how many tokens they have."""
        balance = self.data.train.labels if self.section.sampling == "balanced" else None
        lengths = self.data.train.texts.lengths
        plan = plan_epoch(lengths, self.section.batch_size, self.seed, epoch, balance)
        self.epoch_tokens = int(lengths[np.concatenate(plan)].sum())
        return plan

    def train_step(self, batch: Batch) -> torch.Tensor:
        """Move the weights once, along the gradient of the mean loss of one batch, and return that loss.

        Every random draw is a function of the seed and the number of the step alone. The texts are shared out among
        processes, where there are several, and in each of them among threads.
        """
        lr = self.section.lr * lr_factor(self.step, self.num_steps, self.section.schedule, self.section.warmup_fraction)
        generator = generator_of(self.device, self.seed, self.step)
        whole = batch.to(self.device)
        read = drop_words(whole, self.model.section.word_dropout, generator)
        draws = self.draw(whole, generator)
        words, read = number_words(read, self.model.embedding.num_embeddings)  # [R]
        table = self.model.embedding.weight.detach()[words].requires_grad_()  # [R, E]
        num_targets = self.count_targets(batch.rows)
        self.optimizer.thaw(self.step // self.steps_per_epoch)

        def differentiate(texts: slice) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
            losses, num_correct = self.loss(whole.of(texts), read.of(texts), table, draws.of(texts))
            weights = [table, *self.optimizer.moving]
            return (
                losses.detach(),
                num_correct,
                torch.autograd.grad(losses / num_targets, weights, materialize_grads=True),
            )

        number, count = self.processes.number, self.processes.count
        parts = self.workers.map(
            differentiate, share_out(len(batch), self.workers.num_threads, first=number, every=count)
        )
        losses, num_correct, gradients = zip(*parts, strict=True)
        total, loss, correct = add_up(words, gradients), torch.stack(losses).sum(), torch.stack(num_correct).sum()
        self.processes.add_up([total.rows, *total.network, loss, correct])
        self.optimizer.step(total, lr)
        self.step += 1
        if self.average is not None and self.step % self.average.EVERY == 0:
            self.average.update_parameters(self.model)
        self.epoch_loss += loss
        self.epoch_correct += correct
        return loss / num_targets

    def check_losses(self) -> None:
        """See that the losses and gradients of the steps since the last look are finite; waits for these steps.

        Raises:
            DivergedError: The first that is not; names the rows of its batch in the training file, from 1.
        """
        step = self.watch.find_bad_step()
        if step is None:
            return
        epoch, position = divmod(step, self.steps_per_epoch)
        plan = self.plan(epoch)
        rows = ", ".join(map(str, np.sort(self.data.train.rows[plan[position]]) + 1))
        raise DivergedError(
            f"the loss or its gradient is not finite in step {step + 1} (epoch {epoch + 1}), a batch of the training "
            f"rows {rows}; {self._way_out}"
        )

    def check_weights(self) -> None:
        """See that all weights are finite, as those that are saved must be.

        Raises:
            DivergedError: They are not.
        """
        self.check_losses()
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise DivergedError(f"the weights are not finite after step {self.step}; {self._way_out}")

    @property
    def _way_out(self) -> str:
        return (
            f"the last save is whole: go on from there with a lower {self.section_name}.lr or a train.clip_norm "
            "(--resume --with-changes)"
        )

    def draw(self, batch: Batch, generator: torch.Generator) -> Draws:
        """Draw all that chance decides in a step on these texts, but for the words that are dropped."""
        dropout, again, probe = self.model.draw_dropout(len(batch), generator), None, None
        if self.section.r_drop:
            again = self.model.draw_dropout(len(batch), generator)
        if self.section.virtual_adversarial:
            shape = *batch.token_ids.t().shape, self.model.embedding.embedding_dim
            inside = torch.arange(shape[0], device=self.device)[:, None] < batch.lengths  # [T, B]
            probe = torch.randn(shape, generator=generator, device=self.device) * inside[..., None]  # [T, B, E]
        return Draws(dropout, again, probe)

    def loss(self, whole: Batch, read: Batch, table: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the summed loss of some texts, and how many of them are judged right.

        Args:
            whole: The texts as they are.
            read: The same with words dropped, as numbers of rows of the table.
            table: [R, E] float32, the vectors of the words.
            draws: What chance decides for these texts.
        """
        rows = torch.from_numpy(whole.rows).to(self.device)  # [B]
        judge = partial(
            self.model, read.token_ids, read.lengths, is_ragged=read.is_ragged, table=table, dtype=self.dtype
        )
        shape = torch.Size((*read.token_ids.t().shape, table.shape[1]))
        weights = None if self.weights is None else self.weights[rows]  # [B]
        losses, logits = find_losses(self.section, judge, self.targets[rows], draws, shape, weights)
        return losses, (logits.argmax(dim=1) == self.labels[rows]).sum()

    def count_targets(self, rows: npt.NDArray[np.int64]) -> int:
        """Return how many losses the training texts with these numbers add up."""
        return len(rows)

    def score(self) -> dict[str, float]:
        """Return the scores of the validation rows: the loss, and what `train.monitor` may name."""
        confusion, loss = evaluate(self.kept_model, self.data.valid, self.processes)
        return {"accuracy": accuracy_of(confusion), "macro_f1": macro_f1_of(confusion), "loss": loss}

    def validate(self) -> dict[str, Any]:
        """Return the metrics row of the epoch that has just ended, and note whether it is the best so far."""
        scores = self.score()
        if not math.isfinite(scores["loss"]):
            raise DivergedError(
                f"the validation loss is not finite after epoch {self.num_validations + 1}; {self._way_out}"
            )
        score = -scores["loss"] if self.section.monitor == "loss" else scores[self.section.monitor]
        self.num_validations += 1
        if is_best := self.best_score is None or score > self.best_score:
            self.best_score, self.best_epoch = score, self.num_validations
        self.elapsed_s += self.epoch_s
        norms = self.watch.summary(self.steps_per_epoch)
        if has_exploded(norms, self.steps_per_epoch):
            logger.info("%s", f"epoch {self.num_validations}: {describe_explosion(norms)}")
        self.num_tokens += self.epoch_tokens
        row = {
            "step": self.step,
            "epoch": self.num_validations,
            "num_tokens": self.num_tokens,
            "elapsed_s": round(self.elapsed_s, 3),
            "tokens_per_s": round(self.epoch_tokens / self.epoch_s),
            "train_loss": self.epoch_loss.item() / self.count_targets(np.arange(self.num_texts)),
            **({"train_accuracy": self.epoch_correct.item() / self.num_texts} if "accuracy" in scores else {}),
            **{f"valid_{name}": value for name, value in scores.items()},
            **norms,
            "is_best": is_best,
        }
        self._forget_epoch()
        return row

    @property
    def kept_model(self) -> TextClassifier:
        """The model that is validated and saved: that of the averaged weights, if they are."""
        return self.model if self.average is None else cast(TextClassifier, self.average.module)

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
        return "train.patience" if self.section.patience is not None and waited >= self.section.patience else None

    @property
    def label_names(self) -> list[str] | None:
        """The classes that the weights are sealed with; a language model has none."""
        return self.data.label_names if checkpoint.LABELS in checkpoint.SEALED[self.file] else None

    def state_dict(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return all that changes, as tensors and as plain values, for an exact resume."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"optimizer.{name}": value for name, value in self.optimizer.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= {f"gradients.{name}": value for name, value in self.watch.state_dict().items()}
        tensors |= {"epoch_loss": self.epoch_loss, "epoch_correct": self.epoch_correct}
        return tensors, {name: getattr(self, name) for name in Place.model_fields}

    def load_state_dict(self, tensors: dict[str, torch.Tensor], values: dict[str, Any], source: Path) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RunError: It is from another model or optimiser.
        """

        def part(name: str) -> dict[str, torch.Tensor]:
            prefix = f"{name}."
            return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

        checkpoint.load_weights(self.model, part("model"), source)
        if self.average is not None:
            checkpoint.load_weights(self.average, part("average"), source)
        try:
            self.optimizer.load_state_dict({key: value.to(self.device) for key, value in part("optimizer").items()})
            self.watch.load_state_dict(part("gradients"))
            self.epoch_loss = tensors["epoch_loss"].to(self.device).reshape(())
            self.epoch_correct = tensors["epoch_correct"].to(self.device).reshape(())
        except (KeyError, RuntimeError) as error:
            raise RunError(f"{source}: the optimizer's state does not fit the config: {error}") from error
        for name, value in values.items():
            setattr(self, name, value)

    def begin_epoch_anew(self) -> None:
        """Go back to the end of the last whole epoch, but keep the weights."""
        self.step = self.num_validations * self.steps_per_epoch
        self._forget_epoch()

    def _forget_epoch(self) -> None:
        """Start the sums over an epoch's training texts from zero; they stay on the device until it ends."""
        self.epoch_loss = torch.zeros((), device=self.device)
        self.epoch_correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.watch: GradientWatch = GradientWatch(self.device)
        self.epoch_s = 0.0


def build_model(config: Config, data: TrainingData, pretrained: Pretrained | None = None) -> TextClassifier:
    """Return the network with its first weights, those of a pretrained model or of pretrained vectors included.

    Raises:
        ConfigError: The network is larger than the memory, or the vectors are wider than the embedding.
    """
    try:
        model = TextClassifier(config.model, len(data.vocab), len(data.label_names))
    except (RuntimeError, OverflowError, TypeError, ValueError, MemoryError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"model: the network cannot be built: its sizes are too large: {first}") from error
    if pretrained is not None:
        model.load_state_dict(pretrained.weights, strict=False)
    elif config.text.vectors is not None:
        use_vectors(model.embedding, config, data.vocab)
    return model


def use_vectors(embedding: nn.Embedding, config: Config, vocab: Vocab) -> None:
    """Copy pretrained vectors into the first columns of an embedding.

    Raises:
        ConfigError: The vectors are wider than the embedding.
    """
    vectors, found = load_vectors(config.text.vectors or "", vocab.words)
    if vectors.shape[1] > embedding.embedding_dim:
        raise ConfigError(
            f"text.vectors: {config.text.vectors} has {vectors.shape[1]} columns, more than "
            f"model.embedding_dim: {embedding.embedding_dim}; make the embedding as wide or wider"
        )
    start_from_vectors(embedding, vectors, found)
    logger.info("vectors: %s of %s words found in %s", f"{found.sum():,}", f"{len(found):,}", config.text.vectors)


def ask_teachers(config: Config, data: TrainingData, device: torch.device, *, use_cache: bool = True) -> TrainingData:
    """Return the data with targets: the training rows' labels, mixed with the mean of what the teachers say.

    Raises:
        RunError: A teacher's folder is missing, unfinished or damaged.
        ConfigError: A teacher has other classes, or may have seen rows that are for validation here.
    """
    opinions, seals = [], []
    for name in config.train.teachers:
        run = checkpoint.load_run(checkpoint.find_run(Path(name)))
        checkpoint.check_rows(run.path, data.fingerprint, may_differ=False)
        seals.append(checksum(run.path / checkpoint.MODEL, "sha256"))
        if run.label_names != data.label_names:
            raise ConfigError(f"train.teachers: {name} knows the classes {run.label_names}, not {data.label_names}")
        seen_as = config.model_copy(update={"text": run.config.text})
        split, _ = load_split(seen_as, "train", run.vocab, run.label_names, use_cache=use_cache)
        opinions.append(compute_logits(run.model.to(device), split.texts).softmax(dim=1))  # [N, C]
    labels = F.one_hot(torch.from_numpy(data.train.labels), len(data.label_names)).float()  # [N, C]
    mean = torch.stack(opinions).mean(dim=0)  # [N, C]
    targets = labels.lerp(mean, config.train.teacher_weight).numpy()
    return replace(data, targets=targets, fingerprint={**data.fingerprint, "teachers": seals})


def train(
    config: Config, path: Path, *, resume: bool = False, may_change: bool = False, use_cache: bool = True
) -> dict[str, Any]:
    """Train a model and leave a run folder at `path`; return its summary.

    Args:
        config: All settings.
        path: The run folder, which must not exist unless `resume` is set.
        resume: Go on exactly where the run at `path` stopped.
        may_change: Go on, not exactly, where the config or the data is another.
        use_cache: Keep and take tokenised files (see rnncls.cache).

    Raises:
        RnnclsError: The config, the data, the device or the run folder is wrong.
        Interrupted: The user stopped the run; it is saved and can be resumed.
    """
    processes = find_processes()
    resume = processes.from_first(lambda: check_run_folder(config, path, resume=resume, may_change=may_change))
    with processes.together():
        device = start_torch(config, config.train, config.model)
    if config.model.cell == "none":
        logger.info(
            "cell: none is the mean of the embeddings: hidden_size, num_layers, bidirectional and pooling do nothing"
        )
    with processes.together(goes_first=processes.local_number == 0):  # its work is in the cache for the others
        trainer = build_trainer(config, path, device, resume=resume, may_change=may_change, use_cache=use_cache)
    with hold_run(trainer, config, path, resume=resume, may_change=may_change):
        run_to_end(trainer, path)
        with processes.together(goes_first=processes.is_first):
            if not processes.is_first:
                return storage.read_json(path / checkpoint.SUMMARY)
            return finish_run(trainer, config, path)


def build_trainer(
    config: Config, path: Path, device: torch.device, *, resume: bool, may_change: bool, use_cache: bool
) -> Trainer:
    """Read the data and build the model of a run at `path`, with its first weights.

    Raises:
        RnnclsError: The config, the data or the run folder is wrong.
    """
    pretrained, vocab = None, None
    if resume and (config.model.pretrained or may_change):
        vocab = checkpoint.load_vocab(path)  # all else has come over
    elif config.model.pretrained:
        pretrained = checkpoint.load_pretrained(config)
        vocab = pretrained.vocab
    data = load_training_data(config, vocab, use_cache=use_cache)
    if pretrained is not None:
        checkpoint.check_rows(Path(config.model.pretrained or ""), data.fingerprint, may_differ=True)
    if config.train.teachers:
        data = ask_teachers(config, data, device, use_cache=use_cache)
    return Trainer(config.train, build_model(config, data, pretrained).to(device), data, config.seed)


@contextlib.contextmanager
def hold_run(trainer: Trainer, config: Config, path: Path, *, resume: bool, may_change: bool = False) -> Iterator[None]:
    """Hold a run folder, in which a trainer starts or resumes; of several processes the first one holds and writes it.

    Raises:
        ConfigError: The folder has been taken since it was looked at.
        RunError: Another training is at it, or the run cannot be gone on with.
    """
    is_first = trainer.processes.is_first
    with contextlib.ExitStack() as held:
        with trainer.processes.together(goes_first=is_first):
            if is_first:
                held.enter_context(checkpoint.hold(path))
                if launch := find_launch():
                    storage.write_atomic(path / checkpoint.LAUNCH, launch.encode())
            # The others take over what the first one has written: so all of them stand at the same point.
            start_or_resume(trainer, config, path, resume=resume or not is_first, may_change=may_change)
        yield


def start_torch(config: Config, train: TrainSection, model: ModelSection) -> torch.device:
    """Prepare torch for a training, and return the device.

    Args:
        config: All settings, for the device and the seed.
        train: How it is trained.
        model: What is trained.

    Raises:
        DeviceError: The device is not there.
        ConfigError: It cannot compute as the config wants.
    """
    device = find_processes().own_device(resolve_device(config.device))
    resolve_precision(train.precision, device, model.cell)
    use_deterministic_kernels(wanted=config.deterministic)
    keep_freed_memory()
    seed_everything(config.seed)
    return device


def start_or_resume(trainer: Trainer, config: Config, path: Path, *, resume: bool, may_change: bool = False) -> None:
    """Make the run folder of a fresh trainer, or bring the trainer to where the run at `path` stopped.

    Raises:
        ConfigError: The folder has been taken since it was looked at.
        RunError: The run cannot be gone on with.
    """
    if resume:
        load_state(trainer, path, may_change=may_change)
        if load_config(path / checkpoint.CONFIG) != config:
            checkpoint.change_config(path, config, trainer.file)
        if trainer.is_finished:
            logger.info("%s", f"nothing is left to do after epoch {trainer.num_validations}: {trainer.why_finished}")
        return
    if not checkpoint.is_untouched(path):
        raise ConfigError(f"{path}: another process has just begun a run here; choose another --out")
    checkpoint.create_run(path, config, trainer.data.vocab, trainer.label_names)
    save_state(trainer, path)


def run_to_end(trainer: Trainer, path: Path) -> None:
    """Train to the end with a bar on a terminal; write rows, the best weights and the state as they come."""
    clock = SaveClock(trainer.section.save_every)
    tokens_per_text = float(trainer.data.train.texts.lengths.mean())
    is_first = trainer.processes.is_first
    events = path / checkpoint.EVENTS if trainer.section.tensorboard and is_first else None
    with (
        tracking.event_log(events, trainer.step + 1) as add_event,
        stop_on_signal(tells=is_first) as stop,
        tracking.TrainingBar(trainer.num_texts, trainer.section.max_epochs, tokens_per_text) as bar,
    ):
        bar.resume_at(trainer.num_texts_seen)
        for step in trainer.steps():
            bar.update(step.epoch, step.num_texts, step.loss)
            must_stop = trainer.processes.any_wishes(own=stop.requested)
            if is_first:
                if step.validation is not None:
                    record(step.validation, trainer, path)
                    add_event(step.validation)
                    bar.show_row(step.validation)
                if step.validation is not None or must_stop or clock.is_time:
                    with clock.saving():
                        save_state(trainer, path)
            if must_stop:
                with trainer.processes.together():  # none leaves before the first one has saved
                    raise Interrupted(f"stopped in epoch {step.epoch}; all is saved: go on with --resume --out {path}")


def record(row: dict[str, Any], trainer: Trainer, path: Path) -> None:
    """Write the row of a validation, and the weights if they are the best so far."""
    tracking.append_row(path / checkpoint.METRICS, row)
    if row["is_best"]:
        checkpoint.save_model(path, trainer.kept_model, trainer.file)


class SaveClock:
    """When to save within an epoch: every so often, but never so often that it takes more than its share of time."""

    SHARE = 0.02

    def __init__(self, save_every: float) -> None:
        """Start counting, for a save every so many minutes."""
        self.save_every = save_every
        self.saved_at = time.monotonic()
        self.save_s = 0.0

    @classmethod
    def spacing(cls, save_every: float, save_s: float) -> float:
        """Return the seconds from one save to the next, where one takes `save_s`."""
        return max(60 * save_every, save_s / cls.SHARE)

    @property
    def is_time(self) -> bool:
        """Whether a save is due."""
        return time.monotonic() - self.saved_at >= self.spacing(self.save_every, self.save_s)

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Time a save, and count from its end."""
        start = time.monotonic()
        yield
        self.saved_at = time.monotonic()
        self.save_s = self.saved_at - start


def save_state(trainer: Trainer, path: Path) -> None:
    """Write all that an exact resume needs.

    Raises:
        DivergedError: A number of it is not finite; what was saved before stays.
        RunError: It cannot be written.
    """
    trainer.check_weights()
    tensors, values = trainer.state_dict()
    meta = {
        "files": checkpoint.seal(path, trainer.file),
        "place": values,
        "steps_per_epoch": trainer.steps_per_epoch,
        "fingerprint": _data_seal(trainer.data.fingerprint),
        "precision": str(trainer.dtype),
        "metrics_sha256": tracking.checksum_of_rows(path / checkpoint.METRICS, trainer.num_validations),
    }
    storage.save_tensors(path / checkpoint.STATE, tensors, meta)


def load_state(trainer: Trainer, path: Path, *, may_change: bool = False) -> None:
    """Take back what `save_state` wrote.

    Raises:
        RunError: A file is missing or damaged, or the data is not that of this run and may not be.
    """
    tensors, saved = read_state(path, trainer.file)
    own, other = (dict(_flatten(each)) for each in (_data_seal(trainer.data.fingerprint), saved.fingerprint))
    differing = sorted(key for key in own.keys() | other.keys() if own.get(key) != other.get(key))
    if differing and not may_change:
        raise RunError(f"{path}: cannot resume exactly: the data differs in {', '.join(differing)}; {_HOW_TO_CHANGE}")
    if saved.precision != str(trainer.dtype) and not may_change:
        raise RunError(f"{path}: began in {saved.precision}, this machine goes on in {trainer.dtype}; {_HOW_TO_CHANGE}")
    if checkpoint.load_vocab(path).words != trainer.data.vocab.words:
        raise RunError(f"{path / checkpoint.VOCAB}: not the words that this version finds in the data: cannot resume")
    if trainer.label_names is not None and (found := checkpoint.load_labels(path)) != trainer.label_names:
        raise RunError(f"{path / checkpoint.LABELS}: has the classes {found}, the data has {trainer.label_names}")
    trainer.load_state_dict(tensors, saved.place.model_dump(), path / checkpoint.STATE)
    if saved.place.best_epoch:  # nothing else has the best weights so far
        best, *_ = checkpoint.load_sealed(path, trainer.file)
        checkpoint.load_temperature(best, path)
        if _shapes_of(best) != _shapes_of(trainer.model.state_dict()):
            raise RunError(f"{path / trainer.file}: damaged, or not the weights of this run")
    tracking.keep_rows(path / checkpoint.METRICS, trainer.num_validations, saved.metrics_sha256)
    if differing or trainer.steps_per_epoch != saved.steps_per_epoch:
        logger.info("the data or the batches have changed: epoch %d begins anew", trainer.num_validations + 1)
        trainer.begin_epoch_anew()


def read_state(path: Path, file: str) -> tuple[dict[str, torch.Tensor], SavedState]:
    """Return the state of a run, verified with the files that it is sealed with.

    Args:
        path: The run folder.
        file: Where its best weights go.

    Raises:
        RunError: A file is missing or damaged.
    """
    tensors, meta = storage.load_tensors(path / checkpoint.STATE)
    checkpoint.check_seal(path, checkpoint.STATE, checkpoint.SEALED[file], meta)
    try:
        return tensors, SavedState.model_validate(meta)
    except ValidationError as error:
        raise RunError(f"{path / checkpoint.STATE}: damaged: not the state of a training: {error}") from error


def _shapes_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


_HOW_TO_CHANGE = "--with-changes goes on all the same"


def finish_run(trainer: Trainer, config: Config, path: Path) -> dict[str, Any]:
    """Write the summary and the model card, and make this run the latest; return the summary."""
    temperature = calibrate(trainer, path)  # which is kept with the weights, whose checksum the summary has
    summary = {**summarise(trainer, path, ("accuracy", "macro_f1", "loss")), "temperature": temperature}
    num_valid_rows = len(trainer.data.valid.labels)
    num_right = round(summary["valid"]["accuracy"] * num_valid_rows)
    summary["valid"]["accuracy_interval"] = wilson_interval(num_right, num_valid_rows)
    summary["label_names"] = trainer.data.label_names
    storage.write_atomic(path / checkpoint.CARD, checkpoint.model_card(config, summary, path).encode())
    try:
        checkpoint.point_latest_at(path)
    finally:
        storage.write_json(path / checkpoint.SUMMARY, summary)  # last: it says that nothing is left to do
    return summary


def calibrate(trainer: Trainer, path: Path) -> float:
    """Keep with the best weights the temperature at which their logits fit the validation rows best; return it.

    It is 1 where the config does not ask for it.
    """
    temperature = 1.0
    if trainer.section.calibrate:
        model = checkpoint.load_uncalibrated(path).model.to(trainer.device)
        logits = compute_logits(model, trainer.data.valid.texts)  # [N, C]
        temperature = fit_temperature(logits, torch.from_numpy(trainer.data.valid.labels))
    checkpoint.save_temperature(path, temperature)
    return temperature


def summarise(trainer: Trainer, path: Path, scores: Sequence[str]) -> dict[str, Any]:
    """Return what there is to say of a run at its end, with these scores of its best epoch.

    Raises:
        RunError: That epoch's row is damaged.
    """
    rows = tracking.read_rows(path / checkpoint.METRICS)
    best = rows[trainer.best_epoch - 1]
    names = {name: f"valid_{name}" for name in scores}
    if not isinstance(best, dict) or not best.keys() >= set(names.values()):
        raise RunError(f"{path / checkpoint.METRICS}: damaged: row {trainer.best_epoch} lacks the validation's scores")
    return {
        "best_epoch": trainer.best_epoch,
        "num_epochs": trainer.num_validations,
        "valid": {name: best[key] for name, key in names.items()},
        "num_parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "train_s": round(trainer.elapsed_s, 3),
        "data": trainer.data.fingerprint,
        "weights_sha256": checksum(path / trainer.file, "sha256"),
        "seed": trainer.seed,
        "precision": str(trainer.dtype).removeprefix("torch."),
        "device": str(trainer.device),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "num_processes": trainer.processes.count,
        "num_threads": trainer.workers.num_threads,
        "versions": {
            "rnncls": rnncls.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torchtext", "numpy", "pyarrow", "safetensors")},
        },
        "git_revision": _git_revision(),
    }


def check_run_folder(
    config: Config, path: Path, *, resume: bool, may_change: bool = False, file: str = checkpoint.MODEL
) -> bool:
    """See that a new run has a place of its own, or that a resumed one is there and has the same config.

    Args:
        config: All settings.
        path: The run folder.
        resume: Whether a run is to go on there.
        may_change: Whether its config may be another; a run may always be given more or fewer epochs.
        file: Where its best weights go.

    Returns:
        Whether there is a state to go on from: a run that was killed before its first save begins anew.

    Raises:
        ConfigError: The folder is taken, or its config differs and may not.
        RunError: There is nothing to resume, it is damaged, or another process is at it.
    """
    if not resume:
        if path.exists() and (path.is_file() or any(path.iterdir())):
            raise ConfigError(f"{path}: already there; choose another --out, or go on with it with --resume")
        return False
    if not (path / checkpoint.STATE).is_file():
        if not checkpoint.is_untouched(path):
            raise RunError(f"{path}: nothing to resume: has no {checkpoint.STATE}")
        logger.info("%s: nothing had been saved here yet: the run begins at its start", path)
        return False
    with checkpoint.hold(path):
        read_state(path, file)
        try:
            before = load_config(path / checkpoint.CONFIG)
        except ConfigError as error:
            raise RunError(f"{path}: cannot be used with this version of rnncls: {error}") from error
    differing = [
        key for key, value in _flatten(config.model_dump()) if dict(_flatten(before.model_dump()))[key] != value
    ]
    refused = [key for key in differing if key not in _NOT_IN_THE_WEIGHTS]
    if refused and not may_change:
        raise ConfigError(
            f"{path}: cannot resume exactly: the config differs in {', '.join(refused)}; {_HOW_TO_CHANGE}"
        )
    return True


_NOT_IN_THE_WEIGHTS = (
    *("train.max_epochs", "pretrain.max_epochs", "train.patience"),
    *("train.save_every", "train.tensorboard", "train.calibrate"),
)
"""What may always be another when a run goes on: how long, how often it is saved, and what is made of it at the end."""


def find_unfinished(config: Config) -> Path:
    """Return the newest run folder under `runs/` that training with this config has left unfinished.

    Raises:
        RunError: There is none.
    """
    configs = [path for path in checkpoint.RUNS_DIR.glob(f"*/{checkpoint.CONFIG}") if not path.parent.is_symlink()]
    wanted = dump_config(config).encode()
    runs = [
        path.parent
        for path in configs
        if (path.parent / checkpoint.LABELS).exists()
        and not (path.parent / checkpoint.SUMMARY).exists()
        and path.read_bytes() == wanted
    ]
    if not runs:
        raise RunError(f"no unfinished run of this config in {checkpoint.RUNS_DIR}/ to resume; name one with --out")
    return max(runs, key=_changed_at)


def _changed_at(path: Path) -> float:
    state = path / checkpoint.STATE
    return (state if state.exists() else path / checkpoint.CONFIG).stat().st_mtime


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _data_seal(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same for an exact resume: the data, wherever it lies."""
    files = {split: {**file, "path": None} for split, file in fingerprint["files"].items()}
    return {**fingerprint, "files": files}


def _git_revision() -> str | None:
    """Return the revision of the checkout that this package runs from, or None."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
