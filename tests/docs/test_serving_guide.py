"""The commands and files of the guide to `rnncls serve`."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rnncls.cli.main import run
from rnncls.inference.serve.limits import DEFAULT_BODY, MAX_EXPLAINED, Limits
from tests.builders import write_run
from tests.inference.serve.server_process import Server, start_command

GUIDE = Path(__file__).parents[2] / "docs/guides/serving.md"
REFERENCE = GUIDE.parents[1] / "reference/commands.md"
ADDRESS = "http://127.0.0.1:8000"


def read_blocks(language: str) -> list[str]:
    text = GUIDE.read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_command_and_program_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(Path("runs/reviews"), labels=["bad", "good"], words=["not", "good"])
    export, serve, *requests = "".join(read_blocks("sh")).splitlines()
    monkeypatch.setattr(sys, "argv", shlex.split(export))
    with pytest.raises(SystemExit, match="0"):
        run()
    capsys.readouterr()
    command = [sys.executable, "-m", *shlex.split(serve), "--port", "0"]
    with start_command(command) as server:
        assert len(requests) >= 5
        for request in requests:
            check_request(request, server)
        address = f"http://127.0.0.1:{server.port}"
        (program,) = read_blocks("python")
        exec(compile(program.replace(ADDRESS, address), "serving.md", "exec"), {})
        assert capsys.readouterr().out.strip() in {"bad", "good"}


def check_request(command: str, server: Server) -> None:
    """Send a request of the guide, with curl where it is installed."""
    address = f"http://127.0.0.1:{server.port}"
    program, silent, target, *data = shlex.split(command.replace(ADDRESS, address))
    assert (program, silent) == ("curl", "-s")
    body = json.loads(data[1]) if data else None
    path = target.removeprefix(address)
    status, answer = server.request("POST" if data else "GET", path, body)
    assert (status, bool(answer)) == (200, True)
    if shutil.which("curl"):
        arguments = ["curl", "-sf", target, *data]
        subprocess.run(arguments, check=True, capture_output=True)


def test_an_answer_has_the_keys_of_the_guide() -> None:
    (shown,) = map(json.loads, read_blocks("json"))
    from rnncls.inference.serve.schemas import PredictResponse

    parsed = PredictResponse.model_validate(shown)
    assert parsed.predictions[0].label == "bad"


def test_the_defaults_are_those_of_the_command() -> None:
    text = GUIDE.read_text("utf-8")
    limits = Limits()
    for number in (limits.max_texts, limits.max_waiting, MAX_EXPLAINED):
        assert f"| {number} |" in text
    assert f"| {limits.max_characters:,} |" in text
    assert f"| {DEFAULT_BODY} |" in text
    _, _, reference = REFERENCE.read_text("utf-8").partition("\n## rnncls serve\n")
    section, _, _ = reference.partition("\n## rnncls ")
    options = set(re.findall(r"`(--max-[a-z]+|--workers|--reload|--name)", text))
    assert len(options) == 7
    assert [option for option in options if f"`{option}" not in section] == []


def test_the_unit_starts_and_reloads() -> None:
    (unit,) = read_blocks("ini")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(unit)
    program, command, *_ = parser["Service"]["ExecStart"].split()
    assert (Path(program).name, command) == ("rnncls", "serve")
    assert parser["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_probes_of_kubernetes_exist() -> None:
    (document,) = map(yaml.safe_load, read_blocks("yaml"))
    (container,) = document["spec"]["predictor"]["containers"]
    probes: list[Any] = [container["readinessProbe"], container["livenessProbe"]]
    paths = [probe["httpGet"]["path"] for probe in probes]
    assert paths == ["/v2/health/ready", "/v2/health/live"]
