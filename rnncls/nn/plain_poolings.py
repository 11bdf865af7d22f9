"""Poolings without parameters: the mean, the maximum and the last state.

A pooling exists in three forms: forward, backward and running (one state at a time, for
streams). The backward pass is hand-written: autograd would go over [T, B, H] a dozen
times, this goes over it twice. A class without one of the three forms does not satisfy
`PlainPooling`, so mypy rejects it as an entry of `PLAIN_POOLINGS`; the tests check
every entry with `gradcheck`.

Shapes: B texts, T tokens in the longest of them, H hidden_size, S width of a state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class PaddedStates:
    """The states of a batch in one direction.

    Attributes:
        values: [T, B, H], in reading order.
        lengths: [B] int64.
        mask: [T, B] bool, False on padding; None if there is no padding.
    """

    values: torch.Tensor
    lengths: torch.Tensor
    mask: torch.Tensor | None

    def filled(self, value: float) -> torch.Tensor:
        """Return the states with that value on padding. [T, B, H]."""
        if self.mask is None:
            return self.values
        return self.values.masked_fill(~self.mask[..., None], value)

    def last_positions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the index of each text's last state in [T, B]. [B] each."""
        texts = torch.arange(len(self.lengths), device=self.values.device)
        return self.lengths - 1, texts


class RunningPool(Protocol):
    """The pooled vector of one text, updated with each new state."""

    def add(self, state: torch.Tensor) -> torch.Tensor:
        """Add a state and return the pooled vector so far. [S] -> [S]."""


class PlainPooling(Protocol):
    """A pooling without parameters, applied to each direction on its own."""

    def forward(self, states: PaddedStates) -> torch.Tensor:
        """Return the pooled states. [B, H]."""

    def backward(
        self,
        states: PaddedStates,
        pooled: torch.Tensor,
        gradient: torch.Tensor,
        total: torch.Tensor,
    ) -> torch.Tensor:
        """Add this pooling's gradient of the states to `total`.

        Args:
            states: The arguments of `forward`.
            pooled: [B, H], what `forward` returned.
            gradient: [B, H], the gradient of `pooled`.
            total: The sum so far, broadcastable to [T, B, H]. It may be changed in
                place if it has the full shape. Values on padding are ignored.

        Returns:
            The new sum, broadcastable to [T, B, H].
        """

    def running(self) -> RunningPool:
        """Return the running form, before the first state."""


class MeanPooling:
    """The mean over the states of a text."""

    def forward(self, states: PaddedStates) -> torch.Tensor:
        """Return the means. [B, H]."""
        return states.filled(0.0).sum(dim=0) / states.lengths[:, None]

    def backward(
        self,
        states: PaddedStates,
        pooled: torch.Tensor,  # noqa: ARG002 - part of the protocol
        gradient: torch.Tensor,
        total: torch.Tensor,
    ) -> torch.Tensor:
        """Share the gradient equally among the states of a text."""
        return total + gradient / states.lengths[:, None]  # [B, H]

    def running(self) -> "RunningMean":
        """Return the running mean."""
        return RunningMean()


class MaxPooling:
    """The largest value of each unit over the states of a text."""

    def forward(self, states: PaddedStates) -> torch.Tensor:
        """Return the maxima. [B, H]."""
        return states.filled(-torch.inf).amax(dim=0)

    def backward(
        self,
        states: PaddedStates,
        pooled: torch.Tensor,
        gradient: torch.Tensor,
        total: torch.Tensor,
    ) -> torch.Tensor:
        """Share the gradient equally among the states that have the maximum."""
        # As floats, 1.0 at a maximum: comparing and multiplying floats is faster than
        # creating and applying a boolean mask.
        is_max = states.values.clone().eq_(pooled)  # [T, B, H]
        if states.mask is not None:
            is_max *= states.mask[..., None]
        share = gradient / is_max.sum(dim=0)  # [B, H]
        return torch.addcmul(total, is_max, share, out=is_max)  # [T, B, H]

    def running(self) -> "RunningMax":
        """Return the running maximum."""
        return RunningMax()


