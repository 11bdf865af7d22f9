"""A run folder during a training: checked, locked, then begun or resumed."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rnncls import ConfigError, RunError
from rnncls.config.yaml_format import dump_settings
from rnncls.machine.files import write_atomic
from rnncls.machine.processes import ProcessGroup, torchrun_id
from rnncls.runs.companions import load_run_config
from rnncls.runs.folder import MODEL, STATE, RunFolder
from rnncls.runs.lock import lock_run
from rnncls.runs.overrides import save_overridden_keys
from rnncls.runs.run import change_config, create_run
from rnncls.training.resume import (
    ResumeOptions,
    changes_results,
    check_config,
    restore_trainer,
)
from rnncls.training.saved_state import SavedState, load_saved_state, save_state
from rnncls.training.trainer import Trainer

logger = logging.getLogger(__name__)


class OpenRun:
    """A run folder that a training writes. Only the main process locks and writes it.

    Attributes:
        is_resumed: Whether the training continues from a saved state.
        was_finished: Whether its results are those of a training that had already
            finished, and of which nothing is left to do.
        has_current_results: Whether it had finished before with the same data, so that
            existing results describe its best weights.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        path: Path,
        processes: ProcessGroup,
        options: ResumeOptions,
    ) -> None:
        """Store the arguments; nothing is written yet."""
        self.is_resumed = False
        self.was_finished = False
        self.has_current_results = False
        self._settings = settings
        self._path = path
        self._folder = RunFolder(path)
        self._processes = processes
        self._may_change = options.may_change
        self._overridden = options.overridden
        self._saved: SavedState | None = None
        self._lock = contextlib.ExitStack()

    def load(self, weights: str) -> bool:
        """Lock the folder of a run to resume, and load its state.

        Returns:
            Whether there is a state: a run killed before its first save starts again.

        Raises:
            ConfigError: Its config differs, and may not.
            RunError: There is nothing to resume, it is damaged, or another process
                trains there.
        """
        if not self._folder.state.is_file():
            if not self._folder.has_no_checkpoint():
                raise RunError(f"{self._path}: nothing to resume: has no {STATE}")
            logger.info(
                "%s: nothing was saved here yet: the run starts from the beginning",
                self._path,
            )
            return False
        self._lock.enter_context(lock_run(self._path))
        self._saved = load_saved_state(self._path, weights)
        check_config(self._settings, self._path, may_change=self._may_change)
        return True

    def begin(self, trainer: Trainer[Any]) -> None:
        """Create the run folder of a new trainer, or restore the trainer from it.

        Raises:
            ConfigError: Another process has begun a run here.
            RunError: The run cannot be resumed, or the folder cannot be written to.
        """
        with self._processes.main_first():
            if not self._processes.is_main:
                # Continue from what the main process has just written or restored.
                saved = load_saved_state(self._path, trainer.file)
                restore_trainer(trainer, self._path, saved, may_change=self._may_change)
            elif self._saved is None:
                self._lock.enter_context(lock_run(self._path))
                self._create(trainer)
            else:
                self._restore(trainer, self._saved)
                self._saved = None  # free its memory

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()

    def _create(self, trainer: Trainer[Any]) -> None:
        if not self._folder.has_no_checkpoint():
            raise ConfigError(
                f"{self._path}: another process has just begun a run here; choose"
                " another folder",
                {"out": "FOLDER"},
            )
        self._note_launch()
        vocab, label_names = trainer.data.vocab, trainer.label_names
        config_text = dump_settings(self._settings)
        continuation = trainer.data.continuation
        create_run(self._path, config_text, vocab, label_names, continuation)
        save_overridden_keys(self._path, self._overridden)
        save_state(trainer, self._path)

    def _restore(self, trainer: Trainer[Any], saved: SavedState) -> None:
        self._note_launch()
        data_differs = restore_trainer(
            trainer, self._path, saved, may_change=self._may_change
        )
        save_overridden_keys(self._path, self._overridden)
        saved_settings = load_run_config(self._path).model_dump()
        is_outdated = data_differs or changes_results(saved_settings, self._settings)
        self.has_current_results = not is_outdated and self._folder.summary.exists()
        if is_outdated or not trainer.is_finished:
            # The other results describe the best weights until new ones replace them.
            self._folder.summary.unlink(missing_ok=True)
        self.was_finished = self._folder.summary.exists()
        if saved_settings != self._settings:
            # Until the summary is written again, the run counts as unfinished.
            self._folder.summary.unlink(missing_ok=True)
            change_config(self._path, dump_settings(self._settings), trainer.file)
        if trainer.is_finished:
            is_complete = trainer.num_validations >= trainer.options.max_epochs
            logger.info(
                "already finished: stopped after epoch %d%s (to train further, raise"
                " %s)",
                trainer.num_validations,
                "" if is_complete else " without improvement",
                trainer.why_finished,
            )

    def _note_launch(self) -> None:
        """Keep the id of the call of torchrun, which may start the processes again."""
        if launch := torchrun_id():
            write_atomic(self._folder.launch, launch.encode())


@contextlib.contextmanager
def open_run(
    settings: Mapping[str, Any],
    path: Path,
    processes: ProcessGroup,
    options: ResumeOptions,
    *,
    weights: str = MODEL,
) -> Iterator[OpenRun]:
    """Open a run folder for a training; it stays locked until the end of the block.

    Args:
        settings: The values of the config by section and key. They are written to the
            folder, and compared with those of a run to resume.
        path: The run folder.
        processes: The processes that train together.
        options: Whether to continue the run there, and how.
        weights: The name of the file for its best weights.

    Raises:
        ConfigError: The folder is not empty, or its config differs and may not.
        RunError: There is nothing to resume, it is damaged, or another process trains
            there.
    """

    def prepare() -> bool:
        if options.resume:
            return run.load(weights)
        RunFolder(path).check_is_free()
        return False

    run = OpenRun(settings, path, processes, options)
    try:
        run.is_resumed = processes.broadcast_from_main(prepare)
        yield run
    finally:
        run.close()
