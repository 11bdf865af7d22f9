"""Optimisation: the learning rate's schedule, clipping, and an update of the embedding
that touches its used rows only.

A dense optimiser step over a large embedding costs more than the network. Here only the
rows of the batch's words have a gradient, and each row has an optimiser of its own that
steps only when its word occurs in the batch: its moments, and for Adam its count of
steps, stand still in between. Where every word occurs in every batch this equals the
dense optimiser.

Shapes: V words, E embedding_dim, R distinct words in a batch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import torch
from torch import nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd
from torch.optim.swa_utils import AveragedModel

from rnncls.config.sections import TrainSection
from rnncls.machine.threads import start_workers

Schedule = Literal["constant", "linear", "cosine", "one_cycle"]
ROWS_WORTH_SHARING = 512
"""Rows of the embedding that are worth more than one thread."""
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch.optim.Adam's


def lr_factor(
    step: int, num_steps: int, schedule: Schedule, warmup_fraction: float
) -> float:
    """Return what the highest learning rate is multiplied by in step 0, 1, …,
    `num_steps`
    - 1.

    It rises over the first `warmup_fraction` of the steps, in a straight line or, for
    one_cycle (Smith 2018), along half a cosine, and then stays (constant), or falls
    towards 0 in a straight line (linear) or along half a cosine.
    """
    warmup_steps = warmup_fraction * num_steps
    if step + 1 < warmup_steps:
        share = (step + 1) / warmup_steps
        return (1 - math.cos(math.pi * share)) / 2 if schedule == "one_cycle" else share
    share = (
        (step - warmup_steps) / (num_steps - warmup_steps)
        if num_steps > warmup_steps
        else 0.0
    )
    share = min(max(share, 0.0), 1.0)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - share
        case _:
            return (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Gradients:
    """What a step moves the weights along.

    Attributes:
        words: [R] int64, the embedding's rows that the batch used.
        rows: [R, E] float32, theirs.
        network: One for each of the other parameters that move, in their order.
    """

    words: torch.Tensor
    rows: torch.Tensor
    network: list[torch.Tensor]


def add_up(words: torch.Tensor, parts: Sequence[Sequence[torch.Tensor]]) -> Gradients:
    """Return the sum of the gradients of the parts of a batch, each those of the rows
    and then of the network.
    """
    total = list(parts[0])
    for part in parts[1:]:
        torch._foreach_add_(total, list(part))
    return Gradients(words, total[0], total[1:])


class Optimizer:
    """One optimiser for the whole model: torch's fused kernels for the network, a
    row-wise one for the embedding.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        network: Iterable[nn.Parameter],
        depths: Sequence[int],
        section: TrainSection,
    ) -> None:
        """Take the embedding, all other parameters, and for each of these how many
        layers stand above it.
        """
        self.embedding = embedding
        self.workers = start_workers(embedding.weight.device)
        self.network = list(network)
        self.depths = list(depths)
        self.name = section.optimizer
        self.weight_decay = section.weight_decay
        self.clip_norm = section.clip_norm
        self.frozen_epochs = section.freeze_encoder, section.freeze_embedding
        self.factors = [section.layer_lr_decay**depth for depth in self.depths]
        self.states: list[dict[str, torch.Tensor]] = [{} for _ in self.network]
        # Fused kernels exist for every device but MPS.
        self.fused = embedding.weight.device.type != "mps"
        self.rows_factor = section.layer_lr_decay ** (max(self.depths) + 1)
        self.rows = None if section.optimizer == "sgd" else RowMoments(embedding.weight)
        self.norm = torch.zeros((), device=embedding.weight.device)
        """How long the last step's gradient was, of all weights that move, before it
        was clipped."""
        self.thaw(0)

    def thaw(self, epoch: int) -> None:
        """Let those weights move that are not, or no longer, frozen in this epoch, from
        0.
        """
        encoder, embedding = self.frozen_epochs
        self.moves_rows = epoch >= embedding
        self.moving_numbers = [
            number
            for number, depth in enumerate(self.depths)
            if depth == 0 or epoch >= encoder
        ]

    @property
    def moving(self) -> list[nn.Parameter]:
        """Those of the network's parameters that move."""
        return [self.network[number] for number in self.moving_numbers]

    def step(self, gradients: Gradients, lr: float) -> None:
        """Clip the gradients, in place, and update every parameter that moves by them."""
        moving = [*([gradients.rows] if self.moves_rows else []), *gradients.network]
        self.norm = torch.nn.utils.get_total_norm(moving)
        if self.clip_norm is not None:
            clip(moving, self.norm, self.clip_norm)
        update = partial(self._update_network, gradients.network, lr)
        num_parts = (
            self.workers.num_threads
            if len(gradients.words) >= ROWS_WORTH_SHARING
            else 1
        )
        parts = zip(
            gradients.words.chunk(num_parts),
            gradients.rows.chunk(num_parts),
            strict=True,
        )
        updates = [
            partial(self._update_rows, words, rows, lr * self.rows_factor)
            for words, rows in parts
        ]
        if not self.moves_rows:
            update()
        elif num_parts == 1:
            update()
            updates[0]()
        else:
            self.workers.map(lambda work: work(), [update, *updates])

    @torch.no_grad()
    def _update_network(self, gradients: Sequence[torch.Tensor], lr: float) -> None:
        """Update the parameters that move, those of one rate together, by the functions
        behind torch's optimisers.

        The optimisers themselves import torch's compiler in their first step, which
        takes a second.
        """
        for factor in sorted({self.factors[number] for number in self.moving_numbers}):
            pairs = zip(self.moving_numbers, gradients, strict=True)
            numbers, own = zip(
                *(pair for pair in pairs if self.factors[pair[0]] == factor),
                strict=True,
            )
            weights: list[torch.Tensor] = [self.network[number] for number in numbers]
            settings: dict[str, Any] = {
                "lr": lr * factor,
                "weight_decay": self.weight_decay,
                "fused": self.fused,
            }
            settings["maximize"] = False
            if self.name == "sgd":
                no_momentum: list[torch.Tensor | None] = [None] * len(own)
                sgd(
                    weights,
                    [*own],
                    no_momentum,
                    **settings,
                    momentum=0.0,
                    dampening=0.0,
                    nesterov=False,
                )
                continue
            states = [
                self.states[number] or self._first_state(number) for number in numbers
            ]
            means, squares, steps = (
                [state[name] for state in states]
                for name in ("exp_avg", "exp_avg_sq", "step")
            )
            update = adamw if self.name == "adamw" else adam
            betas: dict[str, Any] = {
                "beta1": BETA1,
                "beta2": BETA2,
                "eps": EPSILON,
                "amsgrad": False,
            }
            update(weights, [*own], means, squares, [], steps, **settings, **betas)

    def _first_state(self, number: int) -> dict[str, torch.Tensor]:
        """Return Adam's state of a parameter that has not moved yet."""
        weight = self.network[number]
        moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
        self.states[number] = {
            "step": torch.zeros((), device=weight.device if self.fused else "cpu"),
            **moments,
        }
        return self.states[number]

    @torch.no_grad()
    def _update_rows(
        self, rows: torch.Tensor, gradient: torch.Tensor, lr: float
    ) -> None:
        """Update the embedding's rows. [R], [R, E]."""
        weight = self.embedding.weight
        values = weight.index_select(0, rows)  # [R, E]
        if self.weight_decay and self.name == "adamw":
            values *= 1 - lr * self.weight_decay
        elif self.weight_decay:
            gradient = gradient + self.weight_decay * values  # [R, E]
        direction = (
            gradient if self.rows is None else self.rows.direction(rows, gradient)
        )  # [R, E]
        weight.index_copy_(0, rows, values.sub_(direction, alpha=lr))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return all that a resumed run needs, by name."""
        state: dict[str, torch.Tensor] = {}
        for number, own in enumerate(self.states):
            state |= {f"dense.{number}.{name}": value for name, value in own.items()}
        if self.rows is not None:
            state |= {
                f"rows.{name}": value for name, value in self.rows.state_dict().items()
            }
        return state

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take back what `state_dict` returned."""
        for number in range(len(self.network)):
            prefix = f"dense.{number}."
            self.states[number] = {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
        if self.rows is not None:
            self.rows.load_state_dict(
                {name: state[f"rows.{name}"] for name in self.rows.state_dict()}
            )


class RowMoments:
    """Adam's moments (Kingma and Ba 2015), kept and counted for each row of a matrix on
    its own.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        """Start from zero for a matrix [V, E]."""
        # Side by side, so that a row's two moments are read and written in one go.
        self.moments = torch.zeros(
            len(weight), 2, weight.shape[1], device=weight.device
        )  # [V, 2, E]
        self.steps = torch.zeros(len(weight), 1, device=weight.device)  # [V, 1] float32

    def direction(self, rows: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Count one step for each row and return Adam's direction for it. [R] int64,
        [R, E] -> [R, E].
        """
        steps = self.steps.index_select(0, rows).add_(1)  # [R, 1]
        moments = self.moments.index_select(0, rows)  # [R, 2, E]
        mean, square = moments.unbind(1)  # [R, E]
        mean.lerp_(gradient, 1 - BETA1)
        square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        self.steps.index_copy_(0, rows, steps)
        self.moments.index_copy_(0, rows, moments)
        spread = square.div(1 - BETA2**steps).sqrt_().add_(EPSILON)  # [R, E]
        return mean.div(1 - BETA1**steps).div_(spread)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the moments and counts by name."""
        return {"moments": self.moments, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])


def clip(gradients: list[torch.Tensor], norm: torch.Tensor, max_norm: float) -> None:
    """Scale gradients of this length in place so that it is `max_norm` at the most, as
    clip_grad_norm_ does.
    """
    torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))


class RunningMean(AveragedModel):
    """A copy of a model that holds the running mean of its weights, looked at every few
    steps.
    """

    EVERY = 10
    """Steps from one look to the next, if an epoch has as many: the mean is as good as
    of all, and costs a tenth."""

    def __init__(self, model: nn.Module, decay: float, steps_per_epoch: int) -> None:
        """Start with the weights as they are.

        Args:
            model: Whose weights.
            decay: What an earlier step's weights fade by in a step, in the end; at the
                start they fade faster.
            steps_per_epoch: So that it has looked once before it is validated.
        """
        self.every = min(self.EVERY, steps_per_epoch)

        @torch.no_grad()
        def update(kept: Any, new: Any, num_looks: Any) -> None:
            looks = int(num_looks)
            fade = min(decay**self.every, (1 + looks) / (10 + looks))
            torch._foreach_lerp_(list(kept), list(new), 1 - fade)

        super().__init__(model, multi_avg_fn=update)


def build_optimizer(model: "Layered", section: TrainSection) -> Optimizer:
    """Return the optimiser of a model."""
    network = [
        parameter
        for parameter in model.parameters()
        if parameter is not model.embedding.weight
    ]
    depths = {
        id(weight): depth
        for depth, layer in enumerate(model.layers())
        for weight in layer
    }
    return Optimizer(
        model.embedding, network, [depths[id(weight)] for weight in network], section
    )


class Layered(Protocol):
    """What an optimiser asks of a model."""

    embedding: nn.Embedding

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return all weights."""

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the weights of each layer but the embedding, from the last down to the
        words.
        """
