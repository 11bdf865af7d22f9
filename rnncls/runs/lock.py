"""The lock of a run folder: one process trains in it at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rnncls import RunError
from rnncls.machine.files import TEMPORARY
from rnncls.runs.folder import RunFolder

_PATIENCE_S = 0.2
"""How long to wait for the lock: a training holds it for longer, and
`is_being_trained` of another process only for a moment."""


@contextlib.contextmanager
def lock_run(path: Path) -> Iterator[None]:
    """Lock a run folder against training by another process; create it if missing.

    The operating system releases the lock when the process ends, even if it is killed.
    Temporary files of a killed process are deleted.

    Raises:
        ConfigError: The path is that of the link to the newest run.
        RunError: Another process holds the lock, or the folder cannot be created or
            written to.
    """
    # Imported here: short commands lock no run.
    from filelock import FileLock, Timeout

    folder = RunFolder(path)
    folder.create()
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout as error:
        raise RunError(
            f"{path}: another process is training here: wait for it, or choose another"
            " folder",
            {"out": "FOLDER"},
        ) from error
    except OSError as error:
        raise RunError(f"{folder.lock}: cannot be written: {error.strerror}") from error
    try:
        for part in [*path.glob(TEMPORARY), *folder.lock.parent.glob(TEMPORARY)]:
            part.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def is_being_trained(path: Path) -> bool:
    """Return whether a process trains in a run folder now."""
    from filelock import FileLock, Timeout

    file = RunFolder(path).lock
    if not file.exists():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout:
        return True
    except OSError:  # a folder that this user may only read
        return False
    lock.release()
    return False
