"""The device that is taken, the random streams, and stopping between two steps."""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from rnncls import ConfigError, DeviceError
from rnncls.machine import runtime
from rnncls.machine.runtime import (
    Workers,
    generator_of,
    resolve_device,
    resolve_precision,
    seed_everything,
    start_workers,
    stop_on_signal,
)

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device"
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
        ((1, True), "cuda", "a CUDA device is there"),
        ((0, True), "mps", "no CUDA device, but Apple's MPS is there"),
        ((0, False), "cpu", "no CUDA or MPS device is there"),
    ],
    indirect=["machine"],
)
def test_auto_takes_the_fastest_device_and_says_why(
    chosen: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "rnncls"):
        assert resolve_device("auto") == torch.device(chosen)
    assert caplog.messages == [f"device: {chosen} (auto: {reason})"]


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
            "mps: Apple's MPS is not available here; use --device cpu or --device auto",
        ),
        (
            (0, False),
            "cuda",
            "cuda: this machine has 0 CUDA devices; use --device cpu or --device auto",
        ),
        (
            (2, False),
            "cuda:2",
            (
                "cuda:2: this machine has 2 CUDA devices; use --device cpu or --device"
                " auto"
            ),
        ),
        # torch.device("cuda:256") is cuda:0, and torch.device("cuda:99999999999") is an
        # error of torch's.
        (
            (2, False),
            "cuda:256",
            (
                "cuda:256: this machine has 2 CUDA devices; use --device cpu or"
                " --device auto"
            ),
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


@pytest.mark.parametrize(
    "name", ["banana", "meta", "xpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", ""]
)
def test_a_device_of_no_known_kind_is_a_wrong_setting(name: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("kind", "cell", "amx", "gains"),
    [
        ("cpu", "lstm", True, True),
        ("cpu", "lstm", False, False),
        ("cpu", "gru", True, False),
        ("cpu", "rnn", True, False),
        ("mps", "lstm", True, False),
        ("cuda", "gru", False, True),
    ],
)
def test_bfloat16_is_taken_where_it_is_faster_and_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch, kind: str, cell: str, *, amx: bool, gains: bool
) -> None:
    monkeypatch.setattr(runtime, "has_amx", lambda: amx)
    device = torch.device(kind)
    assert resolve_precision("float32", device, cell) is torch.float32
    assert resolve_precision("auto", device, cell) is (
        torch.bfloat16 if gains else torch.float32
    )
    if gains:
        assert resolve_precision("bfloat16", device, cell) is torch.bfloat16
    else:
        with pytest.raises(
            ConfigError,
            match=(
                rf"^train\.precision: bfloat16 .* {kind}.* {cell}: use auto or float32$"
            ),
        ):
            resolve_precision("bfloat16", device, cell)


def test_what_the_imports_made_is_never_looked_through_again() -> None:
    command = (
        "import gc, rnncls.__main__; assert not gc.isenabled(); "
        "from rnncls.machine.runtime import collect_again; collect_again(); "
        "assert gc.isenabled(); assert gc.get_freeze_count() > 100_000"
    )
    subprocess.run([sys.executable, "-c", command], check=True)


def test_amx_is_what_torch_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False
    )
    assert runtime.has_amx()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not runtime.has_amx()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not runtime.has_amx()


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


def rand(*numbers: int, device: torch.device = CPU) -> torch.Tensor:
    return torch.rand(5, generator=generator_of(device, *numbers), device=device)


def test_a_generator_is_a_function_of_its_numbers() -> None:
    first = rand(7, 3)
    torch.rand(100)
    assert torch.equal(rand(7, 3), first)


@pytest.mark.parametrize("numbers", [(7, 4), (8, 3), (3, 7), (7,)])
def test_another_seed_or_step_has_another_generator(numbers: tuple[int, ...]) -> None:
    assert not torch.isin(rand(*numbers), rand(7, 3)).any()


def test_no_two_steps_draw_the_same_number() -> None:
    assert (
        len({number for step in range(1000) for number in rand(0, step).tolist()})
        > 4990
    )


def test_a_generator_leaves_the_global_stream_where_it_is() -> None:
    before = torch.get_rng_state()
    rand(7, 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@needs_cuda
def test_a_generator_is_a_function_of_its_numbers_on_the_device_too() -> None:
    device = torch.device("cuda")
    first = rand(7, 3, device=device)
    torch.rand(100, device=device)
    assert torch.equal(rand(7, 3, device=device), first)
    assert not torch.equal(rand(7, 4, device=device), first)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """A torch with two threads, as it is before any workers have started, that shows
    denormal numbers."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.set_flush_denormal(False)
    yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(True)


def tiny() -> float:
    return torch.tensor([1e-30]).mul(1e-10).item()


@pytest.mark.parametrize("num_threads", [1, 2])
def test_workers_answer_in_the_order_of_the_items(num_threads: int) -> None:
    assert Workers(num_threads).map(str, range(50)) == [
        str(number) for number in range(50)
    ]


def test_two_workers_work_at_once_and_still_answer_in_order() -> None:
    second_is_done = threading.Event()

    def work(item: str) -> str:
        if item == "second":
            second_is_done.set()
        assert second_is_done.wait(timeout=30)
        return item

    assert Workers(2).map(work, ["first", "second"]) == ["first", "second"]


@pytest.mark.parametrize("num_threads", [1, 2])
def test_workers_raise_what_the_work_raises(num_threads: int) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise DeviceError("the third")
        return item

    workers = Workers(num_threads)
    with pytest.raises(DeviceError, match="the third"):
        workers.map(work, range(5))
    assert workers.map(work, range(3)) == [0, 1, 2]  # and go on


def test_one_worker_is_the_caller_itself() -> None:
    assert (
        Workers(1).map(lambda _: threading.get_ident(), range(2))
        == [threading.get_ident()] * 2
    )


@pytest.mark.usefixtures("two_threads")
def test_a_worker_uses_one_core() -> None:
    assert Workers(2).map(lambda _: torch.get_num_threads(), range(4)) == [1] * 4


@pytest.mark.usefixtures("two_threads")
def test_tiny_numbers_count_as_zero_in_a_worker() -> None:
    assert tiny() > 0
    assert Workers(2).map(lambda _: tiny(), range(4)) == [0.0] * 4


@pytest.mark.usefixtures("two_threads")
def test_tiny_numbers_count_as_zero_once_workers_have_started() -> None:
    assert tiny() > 0
    start_workers.__wrapped__(CPU)
    assert tiny() == 0.0


@pytest.mark.usefixtures("two_threads")
def test_there_is_a_worker_for_each_of_torchs_threads_which_are_taken_from_it() -> None:
    assert start_workers.__wrapped__(CPU).num_threads == 2
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_a_device_other_than_the_cpu_has_one_worker() -> None:
    assert start_workers.__wrapped__(torch.device("meta")).num_threads == 1


def test_workers_start_once_in_a_process() -> None:
    assert start_workers(CPU) is start_workers(torch.device("cpu"))


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
    assert (
        capfd.readouterr().err
        == "\nstopping after this step, and saving; press Ctrl-C again to leave at"
        " once\n"
    )


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
