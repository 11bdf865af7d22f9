"""Start the application with uvicorn, in one process or in several.

At SIGTERM no connection is accepted any more, requests that have begun are answered,
and the processes exit with 0.
"""

import functools
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from rnncls import ConfigError, RnnclsError, RunError
from rnncls.inference.serve.limits import Limits
from rnncls.inference.serve.logs import json_logs, log, start_json_logs
from rnncls.inference.serve.reload import ModelHolder, ModelSource

logger = logging.getLogger(__name__)

STOP_LISTENING_S = 0.25
"""After this time all processes have noticed the signal, twice uvicorn's interval."""
GRACE_S = 0.5
"""How long an open connection may still bring a request afterwards."""
_CLOSE = (b"connection", b"close")
STOP_TIMEOUT_S = 30
"""After this time, requests are no longer waited for."""
KEEP_ALIVE_S = 75
"""Longer than that of usual proxies, so that not the server closes a connection in
which a request is on its way."""
_MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True)
class ServerOptions:
    """How a server is started.

    Attributes:
        host: The address to listen on.
        port: The port; 0: any that is free.
        num_workers: The processes.
        limits: How much a request may ask for.
        watches: Whether to reload the classifier whenever its file has changed.
    """

    host: str
    port: int
    num_workers: int
    limits: Limits
    watches: bool


class GracefulProtocol(HttpToolsProtocol):
    """A connection that still answers a request which arrives as the server stops."""

    def shutdown(self) -> None:
        """Keep the connection until no process accepts another one, then end it.

        A client that was told to open another connection before would be refused.
        """
        self.loop.call_later(STOP_LISTENING_S, self._end)

    def _end(self) -> None:
        """End the connection with its next answer, or if no request comes."""
        headers = self.server_state.default_headers
        if _CLOSE not in headers:
            headers.append(_CLOSE)
        if not self._is_idle():
            self.cycle.keep_alive = False
        self.loop.call_later(GRACE_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete


class Workers(Multiprocess):
    """Several processes that share a socket; one that ends is replaced."""

    def handle_hup(self) -> None:
        """Let each process reload the classifier; none of them is restarted."""
        for process in self.processes:
            if process.pid is not None and process.exitcode is None:
                os.kill(process.pid, signal.SIGHUP)

    def terminate_all(self) -> None:
        """Ask all processes to stop.

        Without this process's copy, the socket ends when the last of them closes it.
        """
        for shared in self.sockets:
            shared.close()
        super().terminate_all()


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address, but does not listen yet.

    Raises:
        ConfigError: The address does not exist, or is in use.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host: no address {host!r}: {error}") from error
    family, kind, protocol, _, address = found[0]
    # With its protocol: asyncio sends small answers without delay (TCP_NODELAY) only on
    # sockets that say they are TCP.
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"--port {port}: cannot listen on {host}: {error.strerror}: choose another"
            " port, or stop the program that uses it"
        ) from error
    return bound


def name_address(bound: socket.socket) -> str:
    """Return the address of a socket, for a browser on this machine."""
    host, port, *_ = bound.getsockname()
    if host in {"0.0.0.0", "::"}:
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(source: ModelSource, options: ServerOptions, bound: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT arrives.

    Args:
        source: Where the classifier is.
        options: How to serve it.
        bound: The socket to listen on.

    Raises:
        RunError: The classifier is missing or damaged, or does not pass its test; or a
            process cannot start.
        ConfigError: ONNX Runtime, which an .onnx file needs, is not installed.
    """
    with json_logs():
        models = ModelHolder.load(source)
        model = models.model
        log(
            logger,
            logging.INFO,
            "loaded",
            model=model.name,
            version=model.version,
            runtime=model.runtime,
            address=name_address(bound),
            workers=options.num_workers,
        )
        if options.num_workers == 1:
            _serve_alone(models, options, bound)
        else:
            source = replace(source, name=model.name)
            del model, models  # each process loads it
            _serve_with_workers(source, options, bound)
        log(logger, logging.INFO, "stopped")


def _serve_alone(
    models: ModelHolder, options: ServerOptions, bound: socket.socket
) -> None:
    # Imported here: the first process of several collects no metrics.
    from rnncls.inference.serve.app import create_app

    app = create_app(models, options.limits, watches=options.watches)
    config = _configure(app, options)
    with _ignored_signals():
        uvicorn.Server(config).run(sockets=[bound])


def _serve_with_workers(
    source: ModelSource, options: ServerOptions, bound: socket.socket
) -> None:
    """Start the processes, and wait until they have ended.

    Raises:
        RunError: A process cannot start.
    """
    factory = functools.partial(create_worker_app, source, options)
    config = _configure(factory, options, is_factory=True)
    with _shared_metrics():
        workers = Workers(config, [bound])
        workers.run()
        exit_codes = [process.exitcode for process in workers.processes]
    if STARTUP_FAILURE in exit_codes:
        raise RunError(f"{source.path}: a process could not start: see its messages")


def create_worker_app(source: ModelSource, options: ServerOptions) -> FastAPI:
    """Return the application of one of several processes."""
    from rnncls.inference.serve.app import create_app

    start_json_logs()
    try:
        models = ModelHolder.load(source)
    except RnnclsError as error:
        log(logger, logging.ERROR, "not started", error=str(error))
        sys.exit(STARTUP_FAILURE)
    num_threads = 1  # the processes compute at the same time
    return create_app(
        models,
        options.limits,
        watches=options.watches,
        num_threads=num_threads,
    )


def _configure(
    app: Callable[..., Any], options: ServerOptions, *, is_factory: bool = False
) -> uvicorn.Config:
    """Return the configuration of uvicorn."""
    return uvicorn.Config(
        app,
        http=GracefulProtocol,
        ws="none",
        lifespan="on",
        loop="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        factory=is_factory,
        workers=options.num_workers,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


@contextmanager
def _ignored_signals() -> Iterator[None]:
    """Let a server that was stopped by a signal exit as if it had ended by itself.

    uvicorn raises the signal again for what was there before it.
    """

    def ignore(number: int, frame: FrameType | None) -> None:
        """Do nothing."""

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, ignore) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Let the processes share their metrics through files, which are deleted."""
    folder = tempfile.mkdtemp(prefix="rnncls-metrics-")
    os.environ[_MULTIPROCESS_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[_MULTIPROCESS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)
