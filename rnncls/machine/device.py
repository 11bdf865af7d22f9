"""The device to compute on, its floating-point type, and deterministic kernels."""

import logging
import os
import re

import torch

from rnncls import ConfigError, DeviceError
from rnncls.machine.accelerators import may_have_accelerator

logger = logging.getLogger(__name__)

_ADVICE = "use the device cpu or auto"


def resolve_device(name: str) -> torch.device:
    """Return the device with this name; `auto` prefers CUDA, then MPS, then the CPU.

    The choice of `auto` and its reason are logged, but not on a machine that has only
    its CPU.

    Args:
        name: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigError: The name is none of these.
        DeviceError: This machine has no such device.
    """
    # Python programs may pass something else than a text.
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(name)):
        raise ConfigError(
            f"device: expected auto, cpu, cuda, cuda:N or mps, found {name}"
        )
    if name == "auto":
        return _choose_device()
    kind, _, index = name.partition(":")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(
            f"mps: Apple's MPS is not available here; {_ADVICE}", {"device": "auto"}
        )
    if kind == "cuda":
        _check_cuda_index(name, int(index or 0))
    return torch.device(name)


def resolve_run_device(requested: str | None, configured: str) -> torch.device:
    """Return the device on which a trained run predicts or is evaluated.

    A run that was trained on a GPU also works without one: unless the user asks for a
    device, an unavailable one is replaced, with a note. The choice of `auto` is not
    logged: it does not change the results.

    Args:
        requested: The device that the user asks for, or None.
        configured: The device in the run's config.

    Raises:
        ConfigError: The name is not that of a device.
        DeviceError: This machine lacks the requested device.
    """
    name = requested or configured
    if name == "auto":
        return torch.device(_find_best_device()[0])
    try:
        return resolve_device(name)
    except DeviceError:
        if requested is not None:
            raise
    kind, _ = _find_best_device()
    logger.info("device: %s, as the run's %s is not available here", kind, configured)
    return torch.device(kind)


def _choose_device() -> torch.device:
    kind, reason = _find_best_device()
    if kind != "cpu" or may_have_accelerator():
        logger.info("device: %s (auto: %s)", kind, reason)
    return torch.device(kind)


def _find_best_device() -> tuple[str, str]:
    """Return the kind of the best device, and why it was chosen."""
    if torch.cuda.is_available():
        return "cuda", "a CUDA device was found"
    if torch.backends.mps.is_available():
        return "mps", "no CUDA device was found, but Apple's MPS was"
    return "cpu", "no CUDA or MPS device was found"


def _check_cuda_index(name: str, index: int) -> None:
    """Check that a CUDA device exists, without building a `torch.device` of it.

    torch keeps only 8 bits of an index, so that it takes cuda:256 for cuda:0.
    """
    num_devices = torch.cuda.device_count()
    if index >= num_devices:
        raise DeviceError(
            f"{name}: this machine has {num_devices} CUDA devices; {_ADVICE}",
            {"device": "auto"},
        )


def resolve_precision(name: str, device: torch.device, cell: str) -> torch.dtype:
    """Return the floating-point type in which the recurrent layers are trained.

    On a CPU, bfloat16 helps only oneDNN's LSTM, and only with instructions for its
    products: about twice the speed. On a GPU, cuDNN already multiplies float32 in TF32,
    and the casts make bfloat16 slower for all but wide layers
    (docs/results/performance.md), so it is used on request only.

    Args:
        name: `train.precision`: auto, float32 or bfloat16.
        device: Where the model is trained.
        cell: `model.cell`.

    Raises:
        ConfigError: bfloat16 was requested where it does not work or is not faster.
    """
    is_fast_lstm = (
        device.type == "cpu" and cell.endswith("lstm") and has_bfloat16_products()
    )
    is_possible = device.type == "cuda" or is_fast_lstm
    if name == "bfloat16" and not is_possible:
        without = "" if has_bfloat16_products() else " without them"
        raise ConfigError(
            "train.precision: bfloat16 needs CUDA, or an lstm on a CPU with bfloat16"
            f" products (AMX or AVX512-BF16); found the device {device.type}{without}"
            f" and the cell {cell}: use auto or float32"
        )
    is_used = name == "bfloat16" or (name == "auto" and is_fast_lstm)
    return torch.bfloat16 if is_used else torch.float32


def has_bfloat16_products() -> bool:
    """Return whether the CPU has instructions for matrix products in bfloat16.

    They are those of AMX or AVX512-BF16. A torch that is too old to know counts as no.
    """
    return has_amx() or _has_instructions("avx512_bf16")


def has_amx() -> bool:
    """Return whether the CPU has the AMX instructions for products in bfloat16."""
    return _has_instructions("amx_bf16")


def _has_instructions(name: str) -> bool:
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    return bool(torch.cpu.get_capabilities().get(name))


def use_deterministic_kernels(*, wanted: bool) -> None:
    """Restrict torch to deterministic kernels, or lift the restriction."""
    if wanted:
        # cuBLAS requires it.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Reading the setting is free; changing it imports torch's compiler, which takes a
    # second.
    if wanted != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(wanted)
    # Filling new tensors would cost time in every step, and no code reads uninitialised
    # memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch makes it later
