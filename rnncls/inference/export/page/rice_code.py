"""Ascending whole numbers as bits: the Golomb-Rice code of their distances.

Source: Rice and Plaunt 1971, "Adaptive variable-length coding". A distance `d` is
written as `d >> num_low_bits` ones and a zero, then as its low bits, the lowest first.
Random numbers take about half a bit more each than is possible at all.

Shapes: N numbers, X bits of all of them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class RiceCode(NamedTuple):
    """Ascending numbers as bits.

    Attributes:
        data: The bits, eight a byte, the lowest bit of a byte first.
        num_low_bits: How many bits of each distance are written as they are.
    """

    data: npt.NDArray[np.uint8]
    num_low_bits: int


def encode_ascending(numbers: Ints) -> RiceCode:
    """Encode distinct numbers of at least 0 in ascending order. [N] int64.

    The distance of a number is that to the number before plus 1, so that it may be 0.
    """
    distances = np.diff(numbers, prepend=-1) - 1  # [N]
    num_low_bits = _choose_num_low_bits(distances)
    num_ones = distances >> num_low_bits  # [N]
    lengths = num_ones + 1 + num_low_bits  # [N]
    ends = np.cumsum(lengths)  # [N]
    low_starts = ends - num_low_bits  # [N]
    zeros = low_starts - 1  # [N]
    num_bits = int(lengths.sum())
    bits = np.ones(num_bits, np.uint8)  # [X]
    bits[zeros] = 0
    for bit in range(num_low_bits):
        places = low_starts + bit  # [N]
        shifted = distances >> bit  # [N]
        bits[places] = shifted & 1
    data = np.packbits(bits, bitorder="little")
    return RiceCode(data, num_low_bits)


def _choose_num_low_bits(distances: Ints) -> int:
    """Return the number of low bits that makes the code of random numbers short."""
    if not len(distances):
        return 0
    typical = max(1.0, distances.mean() * np.log(2))
    num_low_bits = np.log2(typical).round()
    return int(num_low_bits)
