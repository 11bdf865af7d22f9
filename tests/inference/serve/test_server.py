"""The server as a process: start, signals, several workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from rnncls import ConfigError
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.serve.server import bind_socket, name_address
from tests.inference.light.networks import build_networks

START_S = 60
PROGRAM = """
import atexit, sys
from rnncls.cli.main import run
foreign = {"torch", "pyarrow", "pandas", "sklearn", "matplotlib", "onnx"}
atexit.register(lambda: print(foreign & set(sys.modules), file=sys.stderr))
run()
"""


class Server:
    """A running server."""

    def __init__(
        self, process: subprocess.Popen[str], port: int, messages: Path
    ) -> None:
        self.process = process
        self.port = port
        self._messages = messages

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        is_json = response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(text) if is_json else text

    def is_ready(self) -> bool:
        return self.request("GET", "/v2/health/ready") == (200, {"ready": True})

    def predict(self) -> str:
        """Return the version of the classifier that predicts a text."""
        status, answer = self.request("POST", "/predict", {"texts": ["rovers meet"]})
        assert status == 200
        version: str = answer["model"]["version"]
        return version

    def wait_until(self, is_done: Callable[[], bool]) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self.process.poll() is None, self._messages.read_text()
            try:
                if is_done():
                    return
            except OSError:
                pass  # it does not listen yet
            time.sleep(0.02)
        raise AssertionError

    def stop(self) -> tuple[int, str]:
        """Ask the server to stop; return its exit code and its messages."""
        self.process.send_signal(signal.SIGTERM)
        exit_code = self.process.wait(timeout=START_S)
        return exit_code, self._messages.read_text("utf-8")


@contextmanager
def start(*arguments: str) -> Iterator[Server]:
    """Start a server on a free port and wait until it is ready."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, "serve", *arguments]
    messages = Path("messages.jsonl")
    with (
        messages.open("w") as stderr,
        subprocess.Popen(
            [*command, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline()
            assert address.startswith("http://127.0.0.1:"), messages.read_text()
            port = int(address.split(":")[2].split("/")[0])
            server = Server(process, port, messages)
            server.wait_until(server.is_ready)
            yield server
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An exported file."""
    file = tmp_path / "teams.onnx"
    export_onnx(build_networks().numpy, file)
    return file


def test_a_server_starts_reloads_and_stops(path: Path) -> None:
    with start(str(path)) as server:
        old = server.predict()
        export_onnx(build_networks(seed=1).numpy, path)
        server.process.send_signal(signal.SIGHUP)
        server.wait_until(lambda: server.predict() != old)
        exit_code, messages = server.stop()
    assert exit_code == 0
    *lines, imported = messages.splitlines()
    assert imported == "set()"  # neither torch nor other large packages
    records = [json.loads(line) for line in lines]
    assert {"loaded", "reloaded", "stopped"} <= {item["message"] for item in records}
    (loaded,) = (item for item in records if item["message"] == "loaded")
    assert (loaded["model"], loaded["runtime"]) == ("teams", "onnxruntime")
    assert "rovers" not in messages


def test_what_has_begun_is_answered_when_the_server_stops(path: Path) -> None:
    body = {"texts": ["rovers meet oslo " * 20] * 256}
    with start(str(path)) as server, ThreadPoolExecutor(4) as threads:
        futures = [
            threads.submit(server.request, "POST", "/predict", body) for _ in range(4)
        ]
        server.wait_until(lambda: "rnncls_texts_total 0.0" not in read_texts(server))
        exit_code, _ = server.stop()
        answers = [future.result() for future in futures]
    assert exit_code == 0
    assert [status for status, _ in answers] == [200] * 4
    assert all(len(answer["predictions"]) == 256 for _, answer in answers)


def read_texts(server: Server) -> str:
    _, text = server.request("GET", "/metrics")
    assert isinstance(text, str)
    return text


def test_a_request_on_its_way_is_answered_when_the_server_stops(path: Path) -> None:
    """The connection is open, and its request arrives after the signal."""
    with start(str(path)) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=START_S)
        connection.request("GET", "/v2/health/ready")
        assert connection.getresponse().read() == b'{"ready":true}'
        server.process.send_signal(signal.SIGTERM)
        server_stops = time.monotonic() + 0.25
        while time.monotonic() < server_stops:
            time.sleep(0.01)
        connection.request("POST", "/predict", json.dumps({"texts": ["oslo"]}))
        response = connection.getresponse()
        assert (response.status, response.headers["Connection"]) == (200, "close")
        assert server.process.wait(START_S) == 0


@pytest.mark.slow
def test_several_processes_share_metrics_and_reload(path: Path) -> None:
    with start(str(path), "--workers", "2", "--reload") as server:
        before = {server.predict() for _ in range(20)}
        assert len(before) == 1
        for _ in range(5):
            assert "rnncls_texts_total 20.0" in read_texts(server)
        export_onnx(build_networks(seed=1).numpy, path)
        server.wait_until(lambda: not before & {server.predict() for _ in range(20)})
        server.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert server.predict() not in before
        exit_code, messages = server.stop()
    assert exit_code == 0
    assert messages.count('"reloaded"') >= 2


def test_a_used_port_is_named() -> None:
    with bind_socket("127.0.0.1", 0) as used:
        used.listen()
        port = used.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^--port {port}: cannot listen on"):
            bind_socket("127.0.0.1", port)


def test_an_unknown_address_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--host: no address 'no\.such\.host\.'"):
        bind_socket("no.such.host.", 0)


@pytest.mark.parametrize(
    ("host", "expected"), [("0.0.0.0", "http://localhost:"), ("::1", "http://[::1]:")]
)
def test_an_address_can_be_opened_in_a_browser(host: str, expected: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with bind_socket(host, 0) as bound:
        assert name_address(bound).startswith(expected)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True
