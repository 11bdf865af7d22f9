"""Options that several commands share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError


def complete_keys(incomplete: str) -> Iterator[str]:
    """Yield what `--set` may start with, for shells."""
    from rnncls.config.describe import iter_keys

    return (f"{key}=" for key, *_ in iter_keys() if key.startswith(incomplete))


def complete_runs(incomplete: str) -> Iterator[str]:
    """Yield the run folders here, for shells."""
    folders = (
        str(path.parent) for path in sorted(Path().glob("runs/*/model.safetensors"))
    )
    return (folder for folder in folders if folder.startswith(incomplete))


ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config", "-c", help="The YAML config.", show_default=False, metavar="FILE"
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="Change a key: --set train.lr=0.002. May be repeated.",
        metavar="KEY.PATH=VALUE",
        autocompletion=complete_keys,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        help="auto, cpu, cuda, cuda:N or mps; default: the config's.",
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
        help="Go on exactly where the run at --out, or the newest one, stopped.",
    ),
]
WithChangesOption = Annotated[
    bool,
    typer.Option(
        "--with-changes",
        help="With --resume: go on though the config or the data is another.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Read and tokenise the data files anew, and keep nothing of it.",
    ),
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(
        help="The run folder; default: the newest finished run.",
        show_default=False,
        autocompletion=complete_runs,
    ),
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        help="The run folder; default: the newest finished run.",
        show_default=False,
        autocompletion=complete_runs,
    ),
]
PlotOption = Annotated[
    Path | None,
    typer.Option(help="Draw it there, as a PNG.", show_default=False, metavar="FILE"),
]
NumTextsOption = Annotated[
    int,
    typer.Option(
        "--texts", min=1, help="Look at so many texts, evenly spread over all."
    ),
]


def check_changes(*, resume: bool, with_changes: bool) -> None:
    """See that --with-changes stands beside --resume.

    Raises:
        ConfigError: It does not.
    """
    if with_changes and not resume:
        raise ConfigError("--with-changes is for a run that goes on: give --resume too")
