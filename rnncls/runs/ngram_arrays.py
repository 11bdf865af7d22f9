"""The n-gram part of a run, among the arrays of its weights file."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from rnncls import RunError
from rnncls.text.ngram_table import PREFIX, NgramTable, unpack_table


def take_ngrams(
    arrays: dict[str, npt.NDArray[Any]], num_classes: int, source: Path
) -> NgramTable | None:
    """Remove the n-gram part from loaded arrays; return it, or None: there is none.

    Args:
        arrays: The arrays of the weights file.
        num_classes: How many classes the run has.
        source: The weights file, for the message.

    Raises:
        RunError: The n-gram part is damaged.
    """
    names = [name for name in arrays if name.startswith(PREFIX)]
    if not names:
        return None
    try:
        table = unpack_table({name: arrays.pop(name) for name in names})
    except ValueError as error:
        raise RunError(f"{source}: damaged: {error}") from error
    if len(table.bias) != num_classes:
        raise RunError(
            f"{source}: the n-gram part has {len(table.bias)} classes, the run"
            f" {num_classes}"
        )
    return table
