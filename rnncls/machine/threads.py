"""Worker threads of one core each, which compute parts of a batch in parallel."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """A pool of threads with one core each; the texts of a batch are split among them.

    The kernels of a recurrent network are small. Threads that share a kernel wait for
    one another at its end, hundreds of times a step; threads that compute different
    texts wait once (docs/results/performance.md).
    """

    def __init__(self, num_threads: int) -> None:
        """Start the threads; with one thread, the caller does the work."""
        self.num_threads = num_threads
        self._pool: ThreadPoolExecutor | None = None
        if num_threads > 1:
            self._pool = ThreadPoolExecutor(num_threads, "rnncls", _use_one_core)

    def map(
        self, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> list[Result]:
        """Return the results of `work` in the order of the items.

        A single item is computed by the caller. An exception in `work` is raised here.
        """
        if self._pool is None or len(items) == 1:
            return [work(item) for item in items]
        return list(self._pool.map(work, items))


@cache
def start_workers(device: torch.device) -> Workers:
    """Return the workers of this process for a device; the first call starts them.

    There is one worker for each of torch's threads on the CPU, and one on any other
    device. Each worker uses one core, so torch's own thread pool is set to one thread.
    """
    num_threads = torch.get_num_threads() if device.type == "cpu" else 1
    if num_threads > 1:
        torch.set_num_threads(1)
    # oneDNN compiles a kernel for each shape. Its default cache of 1,024 kernels is too
    # small for all text lengths.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
    # Arithmetic with denormal numbers, such as a gradient of 1e-40, is many times
    # slower on x86.
    torch.set_flush_denormal(True)
    return Workers(num_threads)


def _use_one_core() -> None:
    # The first call of get_num_threads in a thread sets its default number of threads,
    # which would replace the number set on the next line.
    torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
