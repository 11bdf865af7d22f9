"""Memory of the process: settings of glibc's malloc."""

import contextlib
import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 64 << 20


def tune_malloc() -> None:
    """Keep the memory of freed tensors for the next step, if the C library is glibc.

    By default glibc returns large blocks to the system, and every step would have to
    fault in the same pages again (docs/results/performance.md).
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(AttributeError):  # other C libraries have no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        # The heap of a worker thread is as large as this, and would be returned once it
        # is empty.
        mallopt(_M_TOP_PAD, _KEPT_BYTES)
