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
    """Give a function that adds a row to the events which TensorBoard shows; without a
    folder it does nothing.

    Args:
        folder: Where the events go.
        step: Events of this step and later ones, which a run before this one has left
            there, are void.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    if folder is None:
        yield lambda row: None  # noqa: ARG005 - nobody wants it
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "train.tensorboard: TensorBoard is not installed: pip install 'rnncls[tb]'"
        ) from error

    def add(row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            part, _, figure = name.partition("_")
            if part in {"train", "valid"}:
                writer.add_scalar(f"{figure}/{part}", value, row["step"])
        writer.add_scalar("tokens_per_s", row["tokens_per_s"], row["step"])
        writer.flush()

    with SummaryWriter(str(folder), purge_step=step) as writer:
        yield add
