"""Safetensors files of torch tensors, written atomically and verified when read.

`rnncls.machine.arrays` describes the files.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from rnncls.machine.arrays import READ_ERRORS, RawArray, build_header, verify_header
from rnncls.machine.files import unreadable, write_atomic


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]
) -> None:
    """Write tensors and JSON metadata into one verified safetensors file.

    Raises:
        RunError: The file cannot be written.
    """
    on_cpu = {
        name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()
    }
    header = build_header(_view_raw(on_cpu), metadata)
    write_atomic(path, save(on_cpu, header))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the tensors and the metadata that `save_tensors` wrote.

    Raises:
        RunError: The file is missing, damaged or from a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    return tensors, verify_header(path, header, _view_raw(tensors))


def _view_raw(tensors: Mapping[str, torch.Tensor]) -> dict[str, RawArray]:
    return {
        name: RawArray(
            str(tensor.dtype),
            tuple(tensor.shape),
            _view_bytes(tensor),
        )
        for name, tensor in tensors.items()
    }


def _view_bytes(tensor: torch.Tensor) -> memoryview:
    # The stride of an empty tensor may be 0, which torch cannot view as bytes.
    if tensor.numel() == 0:
        return memoryview(b"")
    data: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    return data
