"""Worker threads: order, errors, one core each, denormal numbers."""

import threading
from collections.abc import Iterator

import pytest
import torch

from rnncls import DeviceError
from rnncls.machine.threads import Workers, share_kernels, start_workers

CPU = torch.device("cpu")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Set torch to two threads and keep denormal numbers, as before workers start."""
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


@pytest.mark.usefixtures("two_threads")
def test_kernels_share_the_threads_of_the_workers_for_a_while() -> None:
    start_workers.cache_clear()
    try:
        start_workers(CPU)
        with share_kernels(CPU):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    finally:
        start_workers.cache_clear()
