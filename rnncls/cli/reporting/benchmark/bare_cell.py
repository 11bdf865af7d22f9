"""A bare cell of torch.nn: what the program's speed is compared with.

Shapes: B texts in a batch, T tokens, E embedding_dim, S width of a state.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch

from rnncls import ConfigError
from rnncls.config.sections import ModelSection
from rnncls.machine.threads import start_workers
from rnncls.nn.encoder import CELLS, Encoder


class BareCell:
    """A torch.nn cell on random inputs without padding, and nothing around it."""

    def __init__(self, section: ModelSection, device: torch.device) -> None:
        """Build the cell, in torch's own layout [T, B, E].

        Raises:
            ConfigError: torch.nn does not have this cell.
        """
        self.embedding_dim = section.embedding_dim
        self.tokens_per_step = section.tokens_per_step
        if section.cell not in CELLS:
            raise ConfigError(
                f"model.cell: {section.cell} has no counterpart in torch.nn to"
                f" compare with: use {', '.join(CELLS)}"
            )
        self.device = device
        self.cell = Encoder(section).rnn.to(device)

    def inputs(self, shapes: Sequence[tuple[int, int]]) -> list[torch.Tensor]:
        """Return a random input for each (B, T), with the steps that T tokens have.

        It needs a gradient, as the embedding below a cell does. [K, B, E] each.
        """
        return [
            torch.randn(
                (-(-length // self.tokens_per_step), size, self.embedding_dim),
                device=self.device,
                requires_grad=True,
            )
            for size, length in shapes
        ]

    def train(self, inputs: Sequence[torch.Tensor]) -> None:
        """Run forward and backward on each input, with all threads."""
        with _all_threads():
            for values in inputs:
                states = self.cell(values)[0]  # [T, B, S]
                torch.autograd.backward(states, torch.ones_like(states))
                self.cell.zero_grad()

    def infer(self, inputs: Sequence[torch.Tensor]) -> None:
        """Run only forward on each input, in evaluation mode, with all threads."""
        self.cell.eval()
        with torch.inference_mode(), _all_threads():
            for values in inputs:
                self.cell(values)


@contextlib.contextmanager
def _all_threads() -> Iterator[None]:
    """Let torch use as many threads in a kernel as the program has workers."""
    torch.set_num_threads(start_workers(torch.device("cpu")).num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(1)
