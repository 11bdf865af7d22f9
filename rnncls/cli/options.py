"""Options that several commands share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from rnncls import ConfigError


def complete_keys(incomplete: str) -> Iterator[str]:
    """Yield the completions of `--set` in a shell: each key with an equals sign."""
    from rnncls.config.describe import iter_keys

    return (f"{key}=" for key, *_ in iter_keys() if key.startswith(incomplete))


def complete_runs(incomplete: str) -> Iterator[str]:
    """Yield the run folders in `runs/`, the completions of RUN in a shell."""
    from rnncls.runs.folder import MODEL, RUNS_DIR

    folders = (str(path.parent) for path in sorted(RUNS_DIR.glob(f"*/{MODEL}")))
    return (folder for folder in folders if folder.startswith(incomplete))


ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        help="The config, a YAML file.",
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
        help="Continue exactly where the run at --out, or the newest run, stopped.",
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
    typer.Option(
        help="Save the plot to this PNG file.", show_default=False, metavar="FILE"
    ),
]
NumTextsOption = Annotated[
    int,
    typer.Option("--texts", min=1, help="Number of texts to sample, evenly spaced."),
]


def check_changes(*, resume: bool, with_changes: bool) -> None:
    """Check that --with-changes is only used with --resume.

    Raises:
        ConfigError: --resume is missing.
    """
    if with_changes and not resume:
        raise ConfigError("--with-changes is only allowed with --resume")
