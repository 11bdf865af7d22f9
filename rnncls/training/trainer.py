"""The training step, and the loop over steps and epochs.

`Trainer.train_step` is one step, `Trainer.steps` the loop, and `Trainer.validate` the
end of an epoch. What depends on the task is in `rnncls.training.task`; what is written
to the run folder is in `rnncls.training.run`.

Shapes: N training texts, B texts in a batch, T tokens in the longest of them, R
distinct words in a batch, E embedding_dim.
"""

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, cast

import numpy as np
import torch

from rnncls import DivergedError, RunError
from rnncls.machine.processes import ProcessGroup
from rnncls.machine.seeds import generator_of
from rnncls.machine.threads import Workers
from rnncls.runs.weights import load_weights
from rnncls.text.batching import Batch, batch_iterator, drop_words, shard
from rnncls.training.divergence import describe_explosion, has_exploded
from rnncls.training.ema import WeightEMA
from rnncls.training.epoch_sums import EpochSums
from rnncls.training.epochs import EpochPlanner
from rnncls.training.optimizer import Optimizer
from rnncls.training.options import TrainOptions
from rnncls.training.schedule import lr_factor
from rnncls.training.state import TrainerState, add_prefix, select_part
from rnncls.training.step_data import PartResult, Step, StepInputs, StepResult
from rnncls.training.task import M, Task
from rnncls.training.word_forms import build_form_finder, find_words

logger = logging.getLogger(__name__)


