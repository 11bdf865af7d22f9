"""The interface of a training task: what a training step needs to know about it.

`ClassificationTask` and `LanguageModelTask` implement it.
"""

from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from rnncls.data.loading import TrainingData
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.language_model import LanguageModel
from rnncls.text.batching import Batch
from rnncls.training.step_data import LossSums, StepInputs, StepNoise

M = TypeVar("M", bound=TextClassifier | LanguageModel)


class Task(Protocol[M]):
    """A model, its data, its loss and its validation scores.

    Attributes:
        model: The model on its device.
        data: The data on the host.
        dtype: The dtype that the recurrent cell computes in.
        weights_file: The name of the file for the best weights in the run folder.
        label_names: The classes that are stored with the weights; None: no classes.
        balanced_labels: [N] int64, the labels whose classes are to occur equally often
            in an epoch; None: each row occurs once.
        losses_per_target: Of how many losses the loss of a target is the sum: those of
            all labels if a text has several. Shown losses are divided by it, gradients
            are not.
    """

    model: M
    data: TrainingData
    dtype: torch.dtype
    weights_file: str
    label_names: list[str] | None
    balanced_labels: npt.NDArray[np.int64] | None
    losses_per_target: int

    def sample_noise(self, batch: Batch, generator: torch.Generator) -> StepNoise:
        """Draw the random numbers of a step, except those of word dropout."""

    def compute_loss(self, inputs: StepInputs) -> LossSums:
        """Run the forward pass and return the summed loss, in several threads."""

    def count_targets(self, rows: npt.NDArray[np.int64]) -> int:
        """Return the number of losses summed over these training rows, at least 1."""

    def finish(self, model: M) -> M:
        """Return the model to evaluate and to save: the trained one, or a copy."""

    def evaluate(self, model: M) -> dict[str, float]:
        """Return the scores of a model on the validation rows, including `loss`."""
