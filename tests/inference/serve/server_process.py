"""A server in a process of its own, which tests start and ask."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

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
    with start_command([*command, "--port", "0"]) as server:
        yield server


@contextmanager
def start_command(command: list[str]) -> Iterator[Server]:
    """Start a command that serves, and wait until it is ready."""
    messages = Path("messages.jsonl").absolute()
    with (
        messages.open("w") as stderr,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline()
            assert address.startswith("http://"), messages.read_text()
            port = int(address.split(":")[2].split("/")[0])
            server = Server(process, port, messages)
            server.wait_until(server.is_ready)
            yield server
        finally:
            process.kill()
