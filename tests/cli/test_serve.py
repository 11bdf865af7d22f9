"""`rnncls serve` with wrong arguments."""

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["none.onnx"], 4, "error: none.onnx: missing"),
        (["none"], 4, "error: none: "),
        (["--max-body", "much"], 2, "error: --max-body: expected a size such as 1MB"),
        (["--port", "70000"], 2, "Invalid value for '--port'"),
        (["--workers", "0"], 2, "Invalid value for '--workers'"),
        ([], 4, "error: no finished run at runs/latest"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], exit_code: int, message: str, cli: Cli
) -> None:
    used = [] if "--port" in arguments else ["--port", "0"]
    outcome = cli("serve", *arguments, *used)
    assert outcome.exit_code == exit_code
    assert message in outcome.stderr


def test_a_used_port_is_named(cli: Cli, run_path: Path) -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = str(used.getsockname()[1])
        outcome = cli("serve", str(run_path), "--port", port)
    assert outcome.exit_code == 2
    assert f"error: --port {port}: cannot listen on 127.0.0.1" in outcome.stderr


def test_a_missing_package_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "rnncls.inference.serve.server", raising=False)
    outcome = cli("serve", "model.onnx")
    assert outcome.exit_code == 2
    assert "serve needs the package uvicorn: pip install 'rnncls[serve]'" in (
        outcome.stderr
    )
