"""Pooling: the states of a text to one vector.

Shapes: B texts, T tokens in the longest of them, H hidden_size, D directions, S = D * H
width of a state, P poolings.
"""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from rnncls.nn.attention import Attention
from rnncls.nn.plain_poolings import PLAIN_POOLINGS, RunningPool, pool
from rnncls.nn.states import States

POOLINGS = (*PLAIN_POOLINGS, "attention")
"""Every value of the config key `model.pooling`."""


class Pooling(nn.Module):
    """One or more poolings of a text's states, concatenated."""

    def __init__(self, names: Sequence[str], state_size: int) -> None:
        """Take the names of the poolings, in the order in which they are concatenated.

        Args:
            names: Any of `POOLINGS`.
            state_size: S.
        """
        super().__init__()
        self.names = tuple(names)
        self.attention = Attention(state_size) if "attention" in names else None

    def forward(
        self, states: States, lengths: torch.Tensor, *, is_ragged: bool
    ) -> torch.Tensor:
        """Return the pooled states. [T, B, S], [B] -> [B, P * S]."""
        mask = padding_mask(states, lengths) if is_ragged else None  # [T, B]
        vectors = self._pool_directions(states, lengths, mask)
        if self.attention is not None:
            joined = states.joined()  # [T, B, S]
            vectors["attention"] = [self.attention.pool(joined, mask)]  # [B, S]
        ordered = []
        for name in self.names:
            ordered.extend(vectors[name])
        return torch.cat(ordered, dim=-1)

    def _pool_directions(
        self, states: States, lengths: torch.Tensor, mask: torch.Tensor | None
    ) -> dict[str, list[torch.Tensor]]:
        """Apply the plain poolings. [B, H] for each name and direction."""
        names = [name for name in self.names if name in PLAIN_POOLINGS]
        vectors: dict[str, list[torch.Tensor]] = {name: [] for name in names}
        # The backward states need no reordering: their last one in reading order is the
        # one at the text's first token.
        for direction in states.directions():
            pooled = pool(direction, lengths, mask, names)
            for name, vector in zip(names, pooled, strict=True):
                vectors[name].append(vector)
        return vectors

    def running(self) -> "RunningPooling":
        """Return the running form for one text, before its first state."""
        pools: list[RunningPool] = []
        for name in self.names:
            if name in PLAIN_POOLINGS:
                pools.append(PLAIN_POOLINGS[name].running())
            elif self.attention is not None:
                pools.append(self.attention.running())
        return RunningPooling(pools)


class RunningPooling:
    """The running form of `Pooling` for one text, at a constant cost per state."""

    def __init__(self, pools: Sequence[RunningPool]) -> None:
        """Take one running form per pooling, in the order of concatenation."""
        self._pools = pools

    def copy(self) -> "RunningPooling":
        """Return one with the same states so far, which can go on by itself."""
        # No pool changes a tensor in place, so the weights of attention are shared.
        return RunningPooling([copy.copy(pool) for pool in self._pools])

    def add(self, state: torch.Tensor) -> torch.Tensor:
        """Add a state and return the pooled vectors so far. [S] -> [P * S]."""
        return torch.cat([pool.add(state) for pool in self._pools])


def padding_mask(states: States, lengths: torch.Tensor) -> torch.Tensor:
    """Return True for tokens and False for padding. [T, B] bool."""
    num_steps = len(states.forward)
    return torch.arange(num_steps, device=lengths.device)[:, None] < lengths
