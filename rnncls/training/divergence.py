"""Numbers that go bad while a network trains: losses and gradients that are not finite,
gradients that explode.

Nothing here waits for the device at every step: numbers stay there until there are some
to look at together.
"""

import torch

LOOK_EVERY = 64
"""Steps from one look at the losses to the next."""
EXPLODED = 100.0
"""How many times as long as the others' mean a gradient is that has exploded; up to 15
times is every day's."""


class GradientWatch:
    """The losses and gradients of an epoch's steps: the length of the gradients, and
    which step went bad.
    """

    def __init__(self, device: torch.device) -> None:
        """Start an epoch; the sums stay on the device."""
        self.sum = torch.zeros((), device=device)
        self.largest = torch.zeros((), device=device)
        self.unseen: list[tuple[int, torch.Tensor, torch.Tensor]] = []

    def add(self, step: int, loss: torch.Tensor, norm: torch.Tensor) -> None:
        """Take in what a step found.

        Args:
            step: Its number.
            loss: Scalar, of its batch.
            norm: Scalar, the length of the gradient of all weights that move, before it
                is clipped.
        """
        self.sum += norm
        torch.maximum(self.largest, norm, out=self.largest)
        self.unseen.append((step, loss, norm))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the sums so far; all steps have been looked at."""
        return {"sum": self.sum, "largest": self.largest}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take back what `state_dict` returned."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])

    @property
    def is_full(self) -> bool:
        """Whether it is time to look."""
        return len(self.unseen) >= LOOK_EVERY

    def find_bad_step(self) -> int | None:
        """Return the first step since the last look whose loss or gradient is not
        finite, or None; waits for it.
        """
        if not self.unseen:
            return None
        steps, losses, norms = zip(*self.unseen, strict=True)
        self.unseen = []
        finite = (torch.stack(losses) + torch.stack(norms)).isfinite().tolist()
        return next(
            (
                step
                for step, is_finite in zip(steps, finite, strict=True)
                if not is_finite
            ),
            None,
        )

    def summary(self, num_steps: int) -> dict[str, float]:
        """Return the mean and the largest length of an epoch's gradients; waits for the
        device.
        """
        return {
            "gradient_norm": self.sum.item() / num_steps,
            "largest_gradient_norm": self.largest.item(),
        }


def has_exploded(norms: dict[str, float], num_steps: int) -> bool:
    """Return whether the largest gradient of an epoch is out of all proportion to the
    others.
    """
    largest = norms["largest_gradient_norm"]
    others = (norms["gradient_norm"] * num_steps - largest) / max(1, num_steps - 1)
    return 0 < EXPLODED * others < largest


def describe_explosion(norms: dict[str, float]) -> str:
    """Return a line on a gradient that has exploded, and what helps."""
    return (
        f"a gradient of length {norms['largest_gradient_norm']:.3g} where the mean is"
        f" {norms['gradient_norm']:.3g}: it has exploded; a lower learning rate or"
        " train.clip_norm helps"
    )
