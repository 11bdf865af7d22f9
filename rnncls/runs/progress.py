"""The progress bar of a training, and one line on stderr for each validation."""

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import torch
from tqdm import tqdm

logger = logging.getLogger(__name__)

_REFRESH_S = 0.5
"""How often the bar reads the loss from the device, which waits for the step."""


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
        if not self.bar.disable and now - self.looked_at > _REFRESH_S:
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
            train += f", {100 * row['train_accuracy']:.2f}%"
            valid += f", {100 * row['valid_accuracy']:.2f}%"
            self.score = f"valid {100 * row['valid_accuracy']:.1f}%"
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
