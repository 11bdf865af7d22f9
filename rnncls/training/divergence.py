"""Detect losses and gradients that are not finite, and gradients that explode.

Nothing here waits for the device in each step: values stay on the device until there
are enough of them to check at once.
"""

import torch

CHECK_EVERY = 64
"""Steps between two checks of the losses."""
EXPLOSION_RATIO = 100.0
"""How many times the mean of the others the norm of an exploded gradient is.

Up to 15 times is normal."""


class GradientMonitor:
    """The gradient norms of an epoch's steps, and the steps not checked yet."""

    def __init__(self, device: torch.device) -> None:
        """Start an epoch; the sums stay on the device."""
        self.sum = torch.zeros((), device=device)
        self.largest = torch.zeros((), device=device)
        self.unchecked: list[tuple[int, torch.Tensor, torch.Tensor]] = []

    def add(self, step: int, loss: torch.Tensor, norm: torch.Tensor) -> None:
        """Add a step.

        Args:
            step: Its number, from 0.
            loss: Scalar, the loss of its batch.
            norm: Scalar, the 2-norm of the gradient of all trainable weights before
                clipping.
        """
        self.sum += norm
        torch.maximum(self.largest, norm, out=self.largest)
        self.unchecked.append((step, loss, norm))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the sums so far. All steps must have been checked."""
        return {"sum": self.sum, "largest": self.largest}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self.sum.copy_(state["sum"])
        self.largest.copy_(state["largest"])

    @property
    def is_full(self) -> bool:
        """Whether there are enough steps for a check."""
        return len(self.unchecked) >= CHECK_EVERY

    def find_bad_step(self) -> int | None:
        """Return the first unchecked step with a loss or gradient that is not finite.

        This waits for these steps. None: all are finite.
        """
        if not self.unchecked:
            return None
        steps, losses, norms = zip(*self.unchecked, strict=True)
        self.unchecked = []
        sums = torch.stack(losses) + torch.stack(norms)
        for step, is_finite in zip(steps, sums.isfinite().tolist(), strict=True):
            if not is_finite:
                return int(step)
        return None

    def summary(self, num_steps: int) -> dict[str, float]:
        """Return the mean and the largest norm of an epoch; waits for the device."""
        return {
            "gradient_norm": self.sum.item() / num_steps,
            "largest_gradient_norm": self.largest.item(),
        }


def has_exploded(norms: dict[str, float], num_steps: int) -> bool:
    """Return whether the largest gradient of an epoch is far longer than the others.

    Args:
        norms: What `GradientMonitor.summary` returns.
        num_steps: The steps of the epoch.
    """
    largest = norms["largest_gradient_norm"]
    sum_of_others = norms["gradient_norm"] * num_steps - largest
    mean_of_others = sum_of_others / max(1, num_steps - 1)
    return 0 < EXPLOSION_RATIO * mean_of_others < largest


def describe_explosion(norms: dict[str, float]) -> str:
    """Return a message about a gradient that has exploded, and what helps."""
    return (
        f"the gradient has exploded: its largest norm is"
        f" {norms['largest_gradient_norm']:.3g}, the mean is"
        f" {norms['gradient_norm']:.3g}; try a lower learning rate or train.clip_norm"
    )
