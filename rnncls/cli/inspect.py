"""`rnncls inspect`: inspect the data, and find its problems, before training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls.cli.config_source import open_config
from rnncls.cli.options import (
    YAML_ENDINGS,
    ConfigOption,
    JsonOption,
    NoCacheOption,
    SetOption,
    choose_config,
)
from rnncls.cli.outputs import check_output, check_target, find_data
from rnncls.cli.replaced_files import check_replaces_table
from rnncls.cli.replaced_pages import INSPECTION, check_page
from rnncls.machine.imports import fast_imports
from rnncls.text.display import printable_lines

if TYPE_CHECKING:
    from rnncls.data.inspection import Inspection

_ENDINGS = {"--html": (".html", ".htm"), "--csv": (".csv",)}


def inspect_command(
    source: Annotated[
        Path | None,
        typer.Argument(
            help=(
                "A config (.yaml), which can also be given as --config, or data as"
                " rnncls init takes it."
            ),
            metavar="CONFIG|FILE",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Also write one self-contained HTML page.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Also write all rows of all findings as CSV.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="A column of the data that names the rows in --csv and --json.",
            show_default=False,
            metavar="COLUMN",
        ),
    ] = None,
    json_: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Inspect the data before training: classes, lengths, unknown words, duplicates.

    Conflicting labels and odd characters are reported too. The test rows are read too,
    to find texts that occur in two splits. They select neither a model nor a setting.

    Row 1 is the first row after the header; a quoted text of several lines belongs to
    one row.
    """
    import json

    source = choose_config(source, config)
    overrides = set_ or []
    outputs = {"--html": html, "--csv": csv}
    _check_outputs(outputs, source, overrides)
    inspection = inspect_source(source, overrides, id_, use_cache=not no_cache)
    if csv is not None:
        from rnncls.cli.reporting.findings_table import save_findings

        save_findings(csv, inspection.findings, id_)
    if html is not None:
        from rnncls.cli.reporting.data_report import save_data_report

        save_data_report(html, inspection, f"The data of {source}")
    if json_:
        typer.echo(json.dumps(inspection.to_dict()))
    else:
        print_inspection(inspection)
    for path in outputs.values():
        if path is not None:
            typer.echo(f"{path}: written", err=True)


def _check_outputs(
    outputs: Mapping[str, Path | None], source: Path, overrides: list[str]
) -> None:
    """Check that each output has the ending of its form and replaces no input.

    Raises:
        ConfigError: The ending is another, or the file is read; or the config is wrong.
    """
    from rnncls.cli.reporting.findings_table import HEADER
    from rnncls.config.loading import load_config

    paths = {option: path for option, path in outputs.items() if path is not None}
    for option, path in paths.items():
        check_target(option, path, _ENDINGS[option])
    if not paths:
        return
    inputs = [source]
    if source.suffix.lower() in YAML_ENDINGS:
        inputs += find_data(load_config(source, overrides).data)
    for option, path in paths.items():
        check_output(option, path, inputs)
    if "--csv" in paths:
        check_replaces_table("--csv", paths["--csv"], HEADER, "findings")
    check_page("--html", paths.get("--html"), INSPECTION, _ENDINGS["--html"])


def inspect_source(
    source: Path,
    overrides: list[str],
    id_column: str | None = None,
    *,
    use_cache: bool = True,
) -> "Inspection":
    """Inspect the data of a config, or a data file by a config drafted for it.

    Args:
        source: The config, or the data.
        overrides: Changes to keys of the config.
        id_column: A column of the data that names the rows of findings.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        RnnclsError: The config or the data is wrong.
    """
    with open_config(source, overrides) as opened:
        with fast_imports():
            from rnncls.data.inspection import inspect_data

        config = opened.config
        inspection = inspect_data(
            config.data,
            config.text,
            config.seed,
            config.train.monitor,
            id_column=id_column,
            use_cache=use_cache,
        )
        if opened.folder is None:
            return inspection
        return _name_files(inspection, opened.folder, source)


def _name_files(inspection: "Inspection", folder: Path, source: Path) -> "Inspection":
    """Name the data instead of the temporary files that it was converted to."""
    from dataclasses import replace

    paths = {
        split: str(source) if folder in Path(path).parents else path
        for split, path in inspection.paths.items()
    }
    return replace(inspection, paths=paths)


def print_inspection(inspection: "Inspection") -> None:
    """Print tables with bars, and the findings."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from rnncls.cli.reporting.data_report import (
        CSV_NOTE,
        SPLIT_NOTE,
        class_table,
        finding_lines,
        length_table,
        split_table,
        summary_lines,
    )

    console = Console()
    is_ascii = console.options.ascii_only

    def say(text: str, margin: int = 0) -> None:
        console.print(Padding(Text(printable_lines(text)), (0, 0, 0, margin)))

    for line in summary_lines(inspection):
        say(line)
    console.print(class_table(inspection, is_ascii=is_ascii))
    console.print(split_table(inspection))
    say(SPLIT_NOTE)
    console.print(length_table(inspection.lengths["train"], is_ascii=is_ascii))
    say("")
    for margin, line in finding_lines(inspection):
        say(line, margin)
    if any(finding.groups != finding.examples for finding in inspection.findings):
        say(CSV_NOTE)
