"""Fast imports of large packages. Imports neither torch nor NumPy itself."""

import _imp
import contextlib
import gc
import importlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def fast_imports() -> Iterator[None]:
    """Import modules without garbage collection, and never scan their objects again.

    For commands: `with fast_imports(): from rnncls.training.run import train`.

    torch creates a million objects that live until the process ends. Scanning them
    takes a fifth of the time of a short command. Afterwards garbage is collected as
    usual: to forget this context manager costs time, never memory.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def import_meanwhile(module: str) -> Iterator[None]:
    """Import a module in another thread while the block runs; then wait for it.

    If it cannot be imported, only the next import of it raises the error.

    Args:
        module: Its name. The block must import no package that the module imports too,
            unless it has been imported before: see below.
    """
    from concurrent.futures import ThreadPoolExecutor

    # It imports multiprocessing, as torch does. Its modules import each other: two
    # threads that import them at once may wait for each other.
    import loky  # noqa: F401

    def import_module() -> None:
        with fast_imports():
            importlib.import_module(module)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(import_module)
        try:
            yield
        except KeyboardInterrupt:
            _release_import_lock()
            raise


def _release_import_lock() -> None:
    """Release the lock of all imports, if Ctrl-C left this thread with it.

    CPython's import system may be interrupted between acquiring and releasing it. The
    imports of all other threads would wait for it forever.
    """
    while True:
        try:
            _imp.release_lock()
        except RuntimeError:  # this thread does not have it
            return


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Import NumPy without the threads of its matrix library, OpenBLAS.

    Starting them takes a tenth of the time of a command that predicts one text. It has
    no effect if NumPy has been imported, or if the user has set their number.
    """
    name = "OPENBLAS_NUM_THREADS"
    if name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
