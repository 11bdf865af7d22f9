"""`rnncls init`: write a config for a data set."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncls import ConfigError
from rnncls.cli.options import YAML_ENDINGS, JsonOption
from rnncls.cli.outputs import check_target
from rnncls.machine.imports import fast_imports
from rnncls.text.display import printable_lines

if TYPE_CHECKING:
    from rnncls.data.conversion import ConversionOptions
    from rnncls.data.given_files import GivenFiles
    from rnncls.data.init_config import Draft
    from rnncls.data.splits import Split


def init_command(
    source: Annotated[
        str,
        typer.Argument(
            help=(
                "A CSV, TSV, JSON, JSON lines, Parquet or fastText file, a folder with"
                " train and test files or with "
                "a subfolder per class, or hf:NAME."
            ),
            metavar="FILE_OR_FOLDER",
            show_default=False,
        ),
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(
            help=("Column of the text; may be repeated. Default: guessed."),
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Column of the class. Default: guessed.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help=(
                "The config to write: .yaml or .yml. Default: FILE.yaml in the current"
                " folder."
            ),
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help=(
                "Replace an existing config, and the files NAME-train.csv and so on"
                " that a conversion writes beside it."
            ),
        ),
    ] = False,
    skip_unlabelled: Annotated[
        bool,
        typer.Option(
            "--skip-unlabelled",
            help=(
                "Write a file without the rows that have no label, or a blank in a"
                " column of 1 and 0, and use it."
            ),
        ),
    ] = False,
    valid: Annotated[
        Path | None,
        typer.Option(
            help="A validation file. Default: rows of the data.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="A test file, for rnncls eval. Default: rows of the data.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Write a config for your data that trains without edits, with reasons in comments.

    Nothing is asked. Files that training cannot read (other encodings, fastText, a
    folder per class) are converted to CSV files beside the config.
    """
    import json

    with fast_imports():
        from rnncls.data.conversion import ConversionOptions

    check_target("--out", out, YAML_ENDINGS)
    path = out or default_path(source)
    options = ConversionOptions(overwrite=overwrite, skip_unlabelled=skip_unlabelled)
    given: dict[Split, Path] = {}
    if valid is not None:
        given["valid"] = valid
    if test is not None:
        given["test"] = test
    draft = init_config(source, path, text or [], label, options, given)
    if json_:
        typer.echo(json.dumps(describe(draft, path)))
        return
    for note in (*draft.notes, *draft.advice):
        typer.echo(printable_lines(note), err=True)
    if draft.guess:
        typer.echo(printable_lines(draft.guess))
    typer.echo(printable_lines(describe_next(draft, path)))


def init_config(
    source: str,
    out: Path,
    text: list[str],
    label: str | None,
    options: "ConversionOptions",
    given: "GivenFiles | None" = None,
) -> "Draft":
    """Write a config for a data set, and converted files; return the draft.

    Raises:
        RnnclsError: The data is wrong, or a file already exists.
    """
    with fast_imports():
        from rnncls.data.conversion import check_absent
        from rnncls.data.given_files import check_given_rows
        from rnncls.data.init_config import draft_config, save_draft
        from rnncls.data.source_files import find_files

    if not source.startswith("hf:"):
        refuse_config(source)
        find_files(Path(source))  # a missing file is reported before an existing config
    check_absent(out, overwrite=options.overwrite)
    given = given or {}
    draft = draft_config(source, out, text, label, options, given)
    draft.notes.extend(check_given_rows(draft.config.data, given, draft.stats.classes))
    save_draft(draft, out)
    return draft


def refuse_config(source: str) -> None:
    """Check that the data is not a config.

    Raises:
        ConfigError: It is a YAML file.
    """
    if Path(source).suffix.lower() in YAML_ENDINGS:
        quoted = shlex.quote(source)
        raise ConfigError(
            f"{source}: is a config (YAML), not data: expected a data file or folder;"
            f" with the config, use rnncls train --config {quoted} or rnncls inspect"
            f" {quoted}"
        )


def describe_next(draft: "Draft", path: Path) -> str:
    """Return what was written and the command to run now."""
    quoted = shlex.quote(str(path))
    num_classes = len(draft.stats.classes)
    found = f"{path}: {draft.stats.num_rows:,} rows, {num_classes} classes"
    if not draft.can_train:
        return f"{found}; too few to train, see above"
    return (
        f"{found}; now: rnncls train --config {quoted} (or look first: rnncls inspect"
        f" {quoted})"
    )


def describe(draft: "Draft", path: Path) -> dict[str, Any]:
    """Return what was found and written, as JSON values."""
    return {
        "config": str(path),
        "num_rows": draft.stats.num_rows,
        "classes": draft.stats.classes,
        "data": draft.config.data.model_dump(),
        "notes": [*draft.notes, *filter(None, [draft.guess]), *draft.advice],
        "can_train": draft.can_train,
    }


def default_path(source: str) -> Path:
    """Return the default path of the config, named like the data."""
    from rnncls.data.file_sets import is_compressed

    name = (
        source.removeprefix("hf:").partition("#")[0]
        if source.startswith("hf:")
        else source
    )
    path = Path(name).resolve()
    if is_compressed(path):
        path = path.with_suffix("")
    stem = "".join(letter for letter in path.stem if letter not in "*?[]")
    return Path(f"{stem or path.parent.name or 'config'}.yaml")
