"""Arguments that should be texts but name a file or a run, which is mostly a mistake.

A text is never refused for good: after `--`, every argument is a text.
"""

import os
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

import typer

from rnncls import ConfigError

STDIN = "-"
_SHOWN_CHARACTERS = 40
_FILE_NAME = re.compile(r"\S.*\.\w{1,8}")
_DATA_FILE_NAME = re.compile(
    r"\S+\.(csv|tsv|txt|jsonl|ndjson|json|parquet|xlsx|yaml)", re.IGNORECASE
)


def check_texts(texts: Sequence[str], context: typer.Context, *, advice: str) -> None:
    """Check that no text names an existing file or a run folder.

    Ordinary words are texts even if a file or folder is called so. A name such as
    `data.csv` of a file that does not exist is a text too. Notes name such texts.

    Args:
        texts: The arguments; those after `--` are not checked.
        context: The context of the command.
        advice: What to do with a file, in which `{file}` stands for it.

    Raises:
        ConfigError: A text names an existing file or run folder.
    """
    after_dashes: Collection[str] = context.obj or ()
    _note_options_after_dashes(after_dashes, context)
    for text in texts:
        if text == STDIN or text in after_dashes:
            continue
        problem = _describe_path(text, advice)
        if problem:
            raise ConfigError(
                f"{problem}; to take this name as a text, put it after -- and all"
                f" options before: rnncls {context.info_name} [OPTIONS] --"
                f" {shlex.quote(text)}"
            )
        note = _note_file_name(text, advice)
        if note:
            typer.echo(f"note: {note}", err=True)


def _note_options_after_dashes(texts: Collection[str], context: typer.Context) -> None:
    """Note that options after `--` are read as texts."""
    options = {name for parameter in context.command.params for name in parameter.opts}
    for text in options.intersection(texts):
        typer.echo(
            f"note: {text} comes after --, so it is read as a text: put options"
            " before --",
            err=True,
        )


def _note_file_name(text: str, advice: str) -> str:
    """Return the note on a text that may be meant as a file; empty if there is none."""
    if os.path.isfile(text):  # noqa: PTH113 - no error for a long text
        what_to_do = advice.format(file=shlex.quote(text))
        return (
            f"{text} is read as a text, but there is a file of this name: {what_to_do}"
        )
    if _DATA_FILE_NAME.fullmatch(text):
        return f"no file {text} here: it is read as a text"
    return ""


def check_source(texts: Sequence[str] | None, input_: str | None) -> None:
    """Check that the texts are arguments, or come from --input.

    Raises:
        ConfigError: There are none, or they come from two places.
    """
    if texts is None and input_ is None:
        raise ConfigError(
            'no text: expected one, as in rnncls predict "some text", or --input FILE,'
            " or - to read one text per line from stdin"
        )
    if texts is not None and input_ is not None:
        raise ConfigError(
            f"found {describe_texts(texts)} and --input {input_}: give only one of them"
        )
    if texts is not None and len(texts) > 1 and STDIN in texts:
        raise ConfigError("- reads all texts from stdin: give no other text")


def describe_texts(texts: Sequence[str]) -> str:
    """Return the first text, or what `-` is, for a message."""
    from rnncls.text.display import shorten

    if texts[0] == STDIN:
        return "- (texts from stdin)"
    return f"the text '{shorten(texts[0], _SHOWN_CHARACTERS)}'"


def _describe_path(text: str, advice: str) -> str:
    """Return what a text is, if it is a path, and what to do; empty if it is none."""
    # os.path, because pathlib raises an error for a long text.
    if not os.path.exists(text):  # noqa: PTH110
        return ""
    path = Path(text)
    has_folder = os.sep in text and any(map(str.isalnum, text))
    if path.is_dir():
        return _describe_folder(path, has_folder=has_folder)
    if has_folder or _FILE_NAME.fullmatch(text):
        what_to_do = advice.format(file=shlex.quote(text))
        return f"{text} is a file, not a text: {what_to_do}"
    return ""


def _describe_folder(path: Path, *, has_folder: bool) -> str:
    from rnncls.runs.folder import RunFolder

    if RunFolder(path).is_run():
        return f"{path} is a run folder, not a text: name the run with --run {path}"
    return f"{path} is a folder, not a text" if has_folder else ""
