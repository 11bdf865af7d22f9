"""Attention pooling, which weights the states of a text.

Shapes: B texts, T tokens in the longest of them, S width of a state.
"""

import torch
from torch import nn


class Attention(nn.Module):
    """Soft attention over states with a learned query (Yang et al. 2016).

    The source is "Hierarchical attention networks for document classification".
    """

    def __init__(self, state_size: int) -> None:
        """Build the projection and the query, each as wide as a state."""
        super().__init__()
        self.projection = nn.Linear(state_size, state_size)
        self.query = nn.Linear(state_size, 1, bias=False)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return the attention weights.

        Args:
            states: [T, B, S], both directions at their tokens.
            mask: [T, B] bool, False on padding; None if there is no padding.

        Returns:
            [T, B]. They sum to 1 over a text and are 0 on padding.
        """
        scores = self.score(states)  # [T, B]
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(dim=0)

    def pool(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return the weighted sums of the states. [T, B, S], [T, B] -> [B, S]."""
        weights = self(states, mask)  # [T, B]
        return torch.einsum("tb,tbs->bs", weights, states)

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """Return each state's score before the softmax. [..., S] -> [...]."""
        scores: torch.Tensor = self.query(torch.tanh(self.projection(states)))
        return scores.squeeze(-1)

    def running(self) -> "RunningAttention":
        """Return the running form, before the first state."""
        return RunningAttention(self)


class RunningAttention:
    """The attention-weighted mean of the states so far, as an online softmax."""

    def __init__(self, attention: Attention) -> None:
        """Start without states."""
        self._attention = attention
        weight = attention.query.weight
        # The sums are of e^(score - maximum), so that none of them overflows.
        self._max_score = weight.new_full((), -torch.inf)
        self._sum_weights = weight.new_zeros(())
        self._weighted_sum = weight.new_zeros(())

    def add(self, state: torch.Tensor) -> torch.Tensor:
        """Add a state and return the weighted mean. [S] -> [S]."""
        score = self._attention.score(state)  # []
        max_score = torch.maximum(self._max_score, score)  # []
        rescale = (self._max_score - max_score).exp()  # []
        weight = (score - max_score).exp()  # []
        self._max_score = max_score
        self._sum_weights = self._sum_weights * rescale + weight  # []
        self._weighted_sum = self._weighted_sum * rescale + weight * state  # [S]
        return self._weighted_sum / self._sum_weights
