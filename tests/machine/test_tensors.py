"""Tensors with a checksum."""

import json
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from rnncls import RunError
from rnncls.machine import arrays, files
from rnncls.machine.tensors import load_tensors, save_tensors


@pytest.mark.parametrize("text", ["[]", "1", "x", "[" * 100_000])
def test_sealed_metadata_that_is_no_object_is_refused(
    tmp_path: Path, text: str
) -> None:
    seal = files.sha256_of(text.encode())
    safetensors.torch.save_file({}, tmp_path / "x", {"rnncls": f"{seal} {text}"})
    with pytest.raises(RunError, match=r"x: damaged: its metadata is no"):
        load_tensors(tmp_path / "x")


def test_an_empty_tensor_is_saved_whatever_its_strides(tmp_path: Path) -> None:
    # As torch.from_numpy gives it for an empty array of NumPy.
    empty = torch.zeros(0).as_strided((0,), (0,))
    save_tensors(tmp_path / "x", {"empty": empty}, {})
    assert load_tensors(tmp_path / "x")[0]["empty"].shape == (0,)
    assert arrays.load_arrays(tmp_path / "x")[0]["empty"].shape == (0,)


def test_a_shape_too_large_for_torch_is_refused(tmp_path: Path) -> None:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [0, 2**64 - 1], "data_offsets": [0, 0]}}
    ).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(RunError, match=r"x: damaged or not readable: .*\Z"):
        load_tensors(tmp_path / "x")


def test_weights_under_a_name_that_is_not_utf_8_are_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x\udcff", {}, {})
    with pytest.raises(RunError, match="not readable"):
        load_tensors(tmp_path / "x\udcff")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3),
        torch.arange(6.0).reshape(2, 3).T,
        torch.tensor(2**62),
        torch.tensor([True, False]),
        torch.tensor([1.5, -0.0, float("nan"), float("inf")], dtype=torch.float64),
        torch.tensor([0.1], dtype=torch.bfloat16),
        torch.zeros(0, 3),
        torch.get_rng_state(),
    ],
    ids=[
        "matrix",
        "transposed",
        "scalar",
        "bool",
        "float64",
        "bfloat16",
        "empty",
        "random state",
    ],
)
def test_tensors_are_read_as_they_were_written(
    tmp_path: Path, tensor: torch.Tensor
) -> None:
    save_tensors(tmp_path / "x", {"t": tensor}, {})
    tensors, _ = load_tensors(tmp_path / "x")
    torch.testing.assert_close(tensors["t"], tensor, rtol=0, atol=0, equal_nan=True)


def test_metadata_of_tensors_is_read_as_it_was_written(tmp_path: Path) -> None:
    meta = {
        "values": {"score": 0.1 + 0.2, "none": None, "text": "日本"},
        "list": [1, [2]],
    }
    save_tensors(tmp_path / "x", {}, meta)
    assert load_tensors(tmp_path / "x")[1] == {"schema_version": 1, **meta}


def test_the_same_tensors_make_the_same_file(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(2), "a": torch.zeros(3)}
    save_tensors(tmp_path / "x", tensors, {"k": 1, "l": 2})
    save_tensors(tmp_path / "y", dict(reversed(tensors.items())), {"l": 2, "k": 1})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_tensors_of_another_schema_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "SCHEMA_VERSION", 2)
        save_tensors(tmp_path / "x", {}, {})
    with pytest.raises(
        RunError, match=r"x: written in format 2, this version of rnncls reads 1"
    ):
        load_tensors(tmp_path / "x")
