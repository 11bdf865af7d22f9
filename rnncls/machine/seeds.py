"""Random numbers: torch's global seed, and generators for a seed and a step."""

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed torch's global generator, which draws the initial weights."""
    torch.manual_seed(seed)


def generator_of(device: torch.device, *numbers: int) -> torch.Generator:
    """Return a generator that depends on the numbers only, e.g. a seed and a step.

    The numbers are mixed by NumPy's `SeedSequence`, so that neighbouring steps have
    independent streams.
    """
    sequence = np.random.SeedSequence(numbers)
    seed = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(seed >> 1)
