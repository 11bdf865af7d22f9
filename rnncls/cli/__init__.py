"""The command line: one file a command, each a thin wrapper over a plain function.

A command imports what it needs when it runs, so that `rnncls --help` and a config error never load torch.
"""

import contextlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from rnncls import __version__
from rnncls.cli.anytime import anytime_command
from rnncls.cli.benchmark import app as benchmark_app
from rnncls.cli.check import check_command
from rnncls.cli.compare import compare_command
from rnncls.cli.config import app as config_app
from rnncls.cli.crossval import crossval_command
from rnncls.cli.distill import distill_command
from rnncls.cli.doctor import doctor_command
from rnncls.cli.eval import eval_command
from rnncls.cli.explain import explain_command
from rnncls.cli.flags import flags_command
from rnncls.cli.gates import gates_command
from rnncls.cli.gradient import gradient_command
from rnncls.cli.init import init_command
from rnncls.cli.inspect import inspect_command
from rnncls.cli.order import order_command
from rnncls.cli.plot import plot_command
from rnncls.cli.predict import predict_command
from rnncls.cli.pretrain import pretrain_command
from rnncls.cli.report import report_command
from rnncls.cli.stream import stream_command
from rnncls.cli.train import train_command
from rnncls.cli.tune import tune_command
from rnncls.errors import ConfigError, DataError, RnnclsError

TOGETHER = {"train", "distill", "predict"}
"""The commands that several processes of torchrun can work on."""

app = typer.Typer(
    name="rnncls",
    help="Train, evaluate and use recurrent text classifiers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init_command)
app.command("inspect")(inspect_command)
app.command("train")(train_command)
app.command("pretrain")(pretrain_command)
app.command("distill")(distill_command)
app.command("eval")(eval_command)
app.command("predict")(predict_command)
app.command("doctor")(doctor_command)
app.command("crossval")(crossval_command)
app.command("tune")(tune_command)
app.command("report")(report_command)
app.command("compare")(compare_command)
app.command("plot")(plot_command)
app.command("stream")(stream_command)
app.command("explain")(explain_command)
app.command("anytime")(anytime_command)
app.command("gates")(gates_command)
app.command("flags")(flags_command)
app.command("check")(check_command)
app.command("gradient")(gradient_command)
app.command("order")(order_command)
app.add_typer(config_app, name="config")
app.add_typer(benchmark_app, name="benchmark")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rnncls {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand after the command too.")
    ] = False,
) -> None:
    # Nothing is left to do: --version has its callback, and run() has taken --debug away from wherever it stood.
    pass


def run() -> None:
    """Run the command line; leave with 0, or with the exit code of the error that ended it (see rnncls.errors)."""
    arguments = sys.argv[1:]
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    _show_notes()
    _print_anything()
    try:
        try:
            _check_command(own)
            rest = [argument for argument in own if argument != "--debug"] + arguments[len(own) :]
            with _only_the_first_one_heard():
                app(args=rest, prog_name="rnncls")  # which shells complete, however it was started
        finally:
            sys.stdout.flush()  # here, where a full disk or a closed pipe still finds someone to tell
    except RnnclsError as error:
        if _place("LOCAL_RANK") == 0:  # processes that work together fail together: one tells, on each machine
            _show_error(error, "interrupted" if error.exit_code == 130 else "error", debug=debug)
        sys.exit(error.exit_code)
    except OSError as error:  # files have errors of their own: this one is of the output
        _drop_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        _show_error(error, "error", debug=debug)
        sys.exit(DataError.exit_code)
    except SystemExit as leaving:
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        _drop_output()
        sys.exit(0)


def _place(name: str) -> int:
    """Return a number that torchrun gives to each process it starts, such as RANK; 0 without torchrun."""
    return int(os.environ[name]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def _check_command(arguments: list[str]) -> None:
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    if _place("WORLD_SIZE") > 1 and command not in {*TOGETHER, None}:
        raise ConfigError(f"{command}: is work for one process: start it without torchrun")


@contextlib.contextmanager
def _only_the_first_one_heard() -> Iterator[None]:
    """Let all that a command prints go nowhere, in every process that torchrun has started but the first."""
    if _place("RANK") == 0:
        yield
        return
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def _show_error(error: Exception, kind: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    typer.echo(f"{kind}: {error}", err=True)


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: whoever read it has gone, as in `rnncls predict … | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_anything() -> None:
    """Write what the terminal's encoding lacks as an escape, instead of stopping there."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class _NoteHandler(logging.Handler):
    """Notes to stderr, above any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def _show_notes() -> None:
    logger = logging.getLogger("rnncls")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(_NoteHandler())
