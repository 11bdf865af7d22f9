"""`rnncls init`: from somebody's data to a config that trains at once."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncls.cli.options import JsonOption
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.data.init_config import Draft


def init_command(
    source: Annotated[
        str,
        typer.Argument(
            help=(
                "A CSV, TSV, JSON, JSON lines, Parquet or fastText file, a folder with"
                " train and test files or with "
                "a subfolder a class, or hf:NAME."
            ),
            metavar="FILE_OR_FOLDER",
            show_default=False,
        ),
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "The column of the text; may be repeated. Default: what looks like it."
            ),
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="The column of the class. Default: what looks like it.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The config to write; default: FILE.yaml, here.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a config that is there.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Look at your data and write a config that trains at once, with a reason beside
    each
    choice.

    Nothing is asked. What training cannot read (another encoding, fastText, a folder a
    class) is converted into CSV files beside the config.
    """
    import json

    path = out or default_path(source)
    draft = init_config(source, path, text or [], label, overwrite=overwrite)
    if json_:
        typer.echo(json.dumps(describe(draft, path)))
        return
    for note in draft.notes:
        typer.echo(note, err=True)
    quoted = shlex.quote(str(path))
    typer.echo(
        f"{path}: {draft.stats.num_rows:,} rows, {len(draft.stats.classes)} classes; "
        f"now: rnncls train --config {quoted} (or look first: rnncls inspect {quoted})"
    )


def init_config(
    source: str,
    out: Path,
    text: list[str],
    label: str | None,
    *,
    overwrite: bool = False,
) -> "Draft":
    """Write a config for somebody's data, and what had to be converted, and return it
    with
    what was found.

    Raises:
        RnnclsError: The data is wrong, or a file is there already.
    """
    with fast_imports():
        from rnncls.data.conversion import check_absent
        from rnncls.data.init_config import draft_config, save_draft

    check_absent(out, overwrite=overwrite)
    draft = draft_config(source, out, text, label, overwrite=overwrite)
    save_draft(draft, out)
    return draft


def describe(draft: "Draft", path: Path) -> dict[str, Any]:
    """Return what was found and written, as JSON has it."""
    return {
        "config": str(path),
        "num_rows": draft.stats.num_rows,
        "classes": draft.stats.classes,
        "data": draft.config.data.model_dump(),
        "notes": draft.notes,
    }


def default_path(source: str) -> Path:
    """Return the config's name: the file's or folder's, or the last part of a `hf:`
    name, in the current folder.
    """
    name = (
        source.removeprefix("hf:").partition("#")[0]
        if source.startswith("hf:")
        else source
    )
    return Path(f"{Path(name).resolve().stem or 'config'}.yaml")
