"""Accelerators are found by the files of their drivers."""

import sys
from pathlib import Path

import pytest

from rnncls.machine.accelerators import is_surely_cpu, may_have_accelerator

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /dev")


@linux
@pytest.mark.parametrize("name", ["nvidiactl", "nvidia0", "kfd", "dxg"])
def test_the_file_of_a_driver_is_an_accelerator(tmp_path: Path, name: str) -> None:
    (tmp_path / "null").touch()
    assert not may_have_accelerator(tmp_path)
    (tmp_path / name).touch()
    assert may_have_accelerator(tmp_path)


@linux
def test_hidden_devices_are_no_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not may_have_accelerator(tmp_path)


def test_on_other_systems_only_torch_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert may_have_accelerator(tmp_path)


@pytest.mark.parametrize(
    ("name", "is_cpu"),
    [("cpu", True), ("cuda", False), ("cuda:1", False), ("mps", False), ("x", False)],
)
def test_a_named_device_is_what_it_is_called(name: str, *, is_cpu: bool) -> None:
    assert is_surely_cpu(name) is is_cpu


@pytest.mark.parametrize("has_accelerator", [True, False])
def test_auto_is_the_cpu_where_there_is_no_accelerator(
    monkeypatch: pytest.MonkeyPatch, *, has_accelerator: bool
) -> None:
    monkeypatch.setattr(
        "rnncls.machine.accelerators.may_have_accelerator", lambda: has_accelerator
    )
    assert is_surely_cpu("auto") is not has_accelerator
