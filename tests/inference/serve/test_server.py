"""The server as a process: start, signals, several workers."""

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from rnncls import ConfigError
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.serve.server import (
    GRACE_S,
    STOP_LISTENING_S,
    bind_socket,
    name_address,
)
from tests.inference.light.networks import build_networks
from tests.inference.serve.server_process import START_S, Server, start


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
        time.sleep(STOP_LISTENING_S + GRACE_S / 2)
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


def test_answers_are_sent_without_delay() -> None:
    """asyncio sets TCP_NODELAY for this protocol only; without it an answer takes 40 ms
    more, as its second part waits for an acknowledgement of the first."""
    with bind_socket("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


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
