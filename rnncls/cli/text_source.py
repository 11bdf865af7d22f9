"""The texts that `rnncls explain` and `rnncls gates` look into."""

import json
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
        return {
            "data": str(self.row.path),
            "row": self.row.number,
            "true_label": self.row.label,
        }

    def describe(self) -> str:
        """Return the row, its label and its text in a line; empty if it is no row."""
        from rnncls.text.display import printable

        if self.row is None:
            return ""
        label = self.row.label
        known = " (its label is not known)" if label is None else f", labelled {label}"
        text = " ".join(self.text.split())
        return printable(f"{self.row.path}, row {self.row.number:,}{known}: {text}")


ROW_ADVICE = "to look at one of its rows, use --data {file} --row N"
"""What to do with a file that is given instead of a text."""


def check_row_options(
    texts: list[str], data: Path | None, row: int | None, command: str
) -> None:
    """Check that the text is given either as an argument or as a row of a file.

    Raises:
        ConfigError: It is not.
    """
    if (data is None) != (row is None):
        raise ConfigError("--data and --row: give both, a file and the number of a row")
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


def load_texts(
    texts: list[str], data: Path | None, row: int | None, section: "DataSection"
) -> list[SourceText]:
    """Return the texts of the command line, or of a row of a file.

    Raises:
        ConfigError: The file has fewer rows.
        DataError: The file cannot be read.
    """
    from rnncls.data.single_row import read_row

    if data is None or row is None:
        return [SourceText(text) for text in texts]
    found = read_row(data, row, section)
    return [SourceText(found.text, found)]


def print_json(source: SourceText, values: dict[str, Any]) -> None:
    """Print a result as JSON, with the row that the text is from."""
    typer.echo(json.dumps(values | source.to_dict()))


def print_source(source: SourceText) -> None:
    """Print the row that a text is from, if it is from one."""
    if source.row is not None:
        typer.echo(source.describe() + "\n")
