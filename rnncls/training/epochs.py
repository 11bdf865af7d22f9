"""The batches of each epoch, as a function of the seed and the epoch."""

import math

import numpy as np
import numpy.typing as npt

from rnncls.text.batch_plans import plan_epoch

Plan = list[npt.NDArray[np.int64]]
"""The row numbers of each batch."""


class EpochPlanner:
    """Plan the batches of any epoch of a training."""

    def __init__(
        self,
        lengths: npt.NDArray[np.int64],
        batch_size: int,
        seed: int,
        balanced_labels: npt.NDArray[np.int64] | None,
        max_batches: int | None = None,
    ) -> None:
        """Take the arguments of `plan_epoch`, and the most batches of an epoch."""
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.balanced_labels = balanced_labels
        self.steps_per_epoch = math.ceil(len(lengths) / batch_size)
        if max_batches is not None:
            self.steps_per_epoch = min(self.steps_per_epoch, max_batches)

    @property
    def num_texts(self) -> int:
        """Texts in an epoch."""
        return min(len(self.lengths), self.steps_per_epoch * self.batch_size)

    def plan(self, epoch: int) -> Plan:
        """Return the row numbers of each batch of an epoch, from 0."""
        plan = plan_epoch(
            self.lengths, self.batch_size, self.seed, epoch, self.balanced_labels
        )
        return plan[: self.steps_per_epoch]

    def count_tokens(self, plan: Plan) -> int:
        """Return the number of tokens in the batches of a plan."""
        return int(self.lengths[np.concatenate(plan)].sum())

    def rows_of_step(self, step: int) -> npt.NDArray[np.int64]:
        """Return the row numbers of the batch of a step, from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self.plan(epoch)[position]
