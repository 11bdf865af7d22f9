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
    """A progress bar over the texts of all epochs, and a log line for each validation.

    The bar is shown only if stderr is a terminal.
    """

    def __init__(
        self,
        num_texts: int,
        max_epochs: int,
        tokens_per_text: float = 0.0,
        monitor: str = "accuracy",
    ) -> None:
        """Create a bar.

        Args:
            num_texts: The number of texts in an epoch.
            max_epochs: The largest number of epochs.
            tokens_per_text: The mean length of a text, for the speed in tokens; 0: the
                speed is not shown.
            monitor: The score that selects the best epoch.
        """
        self.max_epochs = max_epochs
        self.tokens_per_text = tokens_per_text
        self.monitor = monitor
        self.score = ""
        self.bar = tqdm(
            total=num_texts * max_epochs,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {remaining} left{postfix}",
            disable=None,
            leave=False,
            dynamic_ncols=True,
        )
        self.refreshed_at = 0.0

    def __enter__(self) -> Self:
        """Show the bar."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self.bar.close()

    def resume_at(self, num_texts: int) -> None:
        """Start after the texts that the run was trained on before it was resumed."""
        self.bar.initial = self.bar.n = num_texts

    def update(self, epoch: int, num_texts: int, loss: torch.Tensor) -> None:
        """Advance by the texts of one step.

        Every half second, show the loss of the step, the score of the last validation,
        and the speed.
        """
        now = time.monotonic()
        if not self.bar.disable and now - self.refreshed_at > _REFRESH_S:
            self.refreshed_at = now
            self.bar.set_description(f"epoch {epoch}/{self.max_epochs}", refresh=False)
            parts = [f"loss {loss.item():.3f}", self.score, self._speed()]
            self.bar.set_postfix_str(", ".join(filter(None, parts)), refresh=False)
        self.bar.update(num_texts)

    def _speed(self) -> str:
        """Return the tokens per second of the last steps; empty if not known yet."""
        texts_per_s = self.bar.format_dict["rate"]
        if not texts_per_s or not self.tokens_per_text:
            return ""
        return f"{tqdm.format_sizeof(texts_per_s * self.tokens_per_text)} tokens/s"

    def show_row(self, row: Mapping[str, Any]) -> None:
        """Log the loss and the accuracy, or the perplexity, of a metric row.

        If macro-F1 selects the best epoch, the line has it as well.
        """
        train = f"loss {row['train_loss']:.4f}"
        valid = f"loss {row['valid_loss']:.4f}"
        if "valid_accuracy" in row:
            train += f" accuracy {100 * row['train_accuracy']:.2f}%"
            valid += f" accuracy {100 * row['valid_accuracy']:.2f}%"
            self.score = f"valid accuracy {100 * row['valid_accuracy']:.1f}%"
            if "valid_micro_f1" in row:
                valid += f" micro-F1 {100 * row['valid_micro_f1']:.2f}%"
                self.score = f"valid micro-F1 {100 * row['valid_micro_f1']:.1f}%"
            if self.monitor == "macro_f1":
                valid += f" macro-F1 {100 * row['valid_macro_f1']:.2f}%"
                self.score = f"valid macro-F1 {100 * row['valid_macro_f1']:.1f}%"
        else:
            self.score = f"valid perplexity {row['valid_perplexity']:.4g}"
            valid += f" perplexity {row['valid_perplexity']:.4g}"
        mark = "  best" if row["is_best"] else ""
        end = f"{row['tokens_per_s']:,} tokens/s{mark}"
        with tqdm.external_write_mode():
            logger.info(
                "epoch %d/%d  train %s  valid %s  %s",
                row["epoch"],
                self.max_epochs,
                train,
                valid,
                end,
            )
