"""Safetensors files of NumPy arrays, verified when read. Does not import torch.

A file carries a schema version and a SHA-256 of its arrays and of its other metadata.
Nothing is pickled. `rnncls.machine.tensors` writes and reads the same files as tensors.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rnncls import RunError
from rnncls.machine.files import (
    SCHEMA_VERSION,
    check_version,
    unreadable,
    write_atomic,
)

READ_ERRORS = (
    OSError,
    SafetensorError,
    ValueError,
    TypeError,
    RuntimeError,  # torch: the shape is too large
    MemoryError,  # NumPy: the same
    AttributeError,  # NumPy: the type is unknown
)
"""What reading a damaged safetensors file raises."""
_KEY = "rnncls"


class RawArray(NamedTuple):
    """The contents of an array or a tensor, without a copy.

    Attributes:
        dtype: The name of the type in torch, for example `torch.float32`.
        shape: The shape.
        data: The bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


def save_arrays(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Write arrays and JSON metadata into one verified safetensors file.

    Raises:
        RunError: The file cannot be written.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    header = build_header(_view_raw(contiguous), metadata)
    write_atomic(path, save(contiguous, header))


def load_arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read the arrays and the metadata that `save_arrays` or `save_tensors` wrote.

    Raises:
        RunError: The file is missing, damaged or from a newer version.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
        _check_types(arrays)
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    return arrays, verify_header(path, header, _view_raw(arrays))


def _check_types(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise a TypeError for a type that other packages have added to NumPy.

    The same file is then refused whether or not such a package was imported.
    """
    for name, array in arrays.items():
        if array.dtype.isbuiltin != 1:
            raise TypeError(f"{name}: NumPy has no type {array.dtype.name}")


def build_header(
    arrays: Mapping[str, RawArray], metadata: Mapping[str, Any]
) -> dict[str, str]:
    """Return the header of a file: the checksum and the metadata as JSON."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **metadata}, sort_keys=True)
    # One entry, because safetensors writes several in any order: the same arrays make
    # the same file, byte for byte.
    return {_KEY: f"{_compute_digest(arrays, text)} {text}"}


def verify_header(
    path: Path, header: Mapping[str, str], arrays: Mapping[str, RawArray]
) -> dict[str, Any]:
    """Check the header of a file against its arrays, and return the metadata.

    Raises:
        RunError: The file is damaged or from a newer version.
    """
    digest, _, text = header.get(_KEY, "").partition(" ")
    if digest != _compute_digest(arrays, text):
        raise RunError(f"{path}: damaged: its contents do not match its checksum")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: damaged: its metadata is not JSON") from error
    return check_version(path, metadata)


def _view_raw(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, RawArray]:
    return {
        name: RawArray(
            f"torch.{array.dtype.name}",
            array.shape,
            array.reshape(-1).view(np.uint8).data,
        )
        for name, array in arrays.items()
    }


def _compute_digest(arrays: Mapping[str, RawArray], text: str) -> str:
    """Return the SHA-256 of the metadata and of each array's name, type and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        description = f"\0{name}\0{array.dtype}\0{array.shape}\0"
        digest.update(description.encode())
        digest.update(array.data)
    return digest.hexdigest()
