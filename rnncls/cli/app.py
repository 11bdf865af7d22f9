"""The program with all its commands.

The help text of a command is the docstring of its function.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from rnncls import ConfigError, __version__
from rnncls.cli import benchmark, config
from rnncls.cli.anytime import anytime_command
from rnncls.cli.check import check_command
from rnncls.cli.compare import compare_command
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
from rnncls.cli.processes import torchrun_int
from rnncls.cli.report import report_command
from rnncls.cli.stream import stream_command
from rnncls.cli.train import train_command
from rnncls.cli.tune import tune_command

DISTRIBUTED_COMMANDS = {"train", "distill", "predict"}
"""The commands that several processes of torchrun can share."""

PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Your data": {"init": init_command, "inspect": inspect_command},
    "Train": {
        "train": train_command,
        "pretrain": pretrain_command,
        "distill": distill_command,
        "crossval": crossval_command,
        "tune": tune_command,
    },
    "Evaluate": {
        "eval": eval_command,
        "report": report_command,
        "compare": compare_command,
        "plot": plot_command,
    },
    "Predict": {"predict": predict_command, "stream": stream_command},
    "Look inside": {
        "explain": explain_command,
        "anytime": anytime_command,
        "gates": gates_command,
        "flags": flags_command,
        "gradient": gradient_command,
        "order": order_command,
        "check": check_command,
    },
}
TOOLS = {"config": config.app, "benchmark": benchmark.app}
"""Groups of commands, in a panel of their own with `doctor`."""


def build_app() -> typer.Typer:
    """Return the program with all commands, in the order of its help."""
    app = typer.Typer(
        name="rnncls",
        help="Train, evaluate, explain and use recurrent text classifiers.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main)
    for panel, commands in PANELS.items():
        for name, command in commands.items():
            app.command(name, rich_help_panel=panel)(command)
    for name, group in TOOLS.items():
        app.add_typer(group, name=name, rich_help_panel="Tools")
    app.command("doctor", rich_help_panel="Tools")(doctor_command)
    return app


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"rnncls {__version__}")
        raise typer.Exit


def _main(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback prints the version
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
    debug: Annotated[  # noqa: ARG001 - `run` takes --debug from anywhere
        bool,
        typer.Option(
            "--debug",
            help="Show the traceback of an error. Also allowed after the command.",
        ),
    ] = False,
) -> None:
    command = context.invoked_subcommand
    if torchrun_int("WORLD_SIZE") > 1 and command not in {*DISTRIBUTED_COMMANDS, None}:
        raise ConfigError(
            f"{command}: runs in one process only: start it without torchrun"
        )
