"""Row-wise optimisation of the embedding: update the rows of the batch's words only.

A dense optimiser step over a large embedding costs more than the network itself. Here
each row has its own optimiser state, which changes only when its word occurs in the
batch. Between two such steps its moments, and for Adam its step count, do not
change. If every word occurs in every batch, this equals the dense optimiser.

Shapes: V words, E embedding_dim, R distinct words in a batch.
"""

import torch

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch.optim.Adam's defaults


class RowAdam:
    """Adam (Kingma and Ba 2015) with moments and a step count for each row."""

    def __init__(self, weight: torch.Tensor) -> None:
        """Start with moments of zero for a matrix [V, E]."""
        num_rows, width = weight.shape
        # Side by side, so that both moments of a row are read and written in one call.
        self.moments = torch.zeros(
            num_rows, 2, width, device=weight.device
        )  # [V, 2, E] float32
        self.steps = torch.zeros(num_rows, 1, device=weight.device)  # [V, 1] float32

    def direction(self, rows: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Count one step for each of the rows, and return Adam's direction for them.

        Args:
            rows: [R] int64, row numbers without repeats.
            gradient: [R, E] float32.

        Returns:
            [R, E] float32, to be multiplied by the learning rate and subtracted.
        """
        steps = self.steps.index_select(0, rows)  # [R, 1]
        moments = self.moments.index_select(0, rows)  # [R, 2, E]
        mean, square = moments.unbind(1)  # views of the moments, [R, E] each
        steps.add_(1)
        mean.lerp_(gradient, 1 - BETA1)
        square.mul_(BETA2)
        square.addcmul_(gradient, gradient, value=1 - BETA2)
        self.steps.index_copy_(0, rows, steps)
        self.moments.index_copy_(0, rows, moments)

        # The moments start at 0; these factors correct them for it.
        mean_correction = 1 - BETA1**steps  # [R, 1]
        square_correction = 1 - BETA2**steps  # [R, 1]
        corrected_mean = mean.div(mean_correction)  # [R, E]
        deviation = square.div(square_correction).sqrt_()  # [R, E]
        deviation.add_(EPSILON)
        return corrected_mean.div_(deviation)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the moments and the step counts by name."""
        return {"moments": self.moments, "steps": self.steps}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self.moments.copy_(state["moments"])
        self.steps.copy_(state["steps"])


class RowOptimizer:
    """SGD, Adam or AdamW on some rows of the embedding at a time."""

    def __init__(self, weight: torch.Tensor, name: str, weight_decay: float) -> None:
        """Take the embedding [V, E], and `sgd`, `adam` or `adamw`."""
        self.weight = weight
        self.weight_decay = weight_decay
        self.is_decoupled = name == "adamw"
        self.adam = None if name == "sgd" else RowAdam(weight)

    @torch.no_grad()
    def update(self, rows: torch.Tensor, gradient: torch.Tensor, lr: float) -> None:
        """Update rows [R] by their gradient [R, E]."""
        values = self.weight.index_select(0, rows)  # [R, E]
        decay = self.weight_decay
        if decay and self.is_decoupled:
            values *= 1 - lr * decay
        elif decay:
            gradient = gradient + decay * values  # [R, E]
        if self.adam is None:
            direction = gradient
        else:
            direction = self.adam.direction(rows, gradient)  # [R, E]
        values.sub_(direction, alpha=lr)
        self.weight.index_copy_(0, rows, values)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return Adam's moments and step counts; nothing for SGD."""
        return {} if self.adam is None else self.adam.state_dict()

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned."""
        if self.adam is not None:
            self.adam.load_state_dict(state)
