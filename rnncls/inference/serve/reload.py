"""The classifier that answers, which another one replaces without a lost request."""

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Self

from rnncls import RnnclsError
from rnncls.inference.serve.logs import log
from rnncls.inference.serve.model import ONNX, ServedModel, load_model
from rnncls.runs.folder import RunFolder, find_run

logger = logging.getLogger(__name__)

POLL_S = 1.0
Fingerprint = tuple[str, int, int, int]
"""A path, and the inode, size and time of the file of the weights."""


@dataclass(frozen=True)
class ModelSource:
    """Where a classifier comes from.

    Attributes:
        path: A run folder or an .onnx file; None: the newest finished run.
        name: The name of the classifier; None: that of the first folder or file.
    """

    path: Path | None
    name: str | None = None

    def load(self) -> ServedModel:
        """Load the classifier that is there now, and check it.

        Raises:
            RunError: It is missing, damaged or wrong.
            ConfigError: ONNX Runtime, which an .onnx file needs, is not installed.
        """
        return load_model(self.path, self.name)

    def find_fingerprint(self) -> Fingerprint | None:
        """Return what changes with the weights; None if there are none now."""
        try:
            weights = self._find_weights()
            status = weights.stat()
        except (OSError, RnnclsError):
            return None
        return str(weights), status.st_ino, status.st_size, status.st_mtime_ns

    def _find_weights(self) -> Path:
        if self.path is not None and self.path.suffix.lower() == ONNX:
            return self.path.resolve()
        return RunFolder(find_run(self.path).resolve()).model


class ModelHolder:
    """The classifier that answers requests now.

    A request takes `model` once and keeps it until it is answered.

    Attributes:
        model: The classifier.
        is_stopping: Whether the server is about to stop, so that it is not ready.
        num_reloads: How many classifiers have replaced another one.
        num_failed_reloads: How many were refused.
    """

    def __init__(
        self,
        model: ServedModel,
        source: ModelSource | None = None,
        fingerprint: Fingerprint | None = None,
    ) -> None:
        """Take a classifier.

        Args:
            model: The classifier.
            source: Where a newer one is found; None: nowhere.
            fingerprint: That of the source before the classifier was loaded.
        """
        self.model = model
        self.is_stopping = False
        self.num_reloads = 0
        self.num_failed_reloads = 0
        self._source = source
        self._fingerprint = fingerprint
        self._lock = Lock()

    @classmethod
    def load(cls, source: ModelSource) -> Self:
        """Load the classifier of a source.

        Raises:
            RunError: It is missing, damaged or wrong.
            ConfigError: ONNX Runtime, which an .onnx file needs, is not installed.
        """
        fingerprint = source.find_fingerprint()
        model = source.load()
        return cls(model, replace(source, name=model.name), fingerprint)

    @property
    def is_ready(self) -> bool:
        """Whether new requests are welcome."""
        return not self.is_stopping

    def stop(self) -> None:
        """Say that the server is about to stop."""
        self.is_stopping = True

    def reload(self) -> None:
        """Load the classifier that is there now, and let it answer from now on.

        The old one continues if the new one is damaged or does not pass its test.
        """
        if self._source is None:
            return
        with self._lock:
            old = self.model
            self._fingerprint = self._source.find_fingerprint()
            try:
                new = self._source.load()
            except RnnclsError as error:
                self.num_failed_reloads += 1
                log(
                    logger,
                    logging.ERROR,
                    "reload failed",
                    error=str(error),
                    version=old.version,
                )
                return
            self.model = new
            self.num_reloads += 1
        log(
            logger,
            logging.INFO,
            "reloaded",
            version=new.version,
            old_version=old.version,
        )

    async def watch(self, poll_s: float = POLL_S) -> None:
        """Reload whenever the weights have changed, until the task is cancelled.

        A file that changes between two looks is still being written.
        """
        if self._source is None:
            return
        last = self._fingerprint
        while True:
            await asyncio.sleep(poll_s)
            found = await asyncio.to_thread(self._source.find_fingerprint)
            is_complete = found is not None and found == last
            last = found
            if is_complete and found != self._fingerprint:
                await asyncio.to_thread(self.reload)
