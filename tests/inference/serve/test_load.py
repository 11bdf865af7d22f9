"""A server under load: what it loses, refuses and keeps in memory."""

import itertools
import json
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from rnncls.inference.export.onnx_export import export_onnx
from tests.inference.light.networks import build_networks
from tests.inference.serve.server_process import START_S, Server, start

pytestmark = pytest.mark.slow
NUM_CLIENTS = 8
BACK_OFF_S = 0.5
LONG = "rovers meet oslo again " * 100
"""A text whose explanation takes long."""
NUM_REQUESTS = 200_000
MAX_GROWTH = 4 << 20


class Answers(NamedTuple):
    """What a client got: the status and the seconds of each answer, and errors."""

    statuses: list[int]
    seconds: list[float]
    errors: list[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "teams.onnx"
    export_onnx(build_networks().numpy, file)
    return file


def send_until(
    server: Server,
    is_done: Callable[[], bool],
    bodies: Iterator[dict[str, Any]],
    route: str = "/predict",
) -> Answers:
    """Send one request after the other, on a connection that is kept open."""
    answers = Answers([], [], [])
    connection = HTTPConnection("127.0.0.1", server.port, timeout=START_S)
    while not is_done():
        body = json.dumps(next(bodies))
        try:
            if connection.sock is None:
                connection.connect()
        except OSError:
            break  # the server accepts no connection any more
        start_s = time.perf_counter()
        try:
            connection.request("POST", route, body)
            response = connection.getresponse()
            response.read()
        except OSError as error:
            answers.errors.append(repr(error))
            break
        answers.statuses.append(response.status)
        answers.seconds.append(time.perf_counter() - start_s)
        if response.status == 429:
            time.sleep(BACK_OFF_S)
    connection.close()
    return answers


@pytest.mark.parametrize("workers", [1, 2])
def test_no_accepted_request_is_lost_when_the_server_stops(
    workers: int, path: Path
) -> None:
    bodies = itertools.repeat({"texts": ["rovers meet oslo"] * 4})
    with (
        start(str(path), "--workers", str(workers)) as server,
        ThreadPoolExecutor(NUM_CLIENTS) as threads,
    ):
        futures = [
            threads.submit(send_until, server, lambda: False, bodies)
            for _ in range(NUM_CLIENTS)
        ]
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        answers = [future.result(START_S) for future in futures]
        assert server.process.wait(START_S) == 0
    assert [error for item in answers for error in item.errors] == []
    statuses = [status for item in answers for status in item.statuses]
    assert len(statuses) > NUM_CLIENTS
    assert set(statuses) == {200}


def test_no_request_is_lost_while_models_replace_each_other(path: Path) -> None:
    bodies = itertools.repeat({"texts": ["rovers meet oslo"] * 4})
    is_done = Event()
    with start(str(path)) as server, ThreadPoolExecutor(NUM_CLIENTS) as threads:
        futures = [
            threads.submit(send_until, server, is_done.is_set, bodies)
            for _ in range(NUM_CLIENTS)
        ]
        for seed in range(1, 6):
            export_onnx(build_networks(seed=seed).numpy, path)
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
        is_done.set()
        answers = [future.result(START_S) for future in futures]
        _, messages = server.stop()
    assert [error for item in answers for error in item.errors] == []
    assert {status for item in answers for status in item.statuses} == {200}
    assert messages.count('"reloaded"') == 5


def test_a_flood_is_refused_at_once(path: Path) -> None:
    """A refused request does not wait until those before it are computed."""
    num_clients = 16
    bodies = itertools.repeat({"text": LONG, "trajectory": True})
    end = time.monotonic() + 5

    def is_done() -> bool:
        return time.monotonic() > end

    with (
        start(str(path), "--max-waiting", "2") as server,
        ThreadPoolExecutor(num_clients) as threads,
    ):
        futures = [
            threads.submit(send_until, server, is_done, bodies, "/explain")
            for _ in range(num_clients)
        ]
        answers = [future.result(START_S) for future in futures]
    assert [error for item in answers for error in item.errors] == []
    by_status: dict[int, list[float]] = {}
    for item in answers:
        for status, seconds in zip(item.statuses, item.seconds, strict=True):
            by_status.setdefault(status, []).append(seconds)
    assert set(by_status) == {200, 429}
    computed, refused = map(statistics.median, (by_status[200], by_status[429]))
    assert refused < computed / 2


def test_memory_does_not_grow_with_new_words(path: Path) -> None:
    with (
        start(str(path)) as server,
        ThreadPoolExecutor(NUM_CLIENTS) as threads,
    ):
        sizes = []
        for num_requests in (NUM_REQUESTS // 10, NUM_REQUESTS):
            share = num_requests // NUM_CLIENTS
            futures = [
                threads.submit(
                    send_new_words, server, f"{num_requests}x{client}", share
                )
                for client in range(NUM_CLIENTS)
            ]
            assert {future.result() for future in futures} == {share}
            sizes.append(read_memory(server.process.pid))
    assert sizes[1] - sizes[0] < MAX_GROWTH


def send_new_words(server: Server, name: str, num_requests: int) -> int:
    """Send requests with words that no other request has; return the answers."""
    texts = (f"rovers {name}word{number}" for number in range(num_requests + 1))
    bodies = ({"texts": [text]} for text in texts)
    numbers = itertools.count()
    answers = send_until(server, lambda: next(numbers) >= num_requests, bodies)
    assert answers.errors == []
    return answers.statuses.count(200)


def read_memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("this system has no /proc")
    (line,) = (row for row in status.read_text().splitlines() if "VmRSS" in row)
    return int(line.split()[1]) << 10
