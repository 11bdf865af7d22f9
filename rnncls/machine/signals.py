"""SIGINT and SIGTERM as a request to stop between two steps."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_MESSAGE = (
    b"\nstopping after this step and saving; press Ctrl-C again to exit immediately\n"
)


class StopRequest:
    """Whether the user has asked to stop; the training loop checks it after each step.

    Attributes:
        requested: True once SIGINT or SIGTERM has arrived.
        is_announced: Whether the first signal prints a message to stderr.
    """

    def __init__(self, *, is_announced: bool = True) -> None:
        """Start without a request."""
        self.requested = False
        self.is_announced = is_announced

    def request(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's signature
        """Handle a signal: request a stop the first time, exit the second time.

        Raises:
            KeyboardInterrupt: A stop was requested before.
        """
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self.is_announced:
            # Not through logging or sys.stderr: the signal may have interrupted a write
            # of theirs, and they are not reentrant.
            with contextlib.suppress(OSError):
                os.write(2, _MESSAGE)


@contextlib.contextmanager
def stop_on_signal(*, is_announced: bool = True) -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request to stop; a step is never cut short.

    The previous handlers are restored at the end. Outside the main thread, where Python
    allows no signal handler, only the caller can request a stop.

    Args:
        is_announced: Whether the first signal prints a message to stderr.
    """
    stop = StopRequest(is_announced=is_announced)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous_handlers = {
        signum: signal.signal(signum, stop.request)
        for signum in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for signum, handler in previous_handlers.items():
            signal.signal(signum, handler)
