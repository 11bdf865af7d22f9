"""The device, the precision, and deterministic kernels."""

import logging

import pytest
import torch

from rnncls import ConfigError, DeviceError
from rnncls.machine import device as device_module
from rnncls.machine.device import (
    has_bfloat16_products,
    resolve_device,
    resolve_precision,
    resolve_run_device,
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with so many CUDA devices, and with or without MPS."""
    num_cuda, has_mps = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has_mps)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "chosen", "reason"),
    [
        ((1, True), "cuda", "a CUDA device was found"),
        ((0, True), "mps", "no CUDA device was found, but Apple's MPS was"),
        ((0, False), "cpu", "no CUDA or MPS device was found"),
    ],
    indirect=["machine"],
)
def test_auto_takes_the_fastest_device_and_says_why(
    chosen: str,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_module, "may_have_accelerator", lambda: True)
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_device("auto") == torch.device(chosen)
    assert caplog.messages == [f"device: {chosen} (auto: {reason})"]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("machine", [(0, False)], indirect=True)
def test_auto_says_nothing_where_there_is_only_the_cpu(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "may_have_accelerator", lambda: False)
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_device("auto") == torch.device("cpu")
    assert not caplog.messages


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ((0, False), "cpu"),
        ((0, True), "mps"),
        ((1, False), "cuda"),
        ((1, False), "cuda:0"),
        ((2, False), "cuda:1"),
    ],
    indirect=["machine"],
)
def test_a_device_that_is_there_is_taken(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_device(name) == torch.device(name)
    assert caplog.messages == []


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "name", "message"),
    [
        (
            (2, False),
            "mps",
            "mps: Apple's MPS is not available here; use the device cpu or auto",
        ),
        (
            (0, False),
            "cuda",
            "cuda: this machine has 0 CUDA devices; use the device cpu or auto",
        ),
        (
            (2, False),
            "cuda:2",
            "cuda:2: this machine has 2 CUDA devices; use the device cpu or auto",
        ),
        # torch.device("cuda:256") is cuda:0, and torch.device("cuda:99999999999") is an
        # error of torch's.
        (
            (2, False),
            "cuda:256",
            "cuda:256: this machine has 2 CUDA devices; use the device cpu or auto",
        ),
        (
            (0, False),
            "cuda:99999999999",
            "cuda:99999999999: this machine has 0 CUDA devices",
        ),
    ],
    indirect=["machine"],
)
def test_a_device_that_is_not_there_is_named_with_what_to_do(
    name: str, message: str
) -> None:
    with pytest.raises(DeviceError) as caught:
        resolve_device(name)
    assert str(caught.value).startswith(message)
    assert caught.value.suggestions == {"device": "auto"}


@pytest.mark.parametrize(
    "name", ["banana", "meta", "xpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", ""]
)
def test_a_device_of_no_known_kind_is_a_wrong_setting(name: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("kind", "cell", "has_products", "auto_uses_it", "works"),
    [
        ("cpu", "lstm", True, True, True),
        ("cpu", "lstm", False, False, False),
        ("cpu", "gru", True, False, False),
        ("cpu", "rnn", True, False, False),
        ("mps", "lstm", True, False, False),
        ("cuda", "gru", False, False, True),
    ],
)
def test_bfloat16_is_taken_where_it_is_faster_and_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    cell: str,
    *,
    has_products: bool,
    auto_uses_it: bool,
    works: bool,
) -> None:
    monkeypatch.setattr(device_module, "has_bfloat16_products", lambda: has_products)
    device = torch.device(kind)
    assert resolve_precision("float32", device, cell) is torch.float32
    assert resolve_precision("auto", device, cell) is (
        torch.bfloat16 if auto_uses_it else torch.float32
    )
    if works:
        assert resolve_precision("bfloat16", device, cell) is torch.bfloat16
    else:
        with pytest.raises(
            ConfigError,
            match=(
                rf"^train\.precision: bfloat16 .* {kind}.* {cell}: use auto or float32$"
            ),
        ):
            resolve_precision("bfloat16", device, cell)


@pytest.mark.parametrize("name", ["amx_bf16", "avx512_bf16"])
def test_products_in_bfloat16_are_what_torch_says(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {name: True}, raising=False
    )
    assert has_bfloat16_products()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not has_bfloat16_products()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not has_bfloat16_products()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "configured", "chosen"),
    [
        ((0, False), "cuda", "cpu"),
        ((0, False), "cuda:3", "cpu"),
        ((0, True), "cuda", "mps"),
        ((1, False), "cuda:3", "cuda"),
        ((0, False), "mps", "cpu"),
    ],
    indirect=["machine"],
)
def test_a_run_works_without_the_device_of_its_training(
    configured: str, chosen: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_run_device(None, configured) == torch.device(chosen)
    expected = f"device: {chosen}, as the run's {configured} is not available here"
    assert caplog.messages == [expected]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("machine", [(0, False)], indirect=["machine"])
def test_a_device_that_the_user_asks_for_must_exist(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(DeviceError):
        resolve_run_device("cuda", "cpu")
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_run_device(None, "auto") == torch.device("cpu")
        assert resolve_run_device("cpu", "cuda") == torch.device("cpu")
    assert caplog.messages == []
