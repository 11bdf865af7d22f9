"""Run the command line: errors become a message and an exit code."""

import io
import logging
import os
import sys
import traceback

import typer

from rnncls import DataError, Interrupted, RnnclsError
from rnncls.cli.app import build_app
from rnncls.cli.processes import silence_other_ranks, torchrun_int
from rnncls.text.display import printable_lines


def run() -> None:
    """Run the command line and exit with 0 or the error's code (see `rnncls`)."""
    # pydantic would read the metadata of all installed packages, to find its plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    arguments, debug = _take_debug(sys.argv[1:])
    _show_log_messages()
    _escape_unprintable_characters()
    try:
        _run_command(arguments)
    except RnnclsError as error:
        # Every rank fails; one per machine reports it.
        if torchrun_int("LOCAL_RANK") == 0:
            _show_error(error, debug=debug)
        sys.exit(error.exit_code)
    except OSError as error:  # only from stdout: errors of files are RnnclsErrors
        _discard_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        _show_error(error, debug=debug)
        sys.exit(DataError.exit_code)
    except SystemExit as exit_request:
        if not isinstance(exit_request.__context__, BrokenPipeError):
            raise
        _discard_output()
        sys.exit(0)


def _run_command(arguments: list[str]) -> None:
    app = build_app()
    end = arguments.index("--") if "--" in arguments else len(arguments)
    after_dashes = arguments[end + 1 :]
    try:
        with silence_other_ranks():
            app(args=arguments, prog_name="rnncls", obj=after_dashes)
    finally:
        # Python would flush at exit, too late to report a full disk or a closed pipe.
        sys.stdout.flush()


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Return the arguments without `--debug`, and whether it was among them."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options, texts = arguments[:end], arguments[end:]
    without_debug = [argument for argument in options if argument != "--debug"]
    return without_debug + texts, "--debug" in options


def _show_error(error: Exception, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    kind = "interrupted" if isinstance(error, Interrupted) else "error"
    typer.echo(printable_lines(f"{kind}: {error}"), err=True)


def _discard_output() -> None:
    """Discard what is still to be printed, as its reader is gone: `… | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_unprintable_characters() -> None:
    """Print a character that the terminal's encoding lacks as an escape sequence."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class _LogHandler(logging.Handler):
    """Write log messages to stderr, above any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        message = printable_lines(self.format(record))
        if "tqdm" not in sys.modules:  # then there is no bar
            sys.stderr.write(f"{message}\n")
            return
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)


def _show_log_messages() -> None:
    logger = logging.getLogger("rnncls")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(_LogHandler())
