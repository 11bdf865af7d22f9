"""Several processes that train or predict together, started by torchrun.

Each process holds the complete model and data, draws the same random numbers for the
complete batch, and computes its own share of the texts. Sums over the processes
(`ProcessGroup.all_reduce_sum`) give all of them the same numbers to continue with.
torch's DistributedDataParallel does the same, but it relies on hooks of `backward`,
which a training step here never calls, and needs a gradient as large as the embedding.

Only numbers and JSON are sent; nothing is pickled. JSON is sent by collective
operations, not by torchrun's key-value store: a collective fails at once if a process
has died, while the store would wait until its timeout. Without torchrun there is one
process, and nothing here communicates.
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

_TIMEOUT = timedelta(hours=1)
"""How long to wait for a process that is alive but busy, such as one that reads its
data."""
_ERROR_FOLLOWS = -1


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that work together, as one of them sees them.

    Attributes:
        rank: Number of this process, from 0; rank 0 is the main process.
        world_size: Number of processes on all machines.
        local_rank: Number of this process on its machine, from 0.
        local_world_size: Number of processes on its machine.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and prints results."""
        return self.rank == 0

    def local_device(self, device: torch.device) -> torch.device:
        """Return this process's own device: with CUDA, each process has its own GPU.

        Args:
            device: The device that all processes were given.

        Raises:
            ConfigError: The processes would have to share one device.
            DeviceError: This machine has fewer GPUs than processes.
        """
        if self.world_size == 1 or device.type == "cpu":
            return device
        if device.type != "cuda" or device.index is not None:
            raise ConfigError(
                f"device: {self.world_size} processes cannot share {device}: use cuda,"
                " which gives each process its own device"
            )
        num_devices = torch.cuda.device_count()
        if self.local_world_size > num_devices:
            raise DeviceError(
                f"cuda: {self.local_world_size} processes on a machine of {num_devices}"
                f" CUDA devices: start torchrun with --nproc-per-node {num_devices}, or"
                " use the device cpu",
                {"device": "cpu"},
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def all_reduce_sum(
        self, tensors: Sequence[torch.Tensor], dtype: torch.dtype = torch.float32
    ) -> None:
        """Replace tensors by their sums over all processes, in place.

        Args:
            tensors: On one device, with the same shapes in every process.
            dtype: Type in which they are added up, as one flat array. float32 holds
                integers up to 2^24 exactly, float64 up to 2^53.

        Raises:
            ProcessLostError: Another process has died.
        """
        if self.world_size == 1:
            return
        flat = torch.cat([tensor.reshape(-1).to(dtype) for tensor in tensors])
        with _report_lost_process():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, *, flag: bool) -> bool:
        """Return whether the flag is set in any process.

        Raises:
            ProcessLostError: Another process has died.
        """
        if self.world_size == 1:
            return flag
        highest = torch.tensor([int(flag)])
        with _report_lost_process():
            dist.all_reduce(highest, dist.ReduceOp.MAX)
        return bool(highest)

    @contextlib.contextmanager
    def raise_everywhere(self) -> Iterator[None]:
        """Run a block in every process; an error in one of them is raised in all.

        The end of the block is a barrier.

        Raises:
            RnnclsError: The error of the lowest rank that has one.
            ProcessLostError: Another process has died.
        """
        if self.world_size == 1:
            yield
            return
        try:
            yield
        except RnnclsError as error:
            self._raise_first_error(error)
        else:
            self._raise_first_error(None)

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """Run a block in the main process, then in the others.

        An error in one process is raised in all of them.
        """
        with self._in_two_turns(is_first=self.is_main):
            yield

    @contextlib.contextmanager
    def local_main_first(self) -> Iterator[None]:
        """Run a block in the first process of each machine, then in the others.

        An error in one process is raised in all of them.
        """
        with self._in_two_turns(is_first=self.local_rank == 0):
            yield

    @contextlib.contextmanager
    def _in_two_turns(self, *, is_first: bool) -> Iterator[None]:
        """Run a block in the processes of the first turn, then in those of the second.

        Each turn ends with an exchange of errors, in which all processes take part.
        """
        if not is_first:
            self._raise_first_error(None)
        with self.raise_everywhere():
            yield
        if is_first:
            self._raise_first_error(None)

    def broadcast_from_main(self, compute: Callable[[], Any]) -> Any:
        """Return what the main process computes, a JSON value, in all processes.

        Raises:
            RnnclsError: The error of `compute`.
            ProcessLostError: Another process has died.
        """
        with self.raise_everywhere():
            value = compute() if self.is_main else None
        return self._gather_json(value)[0]

    def _raise_first_error(self, error: RnnclsError | None) -> None:
        """Exchange the errors of all processes, and raise the first one in all."""
        message = None if error is None else _error_message(error)
        messages = [sent for sent in self._gather_json(message) if sent is not None]
        if messages:
            raise _error_of(messages[0]) from error

    def _gather_json(self, value: Any) -> list[Any]:
        """Return the JSON values of all processes, in the order of their ranks."""
        if self.world_size == 1:
            return [value]
        data = _encode_json(value)  # [n] uint8
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world_size)]
        with _report_lost_process():
            dist.all_gather(sizes, torch.tensor([len(data)]))
            # A collective operation needs the same shape in every process.
            padded = torch.zeros(int(max(sizes)), dtype=torch.uint8)
            padded[: len(data)] = data
            gathered = [torch.empty_like(padded) for _ in sizes]
            dist.all_gather(gathered, padded)
        return [
            _decode_json(part[:size])
            for part, size in zip(gathered, sizes, strict=True)
        ]

    def send(self, matrix: torch.Tensor) -> None:
        """Send a matrix [N, C] of float32 to the main process, which calls `receive`.

        Raises:
            ProcessLostError: The main process has died.
        """
        with _report_lost_process():
            dist.send(torch.tensor(matrix.shape), 0)
            dist.send(matrix.contiguous(), 0)

    def send_error(self, error: RnnclsError) -> None:
        """Raise an error in the main process, at its call of `receive`.

        Raises:
            ProcessLostError: The main process has died.
        """
        data = _encode_json(_error_message(error))
        with _report_lost_process():
            dist.send(torch.tensor([_ERROR_FOLLOWS, len(data)]), 0)
            dist.send(data, 0)

    def receive(self, rank: int) -> torch.Tensor:
        """Return the next matrix [N, C] that a process sends to the main process.

        Raises:
            RnnclsError: The process sent this error instead.
            ProcessLostError: The process has died.
        """
        header = torch.zeros(2, dtype=torch.int64)
        with _report_lost_process():
            dist.recv(header, rank)
            num_rows, width = header.tolist()
            is_error = num_rows == _ERROR_FOLLOWS
            if is_error:
                received = torch.empty(width, dtype=torch.uint8)
            else:
                received = torch.empty(num_rows, width)
            dist.recv(received, rank)
        if is_error:
            raise _error_of(_decode_json(received))
        return received


