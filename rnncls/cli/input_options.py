"""Options of the commands that read texts of a file or of stdin."""

from typing import Annotated, Literal

import typer

InputForm = Literal["csv", "lines", "jsonl"]
InputFormOption = Annotated[
    InputForm | None,
    typer.Option(
        "--format",
        help=(
            "Format of the input; default: that of the file's ending, lines for stdin."
        ),
        show_default=False,
    ),
]
InputTextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        help=(
            "Column of the text in the input; may be repeated. Default: the columns"
            " that the run was trained on."
        ),
        metavar="COLUMN",
        show_default=False,
    ),
]
