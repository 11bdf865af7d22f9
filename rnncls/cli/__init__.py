"""The command line: one file a command, each a thin wrapper over a plain function.

A command imports what it needs when it runs, so that `rnncls --help` and a config error
never load torch.
"""

import contextlib
import importlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError, DataError, RnnclsError, __version__

TOGETHER = {"train", "distill", "predict"}
"""The commands that several processes of torchrun can work on."""

PANELS = {
    "Your data": {
        "init": "Look at your data and write a config that trains at once.",
        "inspect": "Look at the data: classes, lengths, copies, odd texts.",
    },
    "Train": {
        "train": "Train a classifier; Ctrl-C saves, --resume goes on.",
        "pretrain": "Train a language model on texts without labels.",
        "distill": "Train one classifier on what several runs say.",
        "crossval": "Judge each row by a model that has not seen it.",
        "tune": "Search for better settings within minutes or trials.",
    },
    "Judge": {
        "eval": "Print how good a run is, and where it errs.",
        "report": "Write one page on a run, with pictures.",
        "compare": "Set runs beside one another: is it more than chance?",
        "plot": "Show loss and score over the epochs.",
    },
    "Use": {
        "predict": "Print label and probability of texts, or of a file.",
        "stream": "Judge texts from stdin anew after every token.",
    },
    "Look inside": {
        "explain": "Show what each token adds to a class.",
        "anytime": "Print the accuracy after 1, 2, 4, 8, … tokens.",
        "gates": "Show what each token does to state, cell and gates.",
        "flags": "Find the units that a word switches on for good.",
        "gradient": "Print how far back the gradient reaches.",
        "order": "Print how much the order of the words counts.",
        "check": "See that padding, batches and threads change nothing.",
    },
    "The program": {
        "config": "Show, check and describe configs.",
        "benchmark": "Measure training, prediction and start-up.",
        "doctor": "Show versions, devices, data folders and extras.",
    },
}
"""The commands as the help lists them, for which none need be loaded; `rnncls NAME
--help` says more."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rnncls {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and leave.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Show the traceback of an error; may stand after the command too.",
        ),
    ] = False,
) -> None:
    # Nothing is left to do: --version has its callback, and run() has taken --debug
    # away from wherever it stood.
    pass


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """Return the program with the command that the arguments name; of the others it has
    what help lists alone.
    """
    app = typer.Typer(
        name="rnncls",
        help="Train, evaluate, explain and use recurrent text classifiers.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main)
    named = _named_command(arguments)
    for panel, texts in PANELS.items():
        for name, text in texts.items():
            if name == named:
                _add_command(app, name)
            else:
                app.command(name, help=text, rich_help_panel=panel)(_stand_in)
    return app


def _stand_in() -> None:
    """Do nothing: this stands for a command that is not loaded."""


def _add_command(app: typer.Typer, name: str) -> None:
    module = importlib.import_module(f"rnncls.cli.{name}")
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name)
    else:
        app.command(name)(getattr(module, f"{name}_command"))


def _words_to_complete() -> list[str]:
    """Return what a shell that asks for a completion has on its line after the
    program's name.
    """
    return (
        os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    ).split()[1:]


def _named_command(arguments: Sequence[str]) -> str | None:
    return next(
        (argument for argument in arguments if not argument.startswith("-")), None
    )


def run() -> None:
    """Run the command line; leave with 0, or with the exit code of the error that ended
    it (see `rnncls`).
    """
    arguments = sys.argv[1:]
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    _show_notes()
    _print_anything()
    try:
        try:
            _check_command(own)
            rest = [argument for argument in own if argument != "--debug"] + arguments[
                len(own) :
            ]
            with _only_the_first_one_heard():
                build_app(_words_to_complete() or own)(
                    args=rest, prog_name="rnncls"
                )  # which shells complete, however it was started
        finally:
            # here, where a full disk or a closed pipe still finds someone to tell
            sys.stdout.flush()
    except RnnclsError as error:
        if (
            _place("LOCAL_RANK") == 0
        ):  # processes that work together fail together: one tells, on each machine
            _show_error(
                error, "interrupted" if error.exit_code == 130 else "error", debug=debug
            )
        sys.exit(error.exit_code)
    except (
        OSError
    ) as error:  # files have errors of their own: this one is of the output
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
    """Return a number that torchrun gives to each process it starts, such as RANK; 0
    without torchrun.
    """
    return int(os.environ[name]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def _check_command(arguments: list[str]) -> None:
    command = _named_command(arguments)
    if _place("WORLD_SIZE") > 1 and command not in {*TOGETHER, None}:
        raise ConfigError(
            f"{command}: is work for one process: start it without torchrun"
        )


@contextlib.contextmanager
def _only_the_first_one_heard() -> Iterator[None]:
    """Let all that a command prints go nowhere, in every process that torchrun has
    started but the first.
    """
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
    """Let what is still to be printed go nowhere: whoever read it has gone, as in
    `rnncls predict … | head`.
    """
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
