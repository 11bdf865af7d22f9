"""Training a language model: predict each next word, in one or both directions.

Shapes: B texts in a batch, T tokens in the longest of them.
"""

import math

import numpy as np
import numpy.typing as npt
import torch

from rnncls import DataError
from rnncls.data.loading import TrainingData
from rnncls.evaluation.evaluator import BATCH_SIZE
from rnncls.machine.device import resolve_precision
from rnncls.machine.threads import Workers
from rnncls.nn.language_model import LanguageModel
from rnncls.runs.folder import LANGUAGE_MODEL
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.batching import Batch, assemble
from rnncls.training.step_data import LossSums, StepInputs, StepNoise


class LanguageModelTask:
    """Predict each word of a text except the first; see `Task` for the attributes."""

    weights_file = LANGUAGE_MODEL

    def __init__(
        self,
        model: LanguageModel,
        data: TrainingData,
        precision: str,
        workers: Workers,
    ) -> None:
        """Take a model on its device, and the data on the host.

        Raises:
            DataError: There is nothing to predict in the training or the validation
                rows.
        """
        self.model = model
        self.data = data
        self.workers = workers
        self.label_names: list[str] | None = None
        self.balanced_labels: npt.NDArray[np.int64] | None = None
        self.losses_per_target = 1
        device = model.embedding.weight.device
        self.dtype = resolve_precision(precision, device, model.section.cell)
        for split in (data.train, data.valid):
            if self._count_predictions(split.texts.lengths) == 0:
                raise DataError(
                    "no text of the training or of the validation rows has two words,"
                    " so there is no next word to predict"
                )

    def sample_noise(self, batch: Batch, generator: torch.Generator) -> StepNoise:
        """Draw the dropout masks."""
        return StepNoise(self.model.sample_dropout(len(batch), generator))

    def compute_loss(self, inputs: StepInputs) -> LossSums:
        """Return the summed negative log-likelihood of all predicted words."""
        batch = inputs.batch
        loss = self.model(
            inputs.word_rows,
            batch.token_ids,
            batch.lengths,
            is_ragged=batch.is_ragged,
            word_vectors=inputs.word_vectors,
            dropout=inputs.noise.dropout,
            dtype=self.dtype,
        )
        num_correct = torch.zeros((), dtype=torch.int64, device=loss.device)
        return LossSums(loss, num_correct)

    def count_targets(self, rows: npt.NDArray[np.int64]) -> int:
        """Return how many words are predicted in these training rows, at least 1."""
        return max(1, self._count_predictions(self.data.train.texts.lengths[rows]))

    def finish(self, model: LanguageModel) -> LanguageModel:
        """Return the model itself."""
        return model

    def evaluate(self, model: LanguageModel) -> dict[str, float]:
        """Return the loss of a word of the validation rows in nats, and the perplexity.

        The loss is the mean negative log-likelihood; the perplexity its exponential.
        """
        texts = self.data.valid.texts
        device = model.embedding.weight.device

        @torch.inference_mode()
        def compute_batch_loss(rows: npt.NDArray[np.int64]) -> float:
            batch = assemble(texts, rows).to(device)
            loss: torch.Tensor = model(
                batch.token_ids,
                batch.token_ids,
                batch.lengths,
                is_ragged=batch.is_ragged,
            )
            return loss.item()

        # Half of a classifier's batch: there are logits at each position.
        plan = plan_in_order_of_length(texts.lengths, BATCH_SIZE // 2)
        # The longest first, so that no thread starts a long batch at the end.
        losses = self.workers.map(compute_batch_loss, plan[::-1])
        loss = math.fsum(losses) / self._count_predictions(texts.lengths)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def _count_predictions(self, lengths: npt.NDArray[np.int64]) -> int:
        """Return how many words are predicted in texts of these lengths."""
        num_directions = 2 if self.model.section.bidirectional else 1
        return int((lengths - 1).sum()) * num_directions
