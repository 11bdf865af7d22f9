"""Training a classifier: its loss, its class weights and its validation scores.

Shapes: N training texts, B texts in a batch, T tokens in the longest of them, R
distinct words in a batch, E embedding_dim, C classes.
"""

import math
from dataclasses import replace
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from rnncls.config.sections import ModelSection, TrainSection
from rnncls.data.loading import TrainingData
from rnncls.evaluation.evaluator import evaluate
from rnncls.evaluation.label_sets import evaluate_label_sets
from rnncls.evaluation.metrics import accuracy_of, macro_f1_of
from rnncls.machine.device import resolve_precision
from rnncls.machine.processes import ProcessGroup, init_process_group
from rnncls.machine.seeds import seed_everything
from rnncls.machine.threads import Workers, start_workers
from rnncls.nn.classifier import TextClassifier, add_ngrams
from rnncls.nn.dropout import Dropout
from rnncls.runs.folder import MODEL
from rnncls.text.batching import Batch
from rnncls.training.class_weights import compute_class_weights
from rnncls.training.initialization import build_model
from rnncls.training.loss import compute_loss
from rnncls.training.options import TrainOptions
from rnncls.training.step_data import LossSums, StepInputs, StepNoise
from rnncls.training.trainer import Trainer


class ClassificationTask:
    """Predict the label of each text; see `Task` for the attributes."""

    weights_file = MODEL

    def __init__(
        self,
        section: TrainSection,
        model: TextClassifier,
        data: TrainingData,
        workers: Workers,
        processes: ProcessGroup,
    ) -> None:
        """Take a model on its device, the data on the host, threads and processes."""
        self.section = section
        self.early_section = section.replace(adversarial=0.0)
        self.model = model
        self.data = data
        self.workers = workers
        self.processes = processes
        self.label_names: list[str] | None = data.label_names
        self.balanced_labels: npt.NDArray[np.int64] | None = None
        if section.sampling == "balanced":
            self.balanced_labels = data.train.labels
        self.losses_per_target = 1
        if self.has_several_labels:
            self.losses_per_target = len(data.label_names)

        device = model.embedding.weight.device
        cell = model.section.cell
        self.dtype = resolve_precision(section.precision, device, cell)
        self.labels = torch.from_numpy(data.train.labels).to(device)  # [N] or [N, C]
        self.targets = self.labels  # [N] or [N, C]
        if data.targets is not None:
            self.targets = torch.from_numpy(data.targets).to(device)  # [N, C]

        self.row_weights: torch.Tensor | None = None
        class_weights = compute_class_weights(
            section, data.train.labels, data.label_names
        )  # [C]
        if class_weights is not None:
            class_weights = class_weights.to(device)
            if self.has_several_labels:
                self.row_weights = class_weights.expand(len(self.labels), -1)  # [N, C]
            else:
                self.row_weights = class_weights[self.labels]  # [N]

    @property
    def has_several_labels(self) -> bool:
        """Whether a text has a set of labels instead of one label."""
        return self.model.section.has_several_labels

    def sample_noise(self, batch: Batch, generator: torch.Generator) -> StepNoise:
        """Draw the dropout masks, and the start of the virtual adversarial search."""
        dropout = self.model.sample_dropout(len(batch), generator)
        second_dropout, vat_direction = None, None
        if self.section.r_drop:
            second_dropout = self.model.sample_dropout(len(batch), generator)
        if self.section.virtual_adversarial:
            vat_direction = self._sample_direction(batch, generator)  # [K, B, E]
        return StepNoise(dropout, second_dropout, vat_direction)

    def _sample_direction(
        self, batch: Batch, generator: torch.Generator
    ) -> torch.Tensor:
        """Draw a change of what the steps read, 0 on padding. [K, B, E]."""
        num_texts, longest = batch.token_ids.shape
        size = self.model.section.tokens_per_step
        num_steps = len(range(0, longest, size))
        shape = num_steps, num_texts, self.model.embedding.embedding_dim
        direction = torch.randn(shape, generator=generator, device=generator.device)
        mask = batch.mask()  # [T, B]
        # A step is padding if its first token is.
        return direction if mask is None else direction * mask[::size, :, None]

    def compute_loss(self, inputs: StepInputs) -> LossSums:
        """Return the summed loss of the texts, and how many are predicted correctly."""
        batch = inputs.batch
        word_vectors = inputs.compose_vectors()  # [R, E]
        step_inputs, num_steps = self.model.embed_steps(
            inputs.word_rows, batch.lengths, word_vectors, is_ragged=batch.is_ragged
        )  # [K, B, E], [B]

        def forward(step_inputs: torch.Tensor, dropout: Dropout) -> torch.Tensor:
            return self.model.classify_steps(
                step_inputs,
                num_steps,
                dropout,
                is_ragged=batch.is_ragged,
                dtype=self.dtype,
            )

        rows = batch.device_rows  # [B]
        section = self.section
        if inputs.epoch < section.adversarial_delay:
            section = self.early_section
        loss, logits = compute_loss(
            section,
            forward,
            step_inputs,
            self.targets[rows],
            inputs.noise,
            None if self.row_weights is None else self.row_weights[rows],
            self._measure_columns(word_vectors.detach()),
            weights=list(chain.from_iterable(self.model.layers())),
            has_several_labels=self.has_several_labels,
        )
        labels = self.labels[rows]  # [B], or [B, C]
        if self.has_several_labels:
            is_correct = ((logits > 0) == labels).all(dim=1)  # [B]
        else:
            is_correct = logits.argmax(dim=1) == labels  # [B]
        return LossSums(loss, is_correct.sum())

    def _measure_columns(self, word_vectors: torch.Tensor) -> torch.Tensor:
        """Return the units of a change of the columns of what the steps read.

        If all N tokens of a step change alike by a vector of length 1, the changes of
        the tokens have a length of sqrt(N) together, and their sum changes by N. So a
        change of length 1 of the tokens is one of length sqrt(N) of what the step
        reads.

        Args:
            word_vectors: [R, E], of the distinct words of the batch. A frequent word is
                in more batches, so the deviation is about that over all tokens.

        Returns:
            [E], sqrt(N) standard deviations of each column; [], sqrt(N) alone, if the
            size of a change is absolute.
        """
        length = math.sqrt(self.model.section.tokens_per_step)
        if self.section.perturbation == "absolute":
            return word_vectors.new_tensor(length)
        # `torch.std` takes eight times as long (1,700 words, one thread).
        centred = word_vectors - word_vectors.mean(dim=0)  # [R, E]
        return centred.square().mean(dim=0).sqrt() * length

    def count_targets(self, rows: npt.NDArray[np.int64]) -> int:
        """Return the number of these training rows: each text has one loss."""
        return len(rows)

    def finish(self, model: TextClassifier) -> TextClassifier:
        """Return the model to predict with: words include their n-grams' vectors."""
        return add_ngrams(model, self.data.vocab.word_ngrams)

    def evaluate(self, model: TextClassifier) -> dict[str, float]:
        """Return the validation loss and the scores that `train.monitor` may name."""
        if self.has_several_labels:
            return evaluate_label_sets(
                model, self.data.valid, self.processes, self.workers
            )
        confusion, loss = evaluate(
            model, self.data.valid, self.processes, self.workers
        )  # [C, C]
        return {
            "accuracy": accuracy_of(confusion),
            "macro_f1": macro_f1_of(confusion),
            "loss": loss,
        }


