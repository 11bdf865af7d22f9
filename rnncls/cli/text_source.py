"""The texts that `rnncls explain` and `rnncls gates` look into."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rnncls import ConfigError
from rnncls.cli.text_arguments import describe_texts

if TYPE_CHECKING:
    from rnncls.config.sections import DataSection
    from rnncls.data.single_row import SingleRow


@dataclass(frozen=True)
class SourceText:
    """A text of the command line or of stdin, or one of a row of a file."""

    text: str
    row: "SingleRow | None" = None

    def to_dict(self) -> dict[str, Any]:
        """Return where the text is from, if it is from a row, as JSON values."""
        if self.row is None:
            return {}
        values: dict[str, Any] = {
            "data": str(self.row.path),
            "row": self.row.number,
            "true_label": self.row.label,
        }
        if self.row.id is not None:
            values["id"] = self.row.id
        return values

    def describe(self) -> str:
        """Return the row, its label and its text in a line; empty if it is no row."""
        from rnncls.text.display import printable

        if self.row is None:
            return ""
        label = self.row.label
        known = " (its label is not known)" if label is None else f", labelled {label}"
        name = f"row {self.row.number:,}"
        if self.row.id is not None:
            name = f"{name} ({self.row.id})"
        text = " ".join(self.text.split())
        return printable(f"{self.row.path}, {name}{known}: {text}")


@dataclass(frozen=True)
class RowChoice:
    """The options that take a text from a row of a file.

    Attributes:
        data: The file; None: the texts are arguments.
        row: The number of the row, or its value in `id_column`.
        id_column: A column of the file that names its rows; None: their numbers do.
        text: The columns of the text in the file; empty: those of the run.
    """

    data: Path | None
    row: str | None
    id_column: str | None = None
    text: Sequence[str] = ()


ROW_ADVICE = "to look at one of its rows, use --data {file} --row N"
"""What to do with a file that is given instead of a text."""


def check_row_options(texts: list[str], choice: RowChoice, command: str) -> None:
    """Check that the text is given either as an argument or as a row of a file.

    Raises:
        ConfigError: It is not.
    """
    data = choice.data
    if (data is None) != (choice.row is None):
        raise ConfigError("--data and --row: give both, a file and the number of a row")
    if data is None and (choice.id_column is not None or choice.text):
        raise ConfigError("--id and --text: only allowed with --data and --row")
    if choice.row is not None and choice.id_column is None:
        _parse_number(choice.row)
    if not texts and data is None:
        stdin = ", or - to read texts from stdin" if command == "explain" else ""
        raise ConfigError(
            f'no text: expected one, as in rnncls {command} "some text", or a row of a'
            f" file, as in rnncls {command} --data FILE --row 1{stdin}"
        )
    if texts and data is not None:
        raise ConfigError(
            f"found {describe_texts(texts)} and --data {data}: give only one of them"
        )


def _parse_number(row: str) -> int:
    """Return the number of a row.

    Raises:
        ConfigError: It is not a number from 1.
    """
    if not re.fullmatch("0*[1-9][0-9]{0,17}", row):
        raise ConfigError(
            f"--row: expected the number of a row, from 1, found '{row}'; with --id"
            " COLUMN, it is a value of that column"
        )
    return int(row)


def _check_text_columns(names: Sequence[str], labels: Sequence[str]) -> None:
    """Check that the columns of the text are different ones, and not that of the label.

    Raises:
        ConfigError: They are not.
    """
    if len({*names, *labels}) < len(names) + len(labels):
        raise ConfigError(
            "--text: expected different columns, without the run's column of the label"
            f" ({', '.join(labels)})"
        )


def load_texts(
    texts: list[str], choice: RowChoice, section: "DataSection"
) -> list[SourceText]:
    """Return the texts of the command line, or of a row of a file.

    Raises:
        ConfigError: The file has no such row, or several.
        DataError: The file cannot be read.
    """
    from rnncls.data.single_row import read_row, read_row_by_id

    if choice.data is None or choice.row is None:
        return [SourceText(text) for text in texts]
    if choice.text:
        _check_text_columns(choice.text, section.label_columns)
        section = section.replace(text=list(choice.text))
    if choice.id_column is None:
        found = read_row(choice.data, _parse_number(choice.row), section)
    else:
        found = read_row_by_id(choice.data, choice.row, choice.id_column, section)
    return [SourceText(found.text, found)]


def print_json(source: SourceText, values: dict[str, Any]) -> None:
    """Print a result as JSON, with the row that the text is from."""
    typer.echo(json.dumps(values | source.to_dict()))


def print_source(source: SourceText) -> None:
    """Print the row that a text is from, if it is from one."""
    if source.row is not None:
        typer.echo(source.describe() + "\n")
