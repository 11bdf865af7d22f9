"""The states of a recurrent layer, and the order in which each direction reads.

Shapes: B texts, T tokens in the longest of them, L layers, H hidden_size, D directions,
S = D * H width of a state.
"""

from dataclasses import dataclass

import torch

from rnncls.nn.kernels import reorder

HiddenState = tuple[torch.Tensor, ...]
"""What a left-to-right encoder keeps between two tokens, [L, B, H] each: the hidden
states, and an LSTM's cells too. It is empty before the first token."""


@dataclass(frozen=True)
class States:
    """The states of a batch, each direction in its own reading order.

    Values after the end of a text are undefined.

    Attributes:
        forward: [T, B, H], from a text's first token to its last.
        backward: [T, B, H], from a text's last token to its first; None if the encoder
            has one direction.
        reverse_index: [T * B] or [T] int64, see `compute_reverse_index`; None if the
            encoder has one direction.
    """

    forward: torch.Tensor
    backward: torch.Tensor | None = None
    reverse_index: torch.Tensor | None = None

    def directions(self) -> list[torch.Tensor]:
        """Return the states of each direction in its reading order. [T, B, H] each."""
        if self.backward is None:
            return [self.forward]
        return [self.forward, self.backward]

    def joined(self) -> torch.Tensor:
        """Concatenate the states of both directions at each token. [T, B, S]."""
        if self.backward is None or self.reverse_index is None:
            return self.forward
        backward = reorder(self.backward, self.reverse_index)  # [T, B, H]
        return torch.cat([self.forward, backward], dim=-1)


def compute_reverse_index(
    lengths: torch.Tensor, num_steps: int, *, is_ragged: bool = True
) -> torch.Tensor:
    """Return the index for `reorder` that reverses each text within its own length.

    Padding keeps its position, and applying the index twice restores the input. When
    all texts have the same length, whole steps are swapped, which is faster.

    Args:
        lengths: [B] int64 in 1..T.
        num_steps: T.
        is_ragged: Whether any length is below T.

    Returns:
        [T * B] int64, positions in the flattened [T, B]; [T] int64, steps, if
        `is_ragged` is false.
    """
    steps = torch.arange(num_steps, device=lengths.device)  # [T]
    if not is_ragged:
        return steps.flip(0)
    reversed_steps = lengths - 1 - steps[:, None]  # [T, B]
    reversed_steps = torch.where(
        reversed_steps >= 0, reversed_steps, steps[:, None]
    )  # [T, B]
    texts = torch.arange(len(lengths), device=lengths.device)  # [B]
    return (reversed_steps * len(lengths) + texts).flatten()  # [T * B]
