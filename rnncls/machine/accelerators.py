"""Whether this machine may have an accelerator, found out without importing torch."""

import os
import sys
from pathlib import Path

_DEVICE_FILES = ("nvidiactl", "nvidia[0-9]*", "nvhost-gpu", "nvgpu", "kfd", "dxg")
"""Files in /dev that the drivers of GPUs make: NVIDIA's, AMD's, and Windows' in WSL."""


def may_have_accelerator(devices: Path = Path("/dev")) -> bool:
    """Return whether torch may find a device other than the CPU.

    On Linux, no accelerator works without the file of its driver. On other systems
    only torch can tell.

    Args:
        devices: The folder of the device files.
    """
    if sys.platform != "linux":
        return True
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    return any(True for name in _DEVICE_FILES for _ in devices.glob(name))


def is_surely_cpu(name: str) -> bool:
    """Return whether a device is the CPU, without asking torch.

    Args:
        name: auto, cpu, cuda, cuda:N or mps.
    """
    return name == "cpu" or (name == "auto" and not may_have_accelerator())
