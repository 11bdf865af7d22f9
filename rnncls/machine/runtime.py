"""The machine: the device, the random streams, and stopping in good order."""

import contextlib
import ctypes
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import FrameType
from typing import TypeVar

import numpy as np
import torch

from rnncls import ConfigError, DeviceError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def resolve_device(name: str) -> torch.device:
    """Return the device to run on; `auto` takes CUDA, then MPS, then the CPU, and says
    why.

    Raises:
        ConfigError: There is no such kind of device.
        DeviceError: The named device is not on this machine.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ConfigError(
            f"device: expected auto, cpu, cuda, cuda:N or mps, found {name}"
        )
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        chosen = "cuda" if has_cuda else "mps" if has_mps else "cpu"
        reason = {
            "cuda": "a CUDA device is there",
            "mps": "no CUDA device, but Apple's MPS is there",
        }
        logger.info(
            "device: %s (auto: %s)",
            chosen,
            reason.get(chosen, "no CUDA or MPS device is there"),
        )
        return torch.device(chosen)
    kind, _, index = name.partition(":")
    if kind == "mps" and not has_mps:
        raise DeviceError(
            "mps: Apple's MPS is not available here; use --device cpu or --device auto"
        )
    # Asked of the text: torch keeps 8 bits of an index, and takes cuda:256 for cuda:0.
    if kind == "cuda" and int(index or 0) >= (count := torch.cuda.device_count()):
        raise DeviceError(
            f"{name}: this machine has {count} CUDA devices; use --device cpu or"
            " --device auto"
        )
    return torch.device(name)


def resolve_precision(name: str, device: torch.device, cell: str) -> torch.dtype:
    """Return the type of number that the recurrent cell computes in while it trains.

    On a CPU it is oneDNN's LSTM that gains from bfloat16, two or three times in speed,
    and only with AMX.

    Raises:
        ConfigError: bfloat16 was asked for, and would not work or not help.
    """
    gains = device.type == "cuda" or (
        device.type == "cpu" and cell.endswith("lstm") and has_amx()
    )
    if name == "bfloat16" and not gains:
        raise ConfigError(
            "train.precision: bfloat16 is for CUDA, and for an lstm on a CPU with AMX;"
            f" here the device is {device.type}{'' if has_amx() else ' without AMX'}"
            f" and the cell {cell}: use auto or float32"
        )
    return torch.bfloat16 if gains and name != "float32" else torch.float32


def has_amx() -> bool:
    """Return whether the CPU multiplies matrices of bfloat16 by itself; a torch too old
    to know counts as no.
    """
    return hasattr(torch.cpu, "get_capabilities") and bool(
        torch.cpu.get_capabilities().get("amx_bf16")
    )


def seed_everything(seed: int) -> None:
    """Seed torch's global stream, which draws the first weights."""
    torch.manual_seed(seed)


def use_deterministic_kernels(*, wanted: bool) -> None:
    """Let torch use none but kernels whose result is the same each time, or any again."""
    if wanted:
        os.environ.setdefault(
            "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
        )  # which cuBLAS asks for
    if (
        wanted != torch.are_deterministic_algorithms_enabled()
    ):  # asking is free, telling imports a second of torch
        torch.use_deterministic_algorithms(wanted)
    # Every step would pay for it, and none reads such memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch makes it later


def generator_of(device: torch.device, *numbers: int) -> torch.Generator:
    """Return a random stream that is a function of the numbers alone, as of a seed and
    a step.
    """
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(seed) >> 1)


class Workers:
    """Threads of one core each, among which the texts of a batch are shared out.

    The kernels of a recurrent network are small, and threads that share each of them
    wait for one another at its end, hundreds of times a step. Threads that each take
    their own texts wait once (docs/performance.md).
    """

    def __init__(self, num_threads: int) -> None:
        """Start the threads; with one, the work is done by the caller."""
        self.num_threads = num_threads
        self._pool = (
            ThreadPoolExecutor(num_threads, "rnncls", _use_one_core)
            if num_threads > 1
            else None
        )

    def map(
        self, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> list[Result]:
        """Return what `work` makes of each item, in the order of the items; one alone
        is done by the caller.
        """
        if self._pool is None or len(items) == 1:
            return list(map(work, items))
        return list(self._pool.map(work, items))


@cache
def start_workers(device: torch.device) -> Workers:
    """Return the workers of this process: one for each of torch's threads on the CPU,
    one for another device.
    """
    num_threads = torch.get_num_threads() if device.type == "cpu" else 1
    if num_threads > 1:
        torch.set_num_threads(1)
    # oneDNN compiles a kernel for each shape: room for those of every length, which its
    # 1,024 are not.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
    # A gradient that fades to 1e-40 is computed many times slower on x86 than a zero.
    torch.set_flush_denormal(True)
    return Workers(num_threads)


def _use_one_core() -> None:
    # takes the process's number first, which would otherwise come over the next line's
    torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def collect_again() -> None:
    """Collect garbage from here on, as `rnncls.__main__` does not, but never among what
    the imports have made.
    """
    gc.freeze()
    gc.enable()


def keep_freed_memory() -> None:
    """Keep the memory of freed tensors for the next step, where the C library is glibc.

    It would give large blocks back to the system and then fault every page in again,
    each step (docs/performance.md).
    """
    if sys.platform != "linux":
        return
    trim_threshold, top_pad, mmap_threshold = (
        -1,
        -2,
        -3,
    )  # M_TRIM_THRESHOLD and so on, of <malloc.h>
    with contextlib.suppress(AttributeError):  # another C library has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 64 << 20)
        mallopt(trim_threshold, (1 << 31) - 1)
        mallopt(
            top_pad, 64 << 20
        )  # a heap of a worker, which is as large, would be given back once it is empty


class StopRequest:
    """Whether the user has asked to stop: raised by SIGINT or SIGTERM, looked at
    between two steps.
    """

    def __init__(self) -> None:
        """Start with no request; one is told on stderr."""
        self.requested = False
        self.tells = True

    def request(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's signature
        """Ask to stop; a second Ctrl-C ends at once."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not through logging or sys.stderr: this may interrupt a write of theirs, which
        # cannot be entered twice.
        with contextlib.suppress(OSError):
            if self.tells:
                os.write(
                    2,
                    b"\nstopping after this step, and saving; press Ctrl-C again to"
                    b" leave at once\n",
                )


@contextlib.contextmanager
def stop_on_signal(*, tells: bool = True) -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request to stop between two steps, so that no step
    is
    torn apart.

    Args:
        tells: Whether to say so on stderr.
    """
    stop = StopRequest()
    stop.tells = tells
    before = {
        number: signal.signal(number, stop.request)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
