"""Several processes at one training or one prediction, started by torchrun: who is who,
and what they tell each other.

Each process has the whole model and the whole data, draws what chance decides for the
whole batch, and computes on its own texts. What they find is added up
(`Processes.add_up`), so that all of them go on with the same numbers. That is what
torch's DistributedDataParallel does, but that hangs on `backward`, which a training
step here never calls, and it wants a gradient as large as the embedding.

Only numbers and JSON go from one process to another; nothing is pickled. Without
torchrun there is one process, and nothing here does anything.
"""

import atexit
import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from rnncls import ConfigError, DeviceError, ProcessLostError, RnnclsError

_PATIENCE = timedelta(hours=1)
"""How long to wait for a process that is there but says nothing, as while it reads its
data."""
_FAILED = -1


@dataclass(frozen=True)
class Processes:
    """The place of this process among those that work together.

    Attributes:
        number: Of this process, from 0; the first one writes, the others only read.
        count: Of all processes, on all machines.
        local_number: Of this process among those on its machine, from 0.
        local_count: Of the processes on its machine.
    """

    number: int = 0
    count: int = 1
    local_number: int = 0
    local_count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.number == 0

    def own_device(self, device: torch.device) -> torch.device:
        """Return the device of this process where all were given this one: of CUDA
        devices, each process has its own.

        Raises:
            ConfigError: They would have to share one.
            DeviceError: There are fewer than processes on this machine.
        """
        if self.count == 1 or device.type == "cpu":
            return device
        if device.type != "cuda" or device.index is not None:
            raise ConfigError(
                f"device: {self.count} processes cannot share {device}: give cuda, of"
                " which each has one"
            )
        if self.local_count > (found := torch.cuda.device_count()):
            raise DeviceError(
                f"cuda: {self.local_count} processes on a machine of {found} CUDA"
                f" devices: start torchrun with --nproc-per-node {found}, or use"
                " --device cpu"
            )
        torch.cuda.set_device(self.local_number)
        return torch.device("cuda", self.local_number)

    def add_up(
        self, tensors: Sequence[torch.Tensor], dtype: torch.dtype = torch.float32
    ) -> None:
        """Replace tensors on one device by their sums over all processes, which have
        them
        in the same shapes.

        They travel as one array of `dtype`: float32 holds whole numbers up to 2^24
        exactly, float64 up to 2^53.

        Raises:
            ProcessLostError: Another process has gone.
        """
        if self.count == 1:
            return
        flat = torch.cat([tensor.reshape(-1).to(dtype) for tensor in tensors])
        with _talking():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any_wishes(self, *, own: bool) -> bool:
        """Return whether this process or any other wishes something.

        Raises:
            ProcessLostError: Another process has gone.
        """
        if self.count == 1:
            return own
        wish = torch.tensor([int(own)])
        with _talking():
            dist.all_reduce(wish, dist.ReduceOp.MAX)
        return bool(wish)

    @contextlib.contextmanager
    def together(self, *, goes_first: bool = True) -> Iterator[None]:
        """Do something in every process: an error in one is raised in all.

        Args:
            goes_first: Whether this process need not wait until those that go first
                have done it.

        Raises:
            ProcessLostError: Another process has gone.
        """
        if self.count == 1:
            yield
            return
        if not goes_first:
            self._agree(None)
        try:
            yield
        except RnnclsError as error:
            self._agree(error)
        else:
            self._agree(None)
        if goes_first:
            self._agree(None)

    def from_first(self, find: Callable[[], Any]) -> Any:
        """Return what the first process finds, a JSON value, in all of them."""
        with self.together():
            found = find() if self.is_first else None
        return self._exchange(found)[0]

    def _agree(self, error: RnnclsError | None) -> None:
        """Raise the first error that any of the processes has met, in all of them."""
        told = [
            each
            for each in self._exchange(error and [type(error).__name__, str(error)])
            if each
        ]
        if told:
            raise _rebuild(told[0]) from error

    def _exchange(self, value: Any) -> list[Any]:
        """Return the JSON values of all processes, in their order."""
        if self.count == 1:
            return [value]
        own = _to_bytes(value)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        with _talking():
            dist.all_gather(sizes, torch.tensor([len(own)]))
            padded = torch.zeros(int(max(sizes)), dtype=torch.uint8)
            padded[: len(own)] = own
            parts = [torch.empty_like(padded) for _ in sizes]
            dist.all_gather(parts, padded)
        return [
            _from_bytes(part[:size]) for part, size in zip(parts, sizes, strict=True)
        ]

    def send(self, values: torch.Tensor) -> None:
        """Send a matrix [N, C] of float32 to the first process, which waits for it with
        `receive`.

        Raises:
            ProcessLostError: It has gone.
        """
        with _talking():
            dist.send(torch.tensor(values.shape), 0)
            dist.send(values.contiguous(), 0)

    def send_error(self, error: RnnclsError) -> None:
        """Let `receive` raise an error in the first process.

        Raises:
            ProcessLostError: It has gone.
        """
        text = _to_bytes([type(error).__name__, str(error)])
        with _talking():
            dist.send(torch.tensor([_FAILED, len(text)]), 0)
            dist.send(text, 0)

    def receive(self, sender: int) -> torch.Tensor:
        """Return the next matrix that another process sends.

        Raises:
            RnnclsError: What it has met instead.
            ProcessLostError: It has gone.
        """
        shape = torch.zeros(2, dtype=torch.int64)
        with _talking():
            dist.recv(shape, sender)
            num_rows, width = shape.tolist()
            has_failed = num_rows == _FAILED
            values = (
                torch.empty(width, dtype=torch.uint8)
                if has_failed
                else torch.empty(num_rows, width)
            )
            dist.recv(values, sender)
        if has_failed:
            raise _rebuild(_from_bytes(values))
        return values


