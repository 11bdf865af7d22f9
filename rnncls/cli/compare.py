"""`rnncls compare`: runs beside one another on the same rows."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.options import DeviceOption, JsonOption, NoCacheOption
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

SHOWN_DISAGREEMENTS = 5
"""--json and --html have more."""


def compare_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="The run folders, the one to compare with first.", show_default=False
        ),
    ],
    split: Annotated[
        Literal["valid", "test"], typer.Option(help="Which rows of the runs' data.")
    ] = "test",
    json_: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with a picture there too.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Set runs beside one another: scores with intervals, sizes, speeds, what differs,
    and whether it may be chance.
    """
    if len(runs) < 2:
        raise ConfigError("name two runs or more: rnncls compare RUN RUN")

    with fast_imports():
        from rnncls.evaluation.comparison import compare
        from rnncls.reporting.comparison_report import (
            comparison_tables,
            disagreement_table,
            save_comparison,
            setting_table,
            spread_line,
        )
        from rnncls.runs.folder import find_run

    found = compare(
        [find_run(run) for run in runs],
        split=split,
        device=device,
        use_cache=not no_cache,
    )
    if html is not None:
        save_comparison(html, found)
    if json_:
        typer.echo(json.dumps(found.to_dict()))
        return
    print_tables([], comparison_tables(found))
    rest = [setting_table(found)] if found.settings else []
    print_tables(
        [spread_line(found)],
        [*rest, disagreement_table(found, SHOWN_DISAGREEMENTS)],
        fit=True,
    )