def limit_training(train: TrainSection, model: ModelSection) -> TrainOptions:
    """Return how to train a network: for one batch if it is not used."""
    options = TrainOptions.from_train(train)
    if model.has_network:
        return options
    # Nothing uses what it would learn.
    return replace(options, max_epochs=1, max_batches=1)


def build_classifier_trainer(
    section: TrainSection,
    model: TextClassifier,
    data: TrainingData,
    seed: int,
    *,
    workers: Workers | None = None,
    processes: ProcessGroup | None = None,
) -> Trainer[TextClassifier]:
    """Return a trainer of a classifier.

    Args:
        section: How to train it.
        model: On its device.
        data: On the host.
        seed: The seed of the run.
        workers: The threads that share a batch; None: those of the model's device.
        processes: The processes that share a batch; None: those of torchrun.

    Raises:
        ConfigError: `class_weights` or `precision` does not fit.
    """
    if workers is None:
        workers = start_workers(model.embedding.weight.device)
    if processes is None:
        processes = init_process_group()
    task = ClassificationTask(section, model, data, workers, processes)
    options = limit_training(section, model.section)
    return Trainer(task, options, seed, workers, processes)


def build_fresh_trainer(
    model: ModelSection,
    train: TrainSection,
    vectors: str | None,
    seed: int,
    device: torch.device,
    data: TrainingData,
) -> Trainer[TextClassifier]:
    """Set the seed, and return a trainer of a classifier with its first weights.

    Args:
        model: The shape of the network.
        train: How to train it.
        vectors: The pretrained word vectors, as `text.vectors` names them.
        seed: The seed of the run.
        device: Where to train.
        data: On the host.

    Raises:
        ConfigError: The network does not fit into memory, or a key of `train` does not
            fit the data or the device.
    """
    seed_everything(seed)
    network = build_model(model, vectors, data).to(device)
    return build_classifier_trainer(train, network, data, seed)
