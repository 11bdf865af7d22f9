"""`rnncls flags`: flag units, which a word switches on and which stay on."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from rnncls.cli.eval import SplitName
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    NoCacheOption,
    NumTextsOption,
    RunArgument,
    RunOption,
    choose_run,
)
from rnncls.machine.imports import fast_imports


def flags_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: Annotated[SplitName, typer.Option(help="Split of the run's data.")] = "test",
    num_texts: NumTextsOption = 2000,
    top: Annotated[
        int, typer.Option(min=1, help="Number of flag units to show, the best first.")
    ] = 10,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Rank flag units: units of the last layer that a word switches on for good.

    A flag unit keeps its value, high or low, until the end of the text.
    """
    from rich.console import Console

    with fast_imports():
        from rnncls.cli.reporting.insight_tables import (
            FLAG_LEGEND,
            flag_table,
            print_sentence,
        )
        from rnncls.data.datasets import columns_of
        from rnncls.data.readers import find_texts
        from rnncls.evaluation.loading import load_run_and_split
        from rnncls.inference.insight.flags import describe_flags, find_flags
        from rnncls.inference.insight.written_words import add_written_forms
        from rnncls.text.batch_plans import evenly_spaced

    loaded, rows, origin = load_run_and_split(
        choose_run(run_folder, run), split=split, device=device, use_cache=not no_cache
    )
    chosen = rows.select(evenly_spaced(len(rows.texts), num_texts))
    flags = find_flags(loaded.classifier, chosen)[:top]
    columns = replace(columns_of(loaded.config.data), label=None)
    texts = find_texts(Path(origin["path"]), columns, chosen.rows.tolist())
    flags = add_written_forms(flags, texts, loaded.classifier)
    if json_:
        found = {
            "flags": [asdict(flag) for flag in flags],
            "data": origin,
            "num_texts": len(chosen.labels),
            "meaning": describe_flags(flags),
        }
        typer.echo(json.dumps(found))
        return
    console = Console(highlight=False)
    title = (
        f"{loaded.path.name} on {len(chosen.labels):,} of {origin['num_rows']:,} rows"
        f" of {origin['path']}"
    )
    console.print(flag_table(flags, title))
    print_sentence(console, FLAG_LEGEND)
    print_sentence(console, describe_flags(flags))
