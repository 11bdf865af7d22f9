"""Worker threads of one core each, which compute parts of a batch in parallel."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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


@contextmanager
def share_kernels(device: torch.device) -> Iterator[None]:
    """Let torch's kernels share the threads of the workers, which are idle meanwhile.

    For few large products, such as those of a linear model, that is faster than one
    thread.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(max(num_threads, start_workers(device).num_threads))
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


@contextmanager
def borrow_thread(device: torch.device) -> Iterator[None]:
    """Let the calling thread compute as a worker does, and restore its settings after.

    A program that predicts has its own number of torch threads. One thread at a time is
    let in: torch's number of threads belongs partly to a thread and partly to the
    process, so a thread that reads it while another has changed it would restore the
    wrong one.
    """
    with _state.lock, compute_as_worker(device):
        yield


@contextmanager
def compute_as_worker(device: torch.device) -> Iterator[None]:
    """Do as `borrow_thread` does, for work that is too long to lock other threads out.

    If two threads are let in at once, one of them may keep the other's number of torch
    threads.
    """
    num_threads = torch.get_num_threads()
    flushes = _flushes_denormals()
    try:
        start_workers(device)
        _use_one_core()
        yield
    finally:
        if torch.get_num_threads() != num_threads:
            torch.set_num_threads(num_threads)
        if _flushes_denormals() != flushes:
            torch.set_flush_denormal(flushes)


def _flushes_denormals() -> bool:
    """Return whether this thread takes denormal numbers for 0; torch cannot tell."""
    return sys.float_info.min * 0.5 == 0


class _State:
    """The lock of `borrow_thread`, which a forked process replaces."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


_state = _State()


def _forget_threads() -> None:
    """Start afresh after fork(): a child has none of its parent's threads."""
    start_workers.cache_clear()
    _state.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def _use_one_core() -> None:
    # The first call of get_num_threads in a thread sets its default number of threads,
    # which would replace the number set on the next line.
    torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
