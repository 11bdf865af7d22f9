"""The device that is taken, the random streams, and stopping between two steps."""

import logging
import signal

import pytest
import torch

from rnncls.errors import ConfigError, DeviceError
from rnncls.runtime import (
    check_precision,
    random_state,
    resolve_device,
    restore_random_state,
    seed_everything,
    stop_on_signal,
)

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


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
        ((1, True), "cuda", "a CUDA device is there"),
        ((0, True), "mps", "no CUDA device, but Apple's MPS is there"),
        ((0, False), "cpu", "no CUDA or MPS device is there"),
    ],
    indirect=["machine"],
)
def test_auto_takes_the_fastest_device_and_says_why(chosen: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_device("auto") == torch.device(chosen)
    assert caplog.messages == [f"device: {chosen} (auto: {reason})"]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "name"),
    [((0, False), "cpu"), ((0, True), "mps"), ((1, False), "cuda"), ((1, False), "cuda:0"), ((2, False), "cuda:1")],
    indirect=["machine"],
)
def test_a_device_that_is_there_is_taken(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_device(name) == torch.device(name)
    assert caplog.messages == []


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "name", "message"),
    [
        ((2, False), "mps", "mps: Apple's MPS is not available here; use --device cpu or --device auto"),
        ((0, False), "cuda", "cuda: this machine has 0 CUDA devices; use --device cpu or --device auto"),
        ((2, False), "cuda:2", "cuda:2: this machine has 2 CUDA devices; use --device cpu or --device auto"),
        # torch.device("cuda:256") is cuda:0, and torch.device("cuda:99999999999") is an error of torch's.
        ((2, False), "cuda:256", "cuda:256: this machine has 2 CUDA devices; use --device cpu or --device auto"),
        ((0, False), "cuda:99999999999", "cuda:99999999999: this machine has 0 CUDA devices"),
    ],
    indirect=["machine"],
)
def test_a_device_that_is_not_there_is_named_with_what_to_do(name: str, message: str) -> None:
    with pytest.raises(DeviceError) as caught:
        resolve_device(name)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["banana", "meta", "xpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", ""])
def test_a_device_of_no_known_kind_is_a_wrong_setting(name: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_bfloat16_is_refused_outside_cuda(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"^train\.precision: bfloat16 .* the device is {kind} .* use float32$"):
        check_precision("bfloat16", torch.device(kind))


@pytest.mark.parametrize(("precision", "kind"), [("bfloat16", "cuda"), ("float32", "cuda"), ("float32", "cpu")])
def test_a_precision_that_works_passes(precision: str, kind: str) -> None:
    check_precision(precision, torch.device(kind))


def test_one_seed_draws_the_same_numbers_again() -> None:
    seed_everything(7)
    first = torch.rand(5)
    seed_everything(7)
    assert torch.equal(torch.rand(5), first)


def test_another_seed_draws_other_numbers() -> None:
    seed_everything(7)
    first = torch.rand(5)
    seed_everything(8)
    assert not torch.equal(torch.rand(5), first)


def test_tiny_numbers_count_as_zero_after_seeding() -> None:
    torch.set_flush_denormal(False)
    seed_everything(0)
    assert torch.tensor([1e-30]).mul(1e-10).item() == 0.0


def test_a_restored_random_state_draws_the_same_numbers() -> None:
    state = random_state(CPU)
    first = torch.rand(5)
    torch.rand(100)
    restore_random_state(state, CPU)
    assert torch.equal(torch.rand(5), first)


def test_a_random_state_stands_still_while_numbers_are_drawn() -> None:
    state = random_state(CPU)
    before = state["cpu"].clone()
    torch.rand(100)
    assert torch.equal(state["cpu"], before)


@pytest.mark.gpu
@needs_cuda
def test_a_restored_random_state_draws_the_same_numbers_on_the_device() -> None:
    device = torch.device("cuda")
    state = random_state(device)
    first = torch.rand(5, device=device)
    torch.rand(100, device=device)
    restore_random_state(state, device)
    assert torch.equal(torch.rand(5, device=device), first)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_a_request_to_stop(number: signal.Signals) -> None:
    with stop_on_signal() as stop:
        signal.raise_signal(number)
        assert stop.requested


def test_nothing_is_requested_without_a_signal() -> None:
    with stop_on_signal() as stop:
        assert not stop.requested


def test_a_request_is_told_to_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    with stop_on_signal():
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == "\nstopping after this step, and saving; press Ctrl-C again to leave at once\n"


def test_a_second_interrupt_leaves_at_once() -> None:
    with stop_on_signal():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_handlers_of_before_are_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signal():
        inside = signal.getsignal(number)
    assert inside != before
    assert signal.getsignal(number) == before


def test_the_handlers_of_before_are_restored_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stop_on_signal():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) == before