class Trainer(Generic[M]):
    """Train the model of a task; `state_dict` returns everything that changes.

    Attributes:
        step: The steps taken so far.
        num_validations: The epochs that are complete.
        num_tokens: The tokens of these epochs.
        elapsed_s: The seconds of training in these epochs.
        epoch_s: The seconds of training in the current epoch.
        best_score: The best validation score so far.
        best_epoch: The epoch of that score; 0 before the first validation.
    """

    def __init__(
        self,
        task: Task[M],
        options: TrainOptions,
        seed: int,
        workers: Workers,
        processes: ProcessGroup,
    ) -> None:
        """Take the task, and the threads and processes that share each batch."""
        self.task = task
        self.options = options
        self.seed = seed
        self.workers = workers
        self.processes = processes
        self.model = task.model
        self.data = task.data
        self.file = task.weights_file
        self.label_names = task.label_names
        self.device = self.model.embedding.weight.device
        num_frozen = self.data.vocab.num_vector_words
        self.optimizer = Optimizer(self.model, options.optimizer, workers, num_frozen)
        texts = self.data.train.texts
        labels = task.balanced_labels
        self.planner = EpochPlanner(
            texts.lengths, options.batch_size, seed, labels, options.max_batches
        )
        self.steps_per_epoch = self.planner.steps_per_epoch
        self.ema: WeightEMA | None = None
        if options.ema_decay:
            self.ema = WeightEMA(self.model, options.ema_decay, self.steps_per_epoch)
        self.form_finder = build_form_finder(self.data.vocab, texts, self.device)
        self.iter_batches = batch_iterator(texts, self.device)
        # A CUDA device would run out of work until the host has queued more.
        self.may_wait_in_step = self.device.type != "cuda"
        self.step = 0
        self.num_tokens = 0
        self.elapsed_s = 0.0
        self.best_score: float | None = None
        self.best_epoch = 0
        self.num_validations = 0
        self.epoch_tokens = 0
        self._reset_epoch_sums()

    def steps(self) -> Iterator[Step]:
        """Train from the current state to the end, and yield after each step.

        Between two steps the state is complete and can be saved.
        """
        while not self.is_finished:
            epoch, num_done = divmod(self.step, self.steps_per_epoch)
            plan = self.planner.plan(epoch)
            self.epoch_tokens = self.planner.count_tokens(plan)
            remaining = plan[num_done:]
            for batch in self.iter_batches(remaining):
                loss = self._timed_step(batch)
                is_last = self.step % self.steps_per_epoch == 0
                if is_last or self.epoch_sums.gradients.is_full:
                    self.check_losses()
                validation = self.validate() if is_last else None
                yield Step(epoch + 1, len(batch), loss, validation)

    def _timed_step(self, batch: Batch) -> torch.Tensor:
        """Take a step, and note its time and the norm of its gradient."""
        start = time.perf_counter()
        loss = self.train_step(batch)
        self.epoch_sums.gradients.add(self.step - 1, loss, self.optimizer.norm)
        self.epoch_s += time.perf_counter() - start
        return loss / self.task.losses_per_target

    def train_step(self, batch: Batch) -> torch.Tensor:
        """Update the weights once, and return the mean loss of the batch.

        There is no call of `.backward()`: it would add to one `.grad` of each weight,
        and several threads cannot do that at once. Here each thread asks
        `torch.autograd.grad` for the gradients of its own share of the texts. The sum
        over the threads, and then over the processes, is the gradient of the batch.
        """
        inputs = self._prepare_inputs(batch)
        result = self._forward_backward(inputs)
        self.processes.all_reduce_sum(result.tensors())
        self.optimizer.step(result.gradients, self.lr)
        return self._finish_step(result) / inputs.num_targets

    def _prepare_inputs(self, batch: Batch) -> StepInputs:
        """Drop words, look up word vectors, and draw the random numbers of the step.

        The random numbers are a function of the seed and of the number of the step
        alone, so that a resumed run draws the same ones.
        """
        generator = generator_of(self.device, self.seed, self.step)
        batch = batch.to(self.device)
        token_ids = drop_words(
            batch.token_ids, self.model.section.word_dropout, generator
        )  # [B, T]
        noise = self.task.sample_noise(batch, generator)
        embedding = self.model.embedding.weight.detach()  # [V, E]
        if self.form_finder is None:
            words = find_words(
                token_ids, len(embedding), may_wait=self.may_wait_in_step
            )
        else:
            words = self.form_finder.find_forms(batch.token_ids, token_ids)
        return StepInputs(
            batch=batch,
            word_ids=words.row_ids,
            word_rows=words.word_rows,
            word_vectors=embedding[words.row_ids].requires_grad_(),
            noise=noise,
            num_targets=self.task.count_targets(batch.rows),
            epoch=self.step // self.steps_per_epoch,
            forms=words.forms,
        )

    def _forward_backward(self, inputs: StepInputs) -> StepResult:
        """Return the loss and its gradients, summed over the threads."""
        self.optimizer.unfreeze(self.step // self.steps_per_epoch)
        weights = [inputs.word_vectors, *self.optimizer.trainable]

        def run_part(texts: slice) -> PartResult:
            loss, num_correct = self.task.compute_loss(inputs[texts])
            gradients = torch.autograd.grad(
                loss / inputs.num_targets, weights, materialize_grads=True
            )
            return PartResult(loss.detach(), num_correct, gradients)

        parts = shard(
            len(inputs.batch),
            self.workers.num_threads,
            rank=self.processes.rank,
            world_size=self.processes.world_size,
        )
        results = self.workers.map(run_part, parts)
        return StepResult.of_parts(inputs.word_ids, results)

    def _finish_step(self, result: StepResult) -> torch.Tensor:
        """Count the step, average the weights and add to the sums of the epoch.

        Returns:
            The summed loss of the batch.
        """
        self.step += 1
        if self.ema is not None and self.step % self.ema.every == 0:
            self.ema.update_parameters(self.model)
        self.epoch_sums.add(result)
        return result.loss

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        options = self.options
        return options.lr * lr_factor(
            self.step, self.num_steps, options.schedule, options.warmup_fraction
        )

    def validate(self) -> dict[str, Any]:
        """Evaluate the model after an epoch, and remember the epoch if it is the best.

        Returns:
            The row for `metrics.jsonl`.

        Raises:
            DivergedError: The validation loss is not finite.
        """
        scores = self.task.evaluate(self.eval_model)
        epoch = self.num_validations + 1
        if not math.isfinite(scores["loss"]):
            raise self._diverged(
                f"the validation loss is not finite after epoch {epoch}"
            )
        self.num_validations = epoch
        self.num_tokens += self.epoch_tokens
        self.elapsed_s += self.epoch_s
        is_best = self._update_best(scores)
        norms = self.epoch_sums.gradients.summary(self.steps_per_epoch)
        if has_exploded(norms, self.steps_per_epoch):
            logger.info("%s", f"epoch {epoch}: {describe_explosion(norms)}")
        row = {
            "step": self.step,
            "epoch": epoch,
            "num_tokens": self.num_tokens,
            "elapsed_s": round(self.elapsed_s, 3),
            "tokens_per_s": round(self.epoch_tokens / self.epoch_s),
            **self._training_scores(has_accuracy="accuracy" in scores),
            **{f"valid_{name}": value for name, value in scores.items()},
            **norms,
            "is_best": is_best,
        }
        self._reset_epoch_sums()
        return row

    def _update_best(self, scores: dict[str, float]) -> bool:
        """Return whether the latest epoch is the best so far, and remember it if so."""
        score = scores[self.options.monitor]
        if self.options.monitor == "loss":
            score = -score
        is_best = self.best_score is None or score > self.best_score
        if is_best:
            self.best_score, self.best_epoch = score, self.num_validations
        return is_best

    def _training_scores(self, *, has_accuracy: bool) -> dict[str, float]:
        """Return the mean loss of the epoch's steps, and the accuracy if wanted."""
        task, sums = self.task, self.epoch_sums
        num_targets = task.count_targets(np.arange(self.num_texts))
        scores = {"train_loss": sums.loss.item() / num_targets / task.losses_per_target}
        if has_accuracy:
            scores["train_accuracy"] = sums.num_correct.item() / self.num_texts
        return scores

    def check_losses(self) -> None:
        """Check that the losses and gradients of the latest steps are finite.

        This waits for these steps. It looks at all steps since the last check.

        Raises:
            DivergedError: A loss or gradient is not finite. The message names the rows
                of its batch in the training file, from 1.
        """
        step = self.epoch_sums.gradients.find_bad_step()
        if step is None:
            return
        epoch = step // self.steps_per_epoch + 1
        batch_rows = self.planner.rows_of_step(step)
        file_rows = self.data.train.rows[batch_rows] + 1
        rows = ", ".join(f"{row:,}" for row in sorted(file_rows))
        raise self._diverged(
            f"the loss or its gradient is not finite in step {step + 1} (epoch"
            f" {epoch}), a batch of the training rows {rows}"
        )

    def check_weights(self) -> None:
        """Check that all weights are finite, before they are saved.

        Raises:
            DivergedError: A weight is not finite.
        """
        self.check_losses()
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise self._diverged(f"the weights are not finite after step {self.step}")

    def _diverged(self, what: str) -> DivergedError:
        """Return the error, with advice on how to continue."""
        return DivergedError(
            f"{what}; the last save is complete: resume from it with a lower"
            f" {self.options.section_name}.lr or a train.clip_norm",
            {"resume": "", "with_changes": ""},
        )

    @property
    def eval_model(self) -> M:
        """The model to validate and save: with the averaged weights, if there are."""
        model = self.model if self.ema is None else cast(M, self.ema.module)
        return self.task.finish(model)

    @property
    def num_texts(self) -> int:
        """Training texts in an epoch."""
        return self.planner.num_texts

    @property
    def num_texts_seen(self) -> int:
        """Training texts of all steps so far, counted again in each epoch."""
        epochs, position = divmod(self.step, self.steps_per_epoch)
        return epochs * self.num_texts + position * self.options.batch_size

    @property
    def num_steps(self) -> int:
        """Steps of a training that is not stopped early."""
        return self.steps_per_epoch * self.options.max_epochs

    @property
    def is_finished(self) -> bool:
        """Whether the training has ended, after all epochs or early."""
        return self.why_finished is not None

    @property
    def why_finished(self) -> str | None:
        """The key of the config that has ended the training, or None."""
        if self.num_validations >= self.options.max_epochs:
            return f"{self.options.section_name}.max_epochs"
        patience = self.options.patience
        epochs_since_best = self.num_validations - self.best_epoch
        if patience is not None and epochs_since_best >= patience:
            return f"{self.options.section_name}.patience"
        return None

    def state_dict(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return everything that changes, as tensors and as JSON values."""
        tensors = {
            **add_prefix("model", self.model.state_dict()),
            **add_prefix("optimizer", self.optimizer.state_dict()),
            **self.epoch_sums.state_dict(),
        }
        if self.ema is not None:
            tensors |= add_prefix("average", self.ema.state_dict())
        return tensors, {
            name: getattr(self, name) for name in TrainerState.model_fields
        }

    def load_state_dict(
        self, tensors: dict[str, torch.Tensor], values: dict[str, Any], source: Path
    ) -> None:
        """Restore what `state_dict` returned.

        Args:
            tensors: The tensors of the state, on any device.
            values: The other values.
            source: The file that they are from, for messages.

        Raises:
            RunError: The state is that of another model or optimiser.
        """
        load_weights(self.model, select_part(tensors, "model"), source)
        self._load_ema(select_part(tensors, "average"), source)
        optimizer_state = {
            name: value.to(self.device)
            for name, value in select_part(tensors, "optimizer").items()
        }
        try:
            self.optimizer.load_state_dict(optimizer_state)
            self.epoch_sums.load_state_dict(tensors)
        except (LookupError, ValueError, RuntimeError) as error:
            raise RunError(
                f"{source}: the optimizer's state does not fit the config: {error}"
            ) from error
        for name, value in values.items():
            setattr(self, name, value)

    def _load_ema(self, state: dict[str, torch.Tensor], source: Path) -> None:
        if self.ema is None:
            return
        if state:
            load_weights(self.ema, state, source)
        else:  # averaging is new since the state was saved: it starts here
            self.ema.module.load_state_dict(self.model.state_dict())

    def restart_epoch(self) -> None:
        """Go back to the end of the last complete epoch, but keep the weights."""
        self.step = self.num_validations * self.steps_per_epoch
        self._reset_epoch_sums()

    def _reset_epoch_sums(self) -> None:
        """Set the sums over an epoch to zero; they stay on the device until its end."""
        self.epoch_sums = EpochSums(self.device)
        self.epoch_s = 0.0
