"""Arrays with a checksum: the same files as those of tensors, without torch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rnncls import RunError
from rnncls.machine.arrays import load_arrays, save_arrays
from rnncls.machine.tensors import load_tensors, save_tensors

ARRAYS: dict[str, npt.NDArray[Any]] = {
    "matrix": np.arange(6, dtype=np.int64).reshape(2, 3),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "scalar": np.array(2**30, dtype=np.int32),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "read only": np.frombuffer(b"text", dtype=np.uint8),
}


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    save_arrays(tmp_path / "x", ARRAYS, {"key": "日本"})
    arrays, metadata = load_arrays(tmp_path / "x")
    assert metadata == {"schema_version": 1, "key": "日本"}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        assert array.flags.writeable
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_the_file_is_that_of_the_same_tensors(tmp_path: Path) -> None:
    tensors = {name: torch.from_numpy(array.copy()) for name, array in ARRAYS.items()}
    save_arrays(tmp_path / "arrays", ARRAYS, {"key": 1})
    save_tensors(tmp_path / "tensors", tensors, {"key": 1})
    assert (tmp_path / "arrays").read_bytes() == (tmp_path / "tensors").read_bytes()
    loaded, _ = load_tensors(tmp_path / "arrays")
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_a_changed_byte_is_damage(tmp_path: Path) -> None:
    save_arrays(tmp_path / "x", ARRAYS, {})
    data = bytearray((tmp_path / "x").read_bytes())
    data[-1] ^= 1
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(
        RunError, match=r"x: damaged: its contents do not match its checksum"
    ):
        load_arrays(tmp_path / "x")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_a_type_that_numpy_does_not_have_is_refused(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    save_tensors(tmp_path / "x", {"t": torch.zeros(2, dtype=dtype)}, {})
    with pytest.raises(RunError, match=r"x: damaged or not readable"):
        load_arrays(tmp_path / "x")


def test_neither_arrays_nor_json_need_torch() -> None:
    command = (
        "import sys, rnncls.machine.arrays, rnncls.machine.files;"
        " sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", command], check=True)
