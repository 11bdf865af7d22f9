"""Sums over the steps of an epoch, which stay on the device until the epoch ends."""

import torch

from rnncls.training.divergence import GradientMonitor
from rnncls.training.state import add_prefix, select_part
from rnncls.training.step_data import StepResult


class EpochSums:
    """The summed loss, the correct texts and the gradient norms of an epoch so far."""

    def __init__(self, device: torch.device) -> None:
        """Start with zeros."""
        self.loss = torch.zeros((), device=device)
        self.num_correct = torch.zeros((), dtype=torch.int64, device=device)
        self.gradients = GradientMonitor(device)

    def add(self, result: StepResult) -> None:
        """Add the sums of a step."""
        self.loss += result.loss
        self.num_correct += result.num_correct

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the sums by name."""
        return {
            "epoch_loss": self.loss,
            "epoch_correct": self.num_correct,
            **add_prefix("gradients", self.gradients.state_dict()),
        }

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            KeyError: A sum is missing.
            RuntimeError: A sum has another shape.
        """
        self.gradients.load_state_dict(select_part(state, "gradients"))
        self.loss.copy_(state["epoch_loss"].reshape(()))
        self.num_correct.copy_(state["epoch_correct"].reshape(()))
