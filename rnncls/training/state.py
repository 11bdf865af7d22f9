"""The saved state of a trainer: its plain values, and the names of its tensors."""

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeInt


class TrainerState(BaseModel):
    """The plain values of a trainer's state; each field is an attribute of it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    step: NonNegativeInt
    num_tokens: NonNegativeInt
    elapsed_s: float
    epoch_s: float
    best_score: float | None
    best_epoch: NonNegativeInt
    num_validations: NonNegativeInt


def add_prefix(part: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the state of a part with the names that it has in the complete state."""
    return {f"{part}.{name}": value for name, value in state.items()}


def select_part(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """Return the state of a part, by the names that `add_prefix` was given."""
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix)
    }