class LastPooling:
    """The state after the last token that a direction reads."""

    def forward(self, states: PaddedStates) -> torch.Tensor:
        """Return the last states. [B, H]."""
        return states.values[states.last_positions()]

    def backward(
        self,
        states: PaddedStates,
        pooled: torch.Tensor,  # noqa: ARG002 - part of the protocol
        gradient: torch.Tensor,
        total: torch.Tensor,
    ) -> torch.Tensor:
        """Add the gradient at the last state of each text."""
        total = _expanded(total, states.values)
        total[states.last_positions()] += gradient
        return total

    def running(self) -> "RunningLast":
        """Return the running last state."""
        return RunningLast()


class RunningMean:
    """The mean of the states so far."""

    def __init__(self) -> None:
        """Start without states."""
        self._count = 0
        self._sum: torch.Tensor | None = None

    def add(self, state: torch.Tensor) -> torch.Tensor:
        """Add a state and return the mean. [S] -> [S]."""
        self._count += 1
        self._sum = state if self._sum is None else self._sum + state
        return self._sum / self._count


class RunningMax:
    """The maximum of the states so far."""

    def __init__(self) -> None:
        """Start without states."""
        self._max: torch.Tensor | None = None

    def add(self, state: torch.Tensor) -> torch.Tensor:
        """Add a state and return the maxima. [S] -> [S]."""
        self._max = state if self._max is None else torch.maximum(self._max, state)
        return self._max


class RunningLast:
    """The last state."""

    def add(self, state: torch.Tensor) -> torch.Tensor:
        """Return the state itself. [S] -> [S]."""
        return state


PLAIN_POOLINGS: dict[str, PlainPooling] = {
    "mean": MeanPooling(),
    "max": MaxPooling(),
    "last": LastPooling(),
}
"""In the order in which the backward pass adds their gradients: the mean's is the same
for all states, so it is expanded to [T, B, H] only by the next one."""


def pool(
    states: torch.Tensor,
    lengths: torch.Tensor,
    mask: torch.Tensor | None,
    names: Sequence[str],
) -> tuple[torch.Tensor, ...]:
    """Apply plain poolings to the states of one direction.

    Args:
        states: [T, B, H], in reading order.
        lengths: [B] int64.
        mask: [T, B] bool, False on padding; None if there is no padding.
        names: Any of `PLAIN_POOLINGS`.

    Returns:
        [B, H] for each name.
    """
    return _PlainPoolings.apply(states, lengths, mask, tuple(names))  # type: ignore[no-any-return, no-untyped-call]


class _PlainPoolings(torch.autograd.Function):
    """Several plain poolings at once, with their own backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        values: torch.Tensor,
        lengths: torch.Tensor,
        mask: torch.Tensor | None,
        names: tuple[str, ...],
    ) -> tuple[torch.Tensor, ...]:
        states = PaddedStates(values, lengths, mask)
        pooled = tuple(PLAIN_POOLINGS[name].forward(states) for name in names)
        ctx.save_for_backward(values, lengths, mask, *pooled)
        ctx.names = names
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, lengths, mask, *pooled = ctx.saved_tensors
        states = PaddedStates(values, lengths, mask)
        total = values.new_zeros(())
        pooled_of = dict(zip(ctx.names, pooled, strict=True))
        gradient_of = dict(zip(ctx.names, gradients, strict=True))
        for name, pooling in PLAIN_POOLINGS.items():
            if name in pooled_of:
                total = pooling.backward(
                    states, pooled_of[name], gradient_of[name], total
                )
        total = _expanded(total, values)  # [T, B, H]
        if mask is not None:
            total *= mask[..., None]
        return total, None, None, None


def _expanded(total: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return a gradient in its full shape, [T, B, H], copied if it was broadcast."""
    if total.shape == values.shape:
        return total
    return torch.empty_like(values).copy_(total.expand_as(values))