SINGLE = ProcessGroup()
"""The group of a process that works alone."""


@cache
def init_process_group() -> ProcessGroup:
    """Connect to the processes that torchrun started with this one, and return them.

    The first call connects, later calls return the same group. Without torchrun the
    process works alone.

    Raises:
        ProcessLostError: The other processes cannot be reached.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return SINGLE
    group = ProcessGroup(
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        local_rank=int(os.environ["LOCAL_RANK"]),
        local_world_size=int(os.environ["LOCAL_WORLD_SIZE"]),
    )
    _divide_cores(group.local_world_size)
    with _report_lost_process():
        _connect()
    atexit.register(_destroy_process_group)
    return group


def _connect() -> None:
    """Initialise torch.distributed for the processes that torchrun started."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store, rank, world_size = next(rendezvous("env://", timeout=_TIMEOUT))
    # After a restart torchrun's store still has the addresses of the old processes: the
    # prefix keeps the new ones apart.
    restart = os.environ["TORCHELASTIC_RESTART_COUNT"]
    dist.init_process_group(
        backend,
        store=PrefixStore(f"rnncls-{restart}-{world_size}", store),
        rank=rank,
        world_size=world_size,
        timeout=_TIMEOUT,
    )


def torchrun_id() -> str | None:
    """Return an identifier of this call of torchrun; None without torchrun.

    It stays the same when torchrun restarts its processes. It is the folder with a
    random name that torchrun creates for the error files of its processes.
    """
    error_file = os.environ.get("TORCHELASTIC_ERROR_FILE", "")
    match = re.fullmatch(
        r"(.+)[/\\]attempt_\d+[/\\]\d+[/\\]error\.json",
        error_file,
    )
    return None if match is None else match[1]


def _divide_cores(num_processes: int) -> None:
    """Divide the cores of this machine among its processes, as numbers of threads.

    OMP_NUM_THREADS takes precedence, unless it is 1: torchrun sets 1 if the user has
    not set it.
    """
    if os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return
    if hasattr(os, "sched_getaffinity"):
        num_cores = len(os.sched_getaffinity(0))
    else:
        num_cores = os.cpu_count() or 1
    num_threads = max(1, num_cores // num_processes)
    # The tokenizer reads the environment variable, torch was imported before.
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    torch.set_num_threads(num_threads)


def _destroy_process_group() -> None:
    """End gloo's threads before the interpreter exits.

    They hold tensors; one that frees them while the interpreter shuts down aborts the
    process.
    """
    if dist.is_initialized():
        dist.destroy_process_group()


@contextlib.contextmanager
def _report_lost_process() -> Iterator[None]:
    """Turn a connection error into a `ProcessLostError`."""
    try:
        yield
    except RuntimeError as error:  # what torch.distributed raises
        if torch.cuda.is_available():
            # NCCL would wait for the process that has died.
            atexit.unregister(_destroy_process_group)
        raise ProcessLostError(
            "another process of this run has died or cannot be reached; see its own"
            " error message above, if any"
        ) from error


def _error_message(error: RnnclsError) -> list[Any]:
    """Return the class, the text and the suggestions of an error, for JSON."""
    return [type(error).__name__, str(error), error.suggestions]


def _error_of(message: Sequence[Any]) -> RnnclsError:
    """Return the error that `_error_message` was made from."""
    name, text, suggestions = message
    classes = {kind.__name__: kind for kind in RnnclsError.__subclasses__()}
    return classes.get(name, RnnclsError)(text, suggestions)


def _encode_json(value: Any) -> torch.Tensor:
    data = bytearray(json.dumps(value).encode())
    return torch.frombuffer(data, dtype=torch.uint8)


def _decode_json(data: torch.Tensor) -> Any:
    return json.loads(data.numpy().tobytes())
