"""Durations, and the machine that they were measured on."""

import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from platform import machine, processor, python_version
from typing import Any

import torch

from rnncls.machine.threads import start_workers


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of a piece of work, including the work it starts on a GPU."""
    _wait_for_gpu()
    start = time.perf_counter()
    work()
    _wait_for_gpu()
    return time.perf_counter() - start


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory_mib() -> float:
    """Return the peak memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    units_per_mib = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return peak / units_per_mib


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return what the speed depends on: the machine, its threads and the versions."""
    is_cuda = device.type == "cuda"
    return {
        "machine": processor() or machine(),
        "device": torch.cuda.get_device_name(device) if is_cuda else device.type,
        "num_threads": start_workers(torch.device("cpu")).num_threads,
        "python": python_version(),
        "torch": version("torch"),
    }