ALONE = Processes()


@cache
def find_processes() -> Processes:
    """Return this process's place among those that torchrun has started with it, once
    they
    can talk to each other.

    Without torchrun it is alone.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return ALONE
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    processes = Processes(*(int(os.environ[name]) for name in names))
    _take_share_of_cores(processes.local_count)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with _talking():
        store, number, count = next(rendezvous("env://", timeout=_PATIENCE))
        # After a restart torchrun's store still has the addresses of processes that are
        # gone: begin a page of our own.
        page = PrefixStore(
            f"rnncls-{os.environ['TORCHELASTIC_RESTART_COUNT']}-{count}", store
        )
        dist.init_process_group(
            backend, store=page, rank=number, world_size=count, timeout=_PATIENCE
        )
    atexit.register(_leave_group)
    return processes


def find_launch() -> str | None:
    """Return what tells this call of torchrun from every other, the same after each of
    its
    restarts; None without it.

    It is the folder, with a random name, that torchrun makes for the errors of its
    processes.
    """
    found = re.fullmatch(
        r"(.+)[/\\]attempt_\d+[/\\]\d+[/\\]error\.json",
        os.environ.get("TORCHELASTIC_ERROR_FILE", ""),
    )
    return found and found[1]


def _take_share_of_cores(num_processes: int) -> None:
    """Use as many threads as cores fall to each process of this machine, unless
    OMP_NUM_THREADS says another number.

    torchrun sets that to 1 where it is not set, so that 1 means nothing.
    """
    if os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    share = max(1, cores // num_processes)
    os.environ["OMP_NUM_THREADS"] = str(share)  # which the tokenizer goes by
    torch.set_num_threads(share)


def _leave_group() -> None:
    """End gloo's threads, which hold tensors: one that drops them in a half gone
    interpreter aborts the process.
    """
    if dist.is_initialized():
        dist.destroy_process_group()


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """Say of an error of the connection what it means."""
    try:
        yield
    except RuntimeError as error:  # what torch.distributed raises
        if torch.cuda.is_available():
            atexit.unregister(_leave_group)  # NCCL would wait for the one that has gone
        raise ProcessLostError(
            "another process of this run has gone, or cannot be reached; if it had"
            " something to say, it stands above"
        ) from error


def _rebuild(told: Sequence[str]) -> RnnclsError:
    kinds = {kind.__name__: kind for kind in RnnclsError.__subclasses__()}
    return kinds.get(told[0], RnnclsError)(told[1])


def _to_bytes(value: Any) -> torch.Tensor:
    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def _from_bytes(data: torch.Tensor) -> Any:
    return json.loads(data.numpy().tobytes())
