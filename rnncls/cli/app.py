"""The program with all its commands.

The help text of a command is the docstring of its function.
"""

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from rnncls import ConfigError, RnnclsError, __version__
from rnncls.cli.processes import torchrun_int

_ABOVE_ONE = "less than or equal to 1"
"""The end of a message on a share or probability that was given in percent."""

DISTRIBUTED_COMMANDS = {"train", "distill", "predict"}
"""The commands that several processes of torchrun can share."""

TEXT_COMMANDS = {"predict", "explain", "gates"}
"""The commands whose arguments are texts, which may begin with a dash."""

PANELS = {
    "Your data": ["init", "inspect", "label-issues", "suggest"],
    "Train": ["train", "pretrain", "distill", "crossval", "tune"],
    "Evaluate": ["eval", "report", "compare", "plot", "drift"],
    "Predict": ["predict", "stream", "serve", "export"],
    "Look inside": [
        "explain",
        "anytime",
        "gates",
        "flags",
        "gradient",
        "order",
        "check",
    ],
    "Tools": ["config", "benchmark", "doctor"],
}
"""The commands of each panel of the help: modules of `rnncls.cli`, with `-` for `_`."""


class _LazyGroup(TyperGroup):
    """Imports a command when it is run, and all commands only for the help.

    Importing and building all of them would slow down every short command.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names of all commands, in the order of the help."""
        return [name for names in PANELS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of this name, or None; typer's own types are private."""
        for panel, names in PANELS.items():
            if cmd_name in names and cmd_name not in self.commands:
                program = _load_command(cmd_name, panel)
                commands = get_group(program).commands
                _join_help_lines(commands.values())
                self.commands.update(commands)
        if cmd_name not in self.commands:  # load all, so that typer suggests a name
            for name in self.list_commands(ctx):
                self.get_command(ctx, name)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, which shows of each command only the docstring.

        Building all commands with their options would take as long as all the rest.
        """
        for panel, names in PANELS.items():
            for name in names:
                self.commands[name] = _summarize_command(name, panel)
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; add to its errors what to type instead."""
        try:
            return super().invoke(ctx)
        except RnnclsError as error:
            _name_suggested_options(error, self.commands.get(ctx.invoked_subcommand))
            raise
        except Exception as error:
            # typer's own class of this error is private.
            option: str | None = getattr(error, "option_name", None)
            message: str | None = getattr(error, "message", None)
            if message and message.endswith(_ABOVE_ONE):
                vars(error)["message"] = f"{message}: give 80% as 0.8"
            if option and message and ctx.invoked_subcommand in TEXT_COMMANDS:
                hint = (
                    "; put texts that begin with a dash after --, and options before:"
                    f' rnncls {ctx.invoked_subcommand} [OPTIONS] -- "{option} ..."'
                )
                vars(error)["message"] = message + hint
            raise


def build_app() -> typer.Typer:
    """Return the program, which loads its commands when they are needed."""
    app = typer.Typer(
        name="rnncls",
        cls=_LazyGroup,
        help="Train, evaluate, explain and use recurrent text classifiers.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main)
    return app


def _load_command(name: str, panel: str) -> typer.Typer:
    """Return a program with one command or group of commands, from its module."""
    program = typer.Typer(add_completion=False)
    command = _import_command(name)
    if isinstance(command, typer.Typer):
        program.add_typer(command, name=name, rich_help_panel=panel)
    else:
        program.command(name, rich_help_panel=panel)(command)
    return program


def _import_command(name: str) -> typer.Typer | Callable[..., None]:
    """Return the group of commands, or the function of a command, from its module."""
    name_in_code = name.replace("-", "_")
    module = importlib.import_module(f"rnncls.cli.{name_in_code}")
    if hasattr(module, "app"):
        group: typer.Typer = module.app
        return group
    function: Callable[..., None] = getattr(module, f"{name_in_code}_command")
    return function


def _summarize_command(name: str, panel: str) -> Any:
    """Return a command with the help text of a command, but without its options."""
    command = _import_command(name)
    text = command.info.help if isinstance(command, typer.Typer) else command.__doc__
    program = typer.Typer(add_completion=False)
    program.command(name, help=text, rich_help_panel=panel)(lambda: None)
    summary = get_command(program)
    _join_help_lines([summary])
    return summary


def _join_help_lines(commands: Iterable[Any]) -> None:
    """Join the lines of each paragraph of help texts, which the terminal wraps again.

    Args:
        commands: Commands and groups of commands; their types are private to typer.
    """
    for command in commands:
        paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
        joined = [" ".join(paragraph.split()) for paragraph in paragraphs]
        command.help = "\n\n".join(joined)
        _join_help_lines(getattr(command, "commands", {}).values())


def _name_suggested_options(error: RnnclsError, command: Any) -> None:
    """Add the suggested arguments to the message, as options of the command.

    Args:
        error: The error.
        command: The command, of a type private to typer; None: it was not loaded.
    """
    parameters = getattr(command, "params", [])
    known = {option for parameter in parameters for option in parameter.opts}
    shown = []
    for argument, value in error.suggestions.items():
        option = f"--{argument.replace('_', '-')}"
        if option in known:
            shown.append(f"{option} {value}".rstrip())
    if shown:
        error.args = (f"{error} ({', '.join(shown)})",)


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
