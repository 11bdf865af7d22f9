"""Measure `rnncls serve` on this machine: requests a second and latency.

scripts/load model.onnx --texts texts.txt --seconds 10

Beside it stand a bare Starlette application that returns what it gets, in the same
server, and a bare loop that predicts in this process. The load is that of wrk, on the
loopback interface, for a limited time. Client and server share the cores.
"""

import argparse
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rnncls.inference.serve.model import load_model

MAX_SECONDS = 60
NUM_BODIES = 500
"""Different requests; wrk sends them in turn."""
PATH = "/predict"
HEAD = (
    "| server | texts a request | clients | requests/s | texts/s | of the bare loop |"
    " p50 ms | p99 ms | p99 / p50 | refused |"
)
_LUA = """
local bodies = { %s }
local index = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  index = index %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[index])
end
"""
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Load(NamedTuple):
    """What wrk measured.

    Attributes:
        requests_per_s: Answers with the status 200, a second.
        p50_ms: The median latency of all answers.
        p99_ms: The 99th percentile.
        num_refused: Answers with another status, such as 429.
    """

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    num_refused: int


async def echo(request: Request) -> Response:
    """Return the body of a request."""
    return Response(await request.body(), media_type="application/json")


echo_app = Starlette(routes=[Route(PATH, echo, methods=["POST"])])


def main() -> None:
    """Print a row as soon as it is measured."""
    arguments = parse_arguments()
    texts = arguments.texts.read_text("utf-8").splitlines()
    print(HEAD, "|---|" + "--:|" * 9, sep="\n")
    for size in arguments.sizes:
        requests = list(itertools.islice(iter_batches(texts, size), NUM_BODIES))
        bare = measure_loop(arguments.model, requests, arguments.seconds)
        print(f"| bare loop | {size} | | | {bare:,.0f} | 1.00 | | | | |", flush=True)
        workers = ["--workers", str(arguments.workers)]
        serve = ["-m", "rnncls", "serve", str(arguments.model), *workers]
        show_server("rnncls serve", serve, requests, bare, arguments)
        echo = [__file__, "--echo"]
        show_server("Starlette echo", echo, requests, bare, arguments)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; start the echo if it asks for it."""
    if sys.argv[1:2] == ["--echo"]:
        serve_echo()
        sys.exit(0)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="an .onnx file or a run folder")
    parser.add_argument("--texts", type=Path, required=True, help="one text a line")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 16], help="texts of a request"
    )
    arguments = parser.parse_args()
    if not 1 <= arguments.seconds <= MAX_SECONDS:
        parser.error(f"--seconds: expected 1 to {MAX_SECONDS}")
    if shutil.which("wrk") is None:
        parser.error("needs wrk: apt-get install wrk, or brew install wrk")
    return arguments


def iter_batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """Yield the texts of each request, from the start again at the end."""
    endless = itertools.cycle(texts)
    while True:
        yield list(itertools.islice(endless, size))


def measure_loop(path: Path, requests: Sequence[list[str]], seconds: int) -> float:
    """Return the texts a second of a loop without a server."""
    model = load_model(path)
    end = time.perf_counter() + 1
    for texts in itertools.cycle(requests):  # to warm up
        model.predict(texts)
        if time.perf_counter() > end:
            break
    num_texts = 0
    start = time.perf_counter()
    for texts in itertools.cycle(requests):
        model.predict(texts)
        num_texts += len(texts)
        elapsed_s = time.perf_counter() - start
        if elapsed_s > seconds:
            return num_texts / elapsed_s
    raise AssertionError


def show_server(
    name: str,
    program: Sequence[str],
    requests: Sequence[list[str]],
    bare: float,
    arguments: argparse.Namespace,
) -> None:
    """Start a server, and print a row for each number of clients."""
    size = len(requests[0])
    with start(program) as address, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "requests.lua"
        write_script(script, requests)
        run_wrk(address, script, num_clients=8, seconds=1)  # to warm up
        for num_clients in arguments.clients:
            load = run_wrk(address, script, num_clients, arguments.seconds)
            texts_per_s = size * load.requests_per_s
            cells = [
                name,
                str(size),
                str(num_clients),
                f"{load.requests_per_s:,.0f}",
                f"{texts_per_s:,.0f}",
                f"{texts_per_s / bare:.2f}",
                f"{load.p50_ms:.2f}",
                f"{load.p99_ms:.2f}",
                f"{load.p99_ms / load.p50_ms:.1f}",
                f"{load.num_refused:,}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


@contextmanager
def start(program: Sequence[str]) -> Iterator[str]:
    """Start a server on a free port, and yield its address."""
    with subprocess.Popen(
        [sys.executable, *program, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split(" ")[0].strip()
            wait_until(lambda: is_open(address))
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def is_open(address: str) -> bool:
    """Return whether a server answers."""
    try:
        body = json.dumps({"texts": ["a text"]}).encode()
        with urlopen(f"{address.rstrip('/')}{PATH}", body):
            return True
    except OSError:
        return False


def wait_until(is_done: Callable[[], bool]) -> None:
    """Wait a minute at most.

    Raises:
        TimeoutError: It has not happened.
    """
    for _ in range(600):
        if is_done():
            return
        time.sleep(0.1)
    raise TimeoutError("the server does not answer")


def write_script(path: Path, requests: Sequence[list[str]]) -> None:
    """Write the bodies of requests as a script for wrk."""
    bodies = [write_lua_string(json.dumps({"texts": texts})) for texts in requests]
    path.write_text(_LUA % ",\n".join(bodies), "utf-8")


def write_lua_string(text: str) -> str:
    """Return a text of ASCII characters as a string of Lua."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def run_wrk(address: str, script: Path, num_clients: int, seconds: int) -> Load:
    """Load a server and return what was measured."""
    command = ["wrk", "-t1", f"-c{num_clients}", f"-d{seconds}s", "--latency"]
    done = subprocess.run(
        [*command, "-s", str(script), f"{address.rstrip('/')}{PATH}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return parse_wrk(done.stdout)


def parse_wrk(output: str) -> Load:
    """Return what the output of wrk says."""
    requests = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    assert requests is not None, output
    num_refused = int(refused[1]) if refused else 0
    elapsed_s = float(requests[2]) * _UNITS[requests[3]] / 1e3
    num_answered = int(requests[1]) - num_refused
    return Load(
        num_answered / elapsed_s,
        find_percentile(output, 50),
        find_percentile(output, 99),
        num_refused,
    )


def find_percentile(output: str, percent: int) -> float:
    """Return a latency in milliseconds."""
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", output, re.MULTILINE)
    assert found is not None, output
    return float(found[1]) * _UNITS[found[2]]


def serve_echo() -> None:
    """Serve the echo with uvicorn, on a free port that is printed."""
    import uvicorn

    from rnncls.inference.serve.server import bind_socket, name_address

    bound = bind_socket("127.0.0.1", 0)
    print(name_address(bound), flush=True)
    config = uvicorn.Config(echo_app, http="httptools", ws="none", access_log=False)
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()
