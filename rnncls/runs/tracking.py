"""What a person and a program see of a training run: the bar, and one line of JSON a
validation, as it comes.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from tqdm import tqdm

from rnncls import ConfigError, RunError
from rnncls.machine.files import read_bytes, sha256_of

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
"""How often the bar asks the device for the loss: asking waits for the step."""


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a file of JSON lines; it is on the disk before this returns, as a
    resumed run expects.

    Raises:
        RunError: The disk is full, or the file cannot be written to.
    """
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from error


def keep_rows(path: Path, num_rows: int, sha256: str) -> None:
    """Drop the rows after the first `num_rows`: those that a resumed run will write
    again.

    Raises:
        RunError: There are fewer, they are not those with this checksum, or the file
            cannot be read or written to.
    """
    lines = _read_lines(path)
    if len(lines) < num_rows:
        raise RunError(f"{path}: damaged: expected {num_rows} rows, found {len(lines)}")
    if checksum_of_rows(path, num_rows) != sha256:
        raise RunError(
            f"{path}: damaged: the first {num_rows} rows do not match their checksum"
        )
    try:
        if len(lines) > num_rows:
            os.truncate(
                path, sum(map(len, lines[:num_rows]))
            )  # the rows that stay are not touched
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from error


def checksum_of_rows(path: Path, num_rows: int) -> str:
    """Return the checksum of the first `num_rows` rows.

    Raises:
        RunError: The file cannot be read.
    """
    return sha256_of(b"".join(_read_lines(path)[:num_rows]))


def _read_lines(path: Path) -> list[bytes]:
    return read_bytes(path).splitlines(keepends=True) if path.exists() else []


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return all rows.

    Raises:
        RunError: The file is missing or a row is damaged.
    """
    try:
        return [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path}: damaged: a row is not JSON") from error


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


class TrainingBar:
    """A progress bar over all texts of all epochs, on a terminal only; and a line on
    stderr for each validation.
    """

    def __init__(
        self, num_texts: int, max_epochs: int, tokens_per_text: float = 0.0
    ) -> None:
        """Take the texts of one epoch, how many epochs there are at the most, and how
        long a text is on average.
        """
        self.max_epochs = max_epochs
        self.tokens_per_text = tokens_per_text
        self.score = ""
        self.bar = tqdm(
            total=num_texts * max_epochs,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {remaining} left{postfix}",
            disable=None,
            leave=False,
            dynamic_ncols=True,
        )
        self.looked_at = 0.0

    def __enter__(self) -> Self:
        """Show the bar."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self.bar.close()

    def resume_at(self, num_texts: int) -> None:
        """Start from the texts that an earlier part of the run has used."""
        self.bar.initial = self.bar.n = num_texts

    def update(self, epoch: int, num_texts: int, loss: torch.Tensor) -> None:
        """Count the texts of one step; now and then show its loss, the last
        validation's score, and the speed.
        """
        now = time.monotonic()
        if not self.bar.disable and now - self.looked_at > _LOOK_EVERY_S:
            self.looked_at = now
            self.bar.set_description(f"epoch {epoch}/{self.max_epochs}", refresh=False)
            figures = [f"loss {loss.item():.3f}", self.score, self._speed()]
            self.bar.set_postfix_str(", ".join(filter(None, figures)), refresh=False)
        self.bar.update(num_texts)

    def _speed(self) -> str:
        """Return the tokens a second of the last steps, where they can be told yet."""
        rate = self.bar.format_dict["rate"]
        return (
            f"{tqdm.format_sizeof(rate * self.tokens_per_text)} tokens/s"
            if rate and self.tokens_per_text
            else ""
        )

    def show_row(self, row: Mapping[str, Any]) -> None:
        """Log loss and accuracy of an epoch, or a language model's perplexity, on one
        line of 80 columns.
        """
        train, valid = f"{row['train_loss']:.4f}", f"{row['valid_loss']:.4f}"
        if "valid_accuracy" in row:
            train += f", {100 * row['train_accuracy']:.2f} %"
            valid += f", {100 * row['valid_accuracy']:.2f} %"
            self.score = f"valid {100 * row['valid_accuracy']:.1f} %"
        else:
            self.score = f"valid perplexity {row['valid_perplexity']:.4g}"
            valid += f", perplexity {row['valid_perplexity']:.4g}"
        end = f"{row['tokens_per_s']:,} tokens/s{'  best' if row['is_best'] else ''}"
        with tqdm.external_write_mode():
            logger.info(
                "epoch %d/%d  train %s  valid %s  %s",
                row["epoch"],
                self.max_epochs,
                train,
                valid,
                end,
            )
