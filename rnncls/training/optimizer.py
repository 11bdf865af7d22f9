"""The optimiser: clip the gradients, then update the network and the embedding's rows.

Only the rows of the batch's words have a gradient (see rnncls.training.row_optimizer).

Shapes: V words, E embedding_dim, R distinct words in a batch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import nn

from rnncls.machine.threads import Workers
from rnncls.text.vocab import PAD_ID
from rnncls.training.network_optimizer import NetworkOptimizer
from rnncls.training.options import OptimizerOptions
from rnncls.training.row_optimizer import RowOptimizer
from rnncls.training.state import add_prefix, select_part

MIN_ROWS_FOR_THREADS = 512
"""Rows of the embedding from which an update by several threads is faster."""


@dataclass(frozen=True)
class Gradients:
    """The gradients of one step.

    Attributes:
        word_ids: [R] int64, the embedding's rows that the batch used.
        rows: [R, E] float32, the gradient of these rows.
        network: The gradient of each trainable parameter of the network, in the order
            of `Optimizer.trainable`.
    """

    word_ids: torch.Tensor
    rows: torch.Tensor
    network: list[torch.Tensor]


def sum_gradients(
    word_ids: torch.Tensor, parts: Sequence[Sequence[torch.Tensor]]
) -> Gradients:
    """Return the sum of the gradients of the parts of a batch.

    The first part's tensors are changed in place.

    Args:
        word_ids: [R] int64.
        parts: For each part of the batch, the gradient of the embedding's rows [R, E],
            then that of each trainable parameter.
    """
    total = list(parts[0])
    for part in parts[1:]:
        torch._foreach_add_(total, list(part))
    return Gradients(word_ids, total[0], total[1:])


class Model(Protocol):
    """What the optimiser needs of a model."""

    embedding: nn.Embedding

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return all weights."""

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the weights by layer, without the embedding, the last layer first."""


class Optimizer:
    """One optimiser for the network and for the rows of the embedding."""

    def __init__(
        self,
        model: Model,
        options: OptimizerOptions,
        workers: Workers,
        num_frozen_rows: int = 0,
    ) -> None:
        """Take a model on its device, and the threads that share large updates.

        Args:
            model: The model.
            options: How gradients become updates.
            workers: The threads.
            num_frozen_rows: How many rows at the end of the embedding keep their
                values.
        """
        self.options = options
        self.workers = workers
        embedding = model.embedding.weight
        parameters = [
            weight for weight in model.parameters() if weight is not embedding
        ]
        layers = model.layers()
        depth_of = {
            id(weight): depth for depth, layer in enumerate(layers) for weight in layer
        }
        self.depths = [depth_of[id(weight)] for weight in parameters]
        """The number of layers above each parameter of the network."""
        self.network = NetworkOptimizer(
            parameters,
            [options.layer_lr_decay**depth for depth in self.depths],
            options.name,
            options.weight_decay,
        )
        self.num_rows = len(embedding) - num_frozen_rows
        self.has_frozen_rows = num_frozen_rows > 0
        trained_rows = embedding.detach()[: self.num_rows]
        self.rows = RowOptimizer(trained_rows, options.name, options.weight_decay)
        self.rows_lr_factor = options.layer_lr_decay ** (max(self.depths) + 1)
        self.norm = torch.zeros((), device=embedding.device)
        """The 2-norm of the last step's gradient of all trainable weights, before
        clipping."""
        self.unfreeze(0)

    def unfreeze(self, epoch: int) -> None:
        """Make the weights trainable that are not frozen in this epoch, from 0."""
        self.trains_embedding = epoch >= self.options.freeze_embedding
        trains_encoder = epoch >= self.options.freeze_encoder
        self.network.set_trainable(
            [
                index
                for index, depth in enumerate(self.depths)
                if depth == 0 or trains_encoder
            ]
        )

    @property
    def trainable(self) -> list[nn.Parameter]:
        """The parameters of the network that are trainable now."""
        return self.network.trainable

    def step(self, gradients: Gradients, lr: float) -> None:
        """Clip the gradients in place, and update every trainable parameter."""
        if self.has_frozen_rows:
            gradients = leave_out_rows(gradients, self.num_rows)
        trained = list(gradients.network)
        if self.trains_embedding:
            trained.insert(0, gradients.rows)
        self.norm = torch.nn.utils.get_total_norm(trained)
        clip_norm = self.options.clip_norm
        if clip_norm is not None:
            clip(trained, self.norm, clip_norm)
        update_network = partial(self.network.update, gradients.network, lr)
        updates: list[Callable[[], None]] = [update_network]
        if self.trains_embedding:
            rows_lr = lr * self.rows_lr_factor
            updates += self._row_updates(gradients, rows_lr)
        if len(updates) > 2:
            self.workers.map(_call, updates)
        else:
            for update in updates:
                update()

    def _row_updates(self, gradients: Gradients, lr: float) -> list[Callable[[], None]]:
        """Return the updates of the embedding's rows, one for each thread."""
        num_parts = 1
        if len(gradients.word_ids) >= MIN_ROWS_FOR_THREADS:
            num_parts = self.workers.num_threads
        return [
            partial(self.rows.update, word_ids, rows, lr)
            for word_ids, rows in zip(
                gradients.word_ids.chunk(num_parts),
                gradients.rows.chunk(num_parts),
                strict=True,
            )
        ]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return all that an exact resume needs, by name."""
        dense = add_prefix("dense", self.network.state_dict())
        return dense | add_prefix("rows", self.rows.state_dict())

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            KeyError: The state is that of another optimiser.
        """
        self.network.load_state_dict(select_part(state, "dense"))
        self.rows.load_state_dict(select_part(state, "rows"))


def leave_out_rows(gradients: Gradients, num_rows: int) -> Gradients:
    """Return gradients that change the first rows of the embedding only.

    Nothing waits for the device: the other rows become the one of `<pad>`, with a
    gradient of 0, so that they change nothing.

    Args:
        gradients: The gradients of a step.
        num_rows: How many rows may change.
    """
    is_trained = gradients.word_ids < num_rows  # [R]
    word_ids = gradients.word_ids.where(is_trained, PAD_ID)  # [R]
    rows = gradients.rows * is_trained[:, None]  # [R, E]
    return Gradients(word_ids, rows, gradients.network)


def clip(gradients: list[torch.Tensor], norm: torch.Tensor, max_norm: float) -> None:
    """Scale gradients in place so that their norm is at most `max_norm`.

    This computes what torch's `clip_grad_norm_` does.

    Args:
        gradients: Tensors of any shapes.
        norm: Scalar, their total 2-norm.
        max_norm: Above 0.
    """
    torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))


def _call(update: Callable[[], None]) -> None:
    update()
