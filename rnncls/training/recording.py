"""What a training writes as it runs: metric rows, the best weights, the state.

On a terminal it shows a progress bar too, and Ctrl-C saves before it stops.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rnncls import Interrupted
from rnncls.machine.signals import StopRequest, stop_on_signal
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
        recorder = _Recorder(trainer, path, bar, add_event, stop)
        yield recorder.record


class _Recorder:
    """Records the steps of a training. Only the main process writes."""

    def __init__(
        self,
        trainer: Trainer[Any],
        path: Path,
        bar: TrainingBar,
        add_event: Callable[[dict[str, Any]], None],
        stop: StopRequest,
    ) -> None:
        self._trainer = trainer
        self._path = path
        self._bar = bar
        self._add_event = add_event
        self._stop = stop
        self._clock = SaveClock(trainer.options.save_every)

    def record(self, step: Step) -> None:
        """Record a step; stop the training if the user has asked any process to."""
        processes = self._trainer.processes
        self._bar.update(step.epoch, step.num_texts, step.loss)
        must_stop = processes.any(flag=self._stop.requested)
        if processes.is_main:
            if step.validation is not None:
                self._record_validation(step.validation)
            if step.validation or must_stop or self._clock.is_time:
                self._save()
        if must_stop:
            _stop(self._trainer, step.epoch, self._path)

    def _record_validation(self, row: dict[str, Any]) -> None:
        record_validation(row, self._trainer, self._path)
        self._add_event(row)
        self._bar.show_row(row)

    def _save(self) -> None:
        with self._clock.saving():
            save_state(self._trainer, self._path)


def record_validation(row: dict[str, Any], trainer: Trainer[Any], path: Path) -> None:
    """Append the metric row of a validation, and save the weights if they are best.

    Results that describe the weights before are deleted.
    """
    folder = RunFolder(path)
    append_row(folder.metrics, row)
    if row["is_best"]:
        folder.delete_results()
        save_model(
            path,
            trainer.eval_model,
            trainer.file,
            num_vector_words=trainer.data.vocab.num_vector_words,
        )


def _stop(trainer: Trainer[Any], epoch: int, path: Path) -> None:
    # No process exits before the main one has saved.
    with trainer.processes.raise_everywhere():
        raise Interrupted(f"stopped in epoch {epoch}; everything is saved in {path}")


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
