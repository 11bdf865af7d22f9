"""Options that several commands share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError, RunError

YAML_ENDINGS = (".yaml", ".yml")


def complete_keys(incomplete: str) -> Iterator[str]:
    """Yield the completions of `--set` in a shell: each key with an equals sign."""
    from rnncls.config.describe import iter_keys

    return (f"{key}=" for key, *_ in iter_keys() if key.startswith(incomplete))


def complete_runs(incomplete: str) -> Iterator[str]:
    """Yield the run folders in `runs/`, the completions of RUN in a shell."""
    from rnncls.runs.folder import MODEL, RUNS_DIR

    folders = (str(path.parent) for path in sorted(RUNS_DIR.glob(f"*/{MODEL}")))
    return (folder for folder in folders if folder.startswith(incomplete))


ConfigArgument = Annotated[
    Path | None,
    typer.Argument(
        help="The config, a YAML file. It can also be given as --config.",
        show_default=False,
        metavar="CONFIG",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The config, instead of the argument.",
        show_default=False,
        metavar="FILE",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="Override a key, as in --set train.lr=0.002. May be repeated.",
        metavar="KEY.PATH=VALUE",
        autocompletion=complete_keys,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        help="auto, cpu, cuda, cuda:N or mps; default: the config's device.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        help="The run folder; default: runs/CONFIG-DATE-TIME.", show_default=False
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help=(
            "Continue exactly where the run at --out stopped, by default with its own"
            " config; without --out, where the newest run of CONFIG stopped."
        ),
    ),
]
WithChangesOption = Annotated[
    bool,
    typer.Option(
        "--with-changes",
        help="With --resume: continue even if the config or data changed.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print machine-readable JSON.")
]
PlotPageOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        help="Also write a page with a plot to this file.",
        metavar="FILE",
        show_default=False,
    ),
]
NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Bypass the cache of tokenised data.",
    ),
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(
        help=(
            "The run folder; default: the newest finished run. It can also be given as"
            " --run."
        ),
        show_default=False,
        autocompletion=complete_runs,
        metavar="RUN",
    ),
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help="The run folder, instead of the argument.",
        show_default=False,
        autocompletion=complete_runs,
        metavar="FOLDER",
    ),
]
TextRunOption = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help="The run folder; default: the newest finished run.",
        show_default=False,
        autocompletion=complete_runs,
        metavar="FOLDER",
    ),
]
"""The run of a command whose arguments are texts."""
PredictRunOption = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help=(
            "The run folder, or an .onnx file that rnncls export wrote; default: the"
            " newest finished run."
        ),
        show_default=False,
        autocompletion=complete_runs,
        metavar="FOLDER",
    ),
]
RunsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--run",
        help="A run folder, instead of the arguments. May be repeated.",
        show_default=False,
        autocompletion=complete_runs,
        metavar="FOLDER",
    ),
]
RowFileOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help=(
            "Take the text from --row of this file, which is read as the run's data"
            " are. An argument is then the run."
        ),
        show_default=False,
        metavar="FILE",
    ),
]
RowOption = Annotated[
    str | None,
    typer.Option(
        "--row",
        help=(
            "The number of the row in --data: 1 is the first after the header. A quoted"
            " text of several lines belongs to one row. With --id, a value of that"
            " column."
        ),
        show_default=False,
        metavar="N",
    ),
]
RowIdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        help="A column of --data that names its rows, such as an id; see --row.",
        show_default=False,
        metavar="COLUMN",
    ),
]
TextColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        help=(
            "Column of the text in --data; may be repeated. Default: the columns that"
            " the run was trained on."
        ),
        show_default=False,
        metavar="COLUMN",
    ),
]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        help="Save the plot to this PNG file.", show_default=False, metavar="FILE"
    ),
]
NumTextsOption = Annotated[
    int,
    typer.Option("--texts", min=1, help="Number of texts to sample, evenly spaced."),
]


def choose_config(argument: Path | None, option: Path | None) -> Path:
    """Return the config, which is given as an argument or as --config.

    Raises:
        ConfigError: Two configs are given, or no config.
    """
    config = _choose("--config", argument, option)
    if config is None:
        raise ConfigError(
            "no config: expected a YAML file, as an argument or as --config;"
            " 'rnncls init YOUR_DATA' writes one"
        )
    return config


def choose_resumed_config(
    argument: Path | None, option: Path | None, out: Path | None, *, resume: bool
) -> Path:
    """Return the config of a training; a run that is resumed has its own.

    Args:
        argument: The config, as an argument.
        option: The config, as --config.
        out: The run folder.
        resume: Whether the run in it is to be resumed.

    Raises:
        ConfigError: Two configs are given; or no config, and no run that has one.
        RunError: No config is given, and the run has none.
    """
    if not resume or argument is not None or option is not None:
        return choose_config(argument, option)
    from rnncls.runs.folder import RunFolder

    if out is None:
        raise ConfigError(
            "--resume: no run: expected its folder, as in rnncls train --resume --out"
            " RUN, or its config, as an argument or as --config"
        )
    config = RunFolder(out).config
    if not config.is_file():
        raise RunError(f"{out}: nothing to resume: has no {config.name}")
    return config


def choose_run(argument: Path | None, option: Path | None) -> Path:
    """Return the run, given as an argument or as --run; default: the newest finished.

    Raises:
        ConfigError: Two runs are given.
        RunError: There is no such run, or it has no trained model.
    """
    return find_run_or_newest(_choose("--run", argument, option))


def find_run_or_newest(run: Path | None) -> Path:
    """Return a run folder; if none is named, say on stderr which one is the newest.

    Raises:
        RunError: There is no such run, or it has no trained model.
    """
    from rnncls.runs.folder import RUNS_DIR, find_run

    found = find_run(run)
    if run is None:
        is_inside = found.parent == RUNS_DIR.resolve()
        shown = RUNS_DIR / found.name if is_inside else found
        typer.echo(f"run: {shown} (the newest finished run)", err=True)
    return found


def split_run(
    texts: list[str] | None, run: Path | None, context: typer.Context, *, has_file: bool
) -> tuple[list[str], Path | None]:
    """Return the arguments without a run folder before the texts, and the run.

    Args:
        texts: The arguments of a command whose arguments are texts.
        run: The value of --run.
        context: The context of the command.
        has_file: Whether the texts come from a file. The only argument is then a run
            folder. Otherwise the first of several arguments may be one.

    Raises:
        ConfigError: Two runs are given.
    """
    texts = texts or []
    if not texts or (len(texts) == 1) != has_file:
        return texts, run
    first, *others = texts
    if first in (context.obj or ()) or not _may_be_run(first, has_file=has_file):
        return texts, run
    return others, _choose("--run", Path(first), run)


def _may_be_run(text: str, *, has_file: bool) -> bool:
    """Return whether an argument is a run folder, or is meant as one.

    Args:
        text: The argument.
        has_file: Whether the texts come from a file, so that any folder, and any path
            with a separator, is meant as a run.
    """
    if has_file and os.sep in text and not any(map(str.isspace, text)):
        return True
    if not os.path.isdir(text):  # noqa: PTH112 - no error for a long text
        return False
    if has_file:
        return True
    from rnncls.runs.folder import RunFolder

    return RunFolder(Path(text)).is_run()


def choose_runs(arguments: list[Path] | None, options: list[Path] | None) -> list[Path]:
    """Return the run folders, which are given as arguments or as --run.

    Raises:
        ConfigError: Both are given, and differ.
    """
    if arguments and options and arguments != options:
        raise ConfigError(
            "found run folders as arguments and others as --run: use only one of the"
            " two"
        )
    return arguments or options or []


def split_arguments(
    arguments: list[Path] | None, config: Path | None
) -> tuple[list[Path], Path | None]:
    """Return the run folders among the arguments, and the config, if one is given.

    The config is a YAML file among the arguments, or the value of --config.

    Raises:
        ConfigError: Two configs are given.
    """
    runs = []
    for argument in arguments or []:
        if argument.suffix.lower() in YAML_ENDINGS and not argument.is_dir():
            config = _choose("--config", argument, config)
        else:
            runs.append(argument)
    return runs, config


def _choose(name: str, argument: Path | None, option: Path | None) -> Path | None:
    """Return what is given as an argument or as an option.

    Raises:
        ConfigError: Both are given, and differ.
    """
    if argument is None or option is None:
        return argument or option
    if argument.resolve() != option.resolve():
        raise ConfigError(
            f"{name}: found {option}, and {argument} as an argument: give only one of"
            " them"
        )
    return argument


def check_changes(*, resume: bool, with_changes: bool) -> None:
    """Check that --with-changes is only used with --resume.

    Raises:
        ConfigError: --resume is missing.
    """
    if with_changes and not resume:
        raise ConfigError("--with-changes is only allowed with --resume")
