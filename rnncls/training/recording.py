"""What a training writes as it runs: metric rows, the best weights, the state.

On a terminal it shows a progress bar too, and Ctrl-C saves before it stops.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rnncls import Interrupted
from rnncls.machine.signals import stop_on_signal
from rnncls.runs.folder import RunFolder
from rnncls.runs.metric_rows import append_row
from rnncls.runs.progress import TrainingBar
from rnncls.runs.tensorboard import event_log
from rnncls.runs.weights import save_model
from rnncls.training.saved_state import save_state
from rnncls.training.step_data import Step
from rnncls.training.trainer import Trainer


@contextlib.contextmanager
def record_training(
    trainer: Trainer[Any], path: Path
) -> Iterator[Callable[[Step], None]]:
    """Return a function that records a step of the training in its run folder.

    Raises:
        Interrupted: In that function: the user has stopped the training.
        RunError: In that function: a file cannot be written.
    """
    clock = SaveClock(trainer.options.save_every)
    is_main, folder = trainer.processes.is_main, RunFolder(path)
    events = folder.events if trainer.options.tensorboard and is_main else None
    mean_length = float(trainer.data.train.texts.lengths.mean())
    bar = TrainingBar(
        trainer.num_texts,
        trainer.options.max_epochs,
        mean_length,
        trainer.options.monitor,
    )
    with (
        event_log(events, trainer.step + 1) as add_event,
        stop_on_signal(is_announced=is_main) as stop,
        bar,
    ):
        bar.resume_at(trainer.num_texts_seen)

        def record(step: Step) -> None:
            bar.update(step.epoch, step.num_texts, step.loss)
            must_stop = trainer.processes.any(flag=stop.requested)
            if is_main and step.validation is not None:
                record_validation(step.validation, trainer, path)
                add_event(step.validation)
                bar.show_row(step.validation)
            if is_main and (step.validation or must_stop or clock.is_time):
                with clock.saving():
                    save_state(trainer, path)
            if must_stop:
                _stop(trainer, step.epoch, path)

        yield record


def record_validation(row: dict[str, Any], trainer: Trainer[Any], path: Path) -> None:
    """Append the metric row of a validation, and save the weights if they are best."""
    append_row(RunFolder(path).metrics, row)
    if row["is_best"]:
        save_model(path, trainer.eval_model, trainer.file)


def _stop(trainer: Trainer[Any], epoch: int, path: Path) -> None:
    # No process exits before the main one has saved.
    with trainer.processes.raise_everywhere():
        raise Interrupted(
            f"stopped in epoch {epoch}; everything is saved: continue with --resume"
            f" --out {path}"
        )


class SaveClock:
    """When to save within an epoch: every few minutes.

    Saves are less frequent if they would take more than `SHARE` of the time.
    """

    SHARE = 0.02

    def __init__(self, save_every: float) -> None:
        """Start the clock, for a save every `save_every` minutes."""
        self.save_every = save_every
        self.saved_at = time.monotonic()
        self.save_s = 0.0

    @classmethod
    def spacing(cls, save_every: float, save_s: float) -> float:
        """Return the seconds between two saves, if one takes `save_s`."""
        return max(60 * save_every, save_s / cls.SHARE)

    @property
    def is_time(self) -> bool:
        """Whether a save is due."""
        elapsed_s = time.monotonic() - self.saved_at
        return elapsed_s >= self.spacing(self.save_every, self.save_s)

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Time a save, and restart the clock at its end."""
        start = time.monotonic()
        yield
        self.saved_at = time.monotonic()
        self.save_s = self.saved_at - start
