"""Ascending numbers as bits."""

import numpy as np
import pytest

from rnncls.inference.export.page.rice_code import encode_ascending
from tests.inference.export.page.scripts import Scripts

SPARSE = np.unique(np.random.default_rng(0).integers(0, 2**32, 5000))


@pytest.mark.parametrize(
    "numbers",
    [
        np.zeros(0, np.int64),
        np.array([0]),
        np.array([2**32 - 1]),
        np.arange(1000),
        np.array([0, 1, 5, 1_000_000, 2**32 - 1]),
        SPARSE,
    ],
    ids=["none", "zero", "largest", "all", "uneven", "sparse"],
)
def test_the_scripts_decode_what_is_encoded(
    numbers: np.ndarray, scripts: Scripts
) -> None:
    code = encode_ascending(numbers)
    decoded = scripts.run(
        "decode",
        bytes=code.data.tolist(),
        code={"count": len(numbers), "numLowBits": code.num_low_bits},
    )
    assert decoded == numbers.tolist()


def test_the_bits_are_those_of_the_definition() -> None:
    code = encode_ascending(np.array([2, 5, 14]))  # distances 2, 2, 8: mean 4
    assert code.num_low_bits == 1
    # 2 is 1 0 | 0, twice; 8 is 1 1 1 1 0 | 0.
    assert np.unpackbits(code.data, bitorder="little")[:12].tolist() == [
        *(1, 0, 0, 1, 0, 0),
        *(1, 1, 1, 1, 0, 0),
    ]


def test_random_numbers_take_little_more_than_is_possible() -> None:
    num_bits = 8 * len(encode_ascending(SPARSE).data)
    possible = np.log2(2**32 / len(SPARSE)) + np.log2(np.e)
    assert num_bits / len(SPARSE) < possible + 0.2
