"""The processes that torchrun starts, as far as the command line needs them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def torchrun_int(name: str) -> int:
    """Return an integer that torchrun sets in the environment of each process.

    Args:
        name: `RANK`, `LOCAL_RANK` or `WORLD_SIZE`.

    Returns:
        The integer; 0 without torchrun.
    """
    is_started_by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    return int(os.environ[name]) if is_started_by_torchrun else 0


@contextlib.contextmanager
def silence_other_ranks() -> Iterator[None]:
    """Discard what a command prints, in every process except that of rank 0."""
    if torchrun_int("RANK") == 0:
        yield
        return
    with (
        Path(os.devnull).open("w") as devnull,
        contextlib.redirect_stdout(devnull),
        contextlib.redirect_stderr(devnull),
    ):
        yield
