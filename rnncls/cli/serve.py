"""`rnncls serve`: answer requests over HTTP, without torch."""

from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError
from rnncls.cli.options import complete_runs, find_run_or_newest
from rnncls.inference.serve.limits import DEFAULT_BODY, Limits, parse_size
from rnncls.machine.imports import fast_imports, one_blas_thread

MAX_PORT = 65535


def serve_command(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="The run folder, or an .onnx file that rnncls export wrote; default:"
            " the newest finished run.",
            show_default=False,
            autocompletion=complete_runs,
            metavar="RUN",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; 0.0.0.0: all of this machine."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=MAX_PORT, help="The port; 0: any that is free."),
    ] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="The processes that answer.")] = 1,
    name: Annotated[
        str | None,
        typer.Option(
            help="The name in /v2/models/NAME; default: that of the run or file.",
            show_default=False,
        ),
    ] = None,
    max_texts: Annotated[
        int, typer.Option(min=1, help="The texts of a request.")
    ] = Limits.max_texts,
    max_characters: Annotated[
        int, typer.Option(min=1, help="The characters of a text.")
    ] = Limits.max_characters,
    max_body: Annotated[
        str,
        typer.Option(
            help="The size of a request: bytes, or with a unit as in 512kB or 1MB.",
            metavar="SIZE",
        ),
    ] = DEFAULT_BODY,
    max_waiting: Annotated[
        int,
        typer.Option(
            min=0,
            help="The requests that may wait in a process while others are computed;"
            " further ones are answered with 429.",
        ),
    ] = Limits.max_waiting,
    reload: Annotated[
        bool,
        typer.Option(
            "--reload",
            help="Load the model again when its file changes, or without RUN when"
            " another run has finished. SIGHUP does so once.",
        ),
    ] = False,
) -> None:
    """Answer requests over HTTP: predictions, explanations, metrics and a page.

    The server needs no torch. / is a page to type texts on, /docs describes all
    requests. Press Ctrl-C to stop it.
    """
    try:
        with fast_imports(), one_blas_thread():
            from rnncls.inference.serve.reload import ModelSource
            from rnncls.inference.serve.server import (
                ServerOptions,
                bind_socket,
                name_address,
                serve,
            )
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"serve needs the package {error.name}: pip install 'rnncls[serve]'"
        ) from error

    limits = Limits(
        max_texts, max_characters, parse_size("--max-body", max_body), max_waiting
    )
    if run is None:
        find_run_or_newest(None)  # says on stderr which run it is
    options = ServerOptions(host, port, workers, limits, reload)
    bound = bind_socket(host, port)
    with bound:
        typer.echo(f"{name_address(bound)} (stop with Ctrl-C)")
        serve(ModelSource(run, name), options, bound)
