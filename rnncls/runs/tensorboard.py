"""The rows of metrics.jsonl as TensorBoard event files (`train.tensorboard`)."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rnncls import ConfigError


@contextlib.contextmanager
def event_log(
    folder: Path | None, step: int
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Open a TensorBoard log, and yield the function that adds a metric row to it.

    Args:
        folder: The folder of the event files; None: rows are ignored.
        step: The first step that will be logged. TensorBoard then ignores events of
            this and later steps that were logged before the run was resumed.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    if folder is None:
        yield lambda row: None  # noqa: ARG005 - rows are ignored
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "train.tensorboard: TensorBoard is not installed: pip install 'rnncls[tb]'"
        ) from error

    def add(row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            split, _, metric = name.partition("_")
            if split in {"train", "valid"}:
                writer.add_scalar(f"{metric}/{split}", value, row["step"])
        writer.add_scalar("tokens_per_s", row["tokens_per_s"], row["step"])
        writer.flush()

    with SummaryWriter(str(folder), purge_step=step) as writer:
        yield add
