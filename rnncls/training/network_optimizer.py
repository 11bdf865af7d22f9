"""Optimise all weights except the embedding, with torch's own fused kernels.

This calls the functions behind torch's optimisers. The optimiser classes import
torch's compiler in their first step, which takes a second.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from rnncls.training.row_optimizer import BETA1, BETA2, EPSILON


class NetworkOptimizer:
    """SGD, Adam or AdamW with a learning-rate factor for each parameter."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        lr_factors: Sequence[float],
        name: str,
        weight_decay: float,
    ) -> None:
        """Start without any state.

        Args:
            parameters: All weights except the embedding.
            lr_factors: The factor on the learning rate of each.
            name: `sgd`, `adam` or `adamw`.
            weight_decay: As torch's optimiser of that name uses it.
        """
        self.parameters = list(parameters)
        self.lr_factors = list(lr_factors)
        self.name = name
        self.weight_decay = weight_decay
        self.states: list[dict[str, torch.Tensor]] = [{} for _ in self.parameters]
        # Fused kernels exist for every device but MPS.
        self.fused = all(weight.device.type != "mps" for weight in self.parameters)
        self.set_trainable(range(len(self.parameters)))

    def set_trainable(self, indices: Sequence[int]) -> None:
        """Select the parameters that `update` gets gradients for, in this order."""
        self.trainable = [self.parameters[index] for index in indices]
        # One kernel call updates all parameters of one learning rate.
        self._groups: dict[float, list[tuple[int, int]]] = {}
        for position, index in enumerate(indices):
            group = self._groups.setdefault(self.lr_factors[index], [])
            group.append((position, index))

    @torch.no_grad()
    def update(self, gradients: Sequence[torch.Tensor], lr: float) -> None:
        """Update the trainable parameters by their gradients."""
        for factor, group in self._groups.items():
            group_gradients = [gradients[position] for position, _ in group]
            indices = [index for _, index in group]
            if self.name == "sgd":
                self._update_by_sgd(indices, group_gradients, lr * factor)
            else:
                self._update_by_adam(indices, group_gradients, lr * factor)

    def _update_by_sgd(
        self, indices: list[int], gradients: list[torch.Tensor], lr: float
    ) -> None:
        weights: list[torch.Tensor] = [self.parameters[index] for index in indices]
        momentum_buffers: list[torch.Tensor | None] = [None] * len(weights)
        sgd(
            weights,
            gradients,
            momentum_buffers,
            fused=self.fused,
            weight_decay=self.weight_decay,
            momentum=0.0,
            lr=lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def _update_by_adam(
        self, indices: list[int], gradients: list[torch.Tensor], lr: float
    ) -> None:
        weights: list[torch.Tensor] = [self.parameters[index] for index in indices]
        states = [self.states[index] or self._init_state(index) for index in indices]
        update = adamw if self.name == "adamw" else adam
        update(
            weights,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=self.fused,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=lr,
            weight_decay=self.weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def _init_state(self, index: int) -> dict[str, torch.Tensor]:
        """Return Adam's state of a parameter before its first update."""
        weight = self.parameters[index]
        self.states[index] = {
            "step": torch.zeros((), device=weight.device if self.fused else "cpu"),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight),
        }
        return self.states[index]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return Adam's moments and step counts by name; nothing for SGD."""
        return {
            f"{index}.{name}": value
            for index, state in enumerate(self.states)
            for name, value in state.items()
        }

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self.states = [{} for _ in self.parameters]
        for key, value in state.items():
            index, _, name = key.partition(".")
            self.states[int(index)][name] = value
