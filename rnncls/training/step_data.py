"""What goes into one training step, and what comes out of it.

Shapes: B texts in a batch, T tokens in the longest of them, R distinct words in the
batch, E embedding_dim.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch

from rnncls.nn.dropout import Dropout
from rnncls.text.batching import Batch
from rnncls.training.optimizer import Gradients, sum_gradients
from rnncls.training.word_forms import WordForms


@dataclass(frozen=True)
class StepNoise:
    """The random numbers of a step, except those of word dropout.

    They are drawn for the complete batch before it is divided among threads and
    processes, so that the result does not depend on their number.

    Attributes:
        dropout: The dropout masks.
        second_dropout: The masks of R-Drop's second forward pass.
        vat_direction: [K, B, E] float32, where virtual adversarial training starts its
            search, with K steps of the recurrent layers; 0 on padding.
    """

    dropout: Dropout
    second_dropout: Dropout | None = None
    vat_direction: torch.Tensor | None = None

    def __getitem__(self, texts: slice) -> "StepNoise":
        """Return the noise for a slice of the batch."""
        second_dropout = self.second_dropout and self.second_dropout.of(texts)
        vat_direction = self.vat_direction
        if vat_direction is not None:
            vat_direction = vat_direction[:, texts]
        return StepNoise(self.dropout.of(texts), second_dropout, vat_direction)


@dataclass(frozen=True)
class StepInputs:
    """A batch as the forward pass of a training step reads it.

    The step looks up the vectors of the batch's R distinct words once. The gradient of
    the embedding is then one of [R, E] instead of [V, E].

    Attributes:
        batch: The batch on the device. Its token ids are those before word dropout.
        word_ids: [R] int64, the distinct words after word dropout. With character
            n-grams, the distinct rows of the embedding for words and n-grams.
        word_rows: [B, T] int64, for each token the row of its word in `word_ids` and
            `word_vectors`, or its form in `forms`.
        word_vectors: [R, E] float32, a leaf that requires a gradient.
        noise: The random numbers of the step.
        num_targets: The number of losses that are summed over the complete batch.
        epoch: The number of the epoch, from 0.
        forms: How the vectors of words are made of those of their n-grams; None: there
            are no n-grams.
    """

    batch: Batch
    word_ids: torch.Tensor
    word_rows: torch.Tensor
    word_vectors: torch.Tensor
    noise: StepNoise
    num_targets: int
    epoch: int = 0
    forms: WordForms | None = None

    def compose_vectors(self) -> torch.Tensor:
        """Return the vectors that `word_rows` are rows of. [R or F, E] float32."""
        if self.forms is None:
            return self.word_vectors
        return self.forms.compose(self.word_vectors)

    def __getitem__(self, texts: slice) -> "StepInputs":
        """Return the inputs for a slice of the batch; the words stay those of all."""
        return replace(
            self,
            batch=self.batch[texts],
            word_rows=self.word_rows[texts],
            noise=self.noise[texts],
        )


class LossSums(NamedTuple):
    """Sums over some texts of a batch.

    Attributes:
        loss: Scalar, the summed loss, with its graph.
        num_correct: Scalar int64, the texts that are classified correctly; 0 for a
            language model.
    """

    loss: torch.Tensor
    num_correct: torch.Tensor


class PartResult(NamedTuple):
    """What one thread computes.

    Attributes:
        loss: Scalar, the summed loss of its texts, without a graph.
        num_correct: Scalar int64.
        gradients: That of the word vectors [R, E], then that of each trainable
            parameter.
    """

    loss: torch.Tensor
    num_correct: torch.Tensor
    gradients: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class StepResult:
    """The sums over the texts of a batch, or over the share of one process.

    Attributes:
        loss: Scalar, the summed loss.
        num_correct: Scalar int64.
        gradients: The gradients of the batch's mean loss.
    """

    loss: torch.Tensor
    num_correct: torch.Tensor
    gradients: Gradients

    @classmethod
    def of_parts(
        cls, word_ids: torch.Tensor, parts: Sequence[PartResult]
    ) -> "StepResult":
        """Sum what the threads have computed."""
        return cls(
            loss=torch.stack([part.loss for part in parts]).sum(),
            num_correct=torch.stack([part.num_correct for part in parts]).sum(),
            gradients=sum_gradients(word_ids, [part.gradients for part in parts]),
        )

    def tensors(self) -> list[torch.Tensor]:
        """Return all tensors that have to be summed over the processes."""
        rows, network = self.gradients.rows, self.gradients.network
        return [rows, *network, self.loss, self.num_correct]


@dataclass(frozen=True)
class Step:
    """What the loop reports after each step.

    Attributes:
        epoch: From 1.
        num_texts: B.
        loss: Scalar on the device. Reading it waits for the step.
        validation: The row for `metrics.jsonl`, after the last step of an epoch.
    """

    epoch: int
    num_texts: int
    loss: torch.Tensor
    validation: dict[str, Any] | None = None
