"""`rnncls label-issues`: which rows of the training data are probably mislabelled."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls.cli.config_source import open_config
from rnncls.cli.options import (
    ConfigOption,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    SetOption,
    choose_config,
)
from rnncls.cli.outputs import HTML, check_output, check_target, find_data, find_files
from rnncls.cli.replaced_files import check_replaces_table
from rnncls.cli.replaced_pages import LABEL_ISSUES, check_page
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.config.sections import DataSection
    from rnncls.training.label_issues import LabelIssue, LabelIssues

NUM_PRINTED_ISSUES = 10
"""Rows in the terminal; --json and the report have more."""
_ALL_ROWS = ("data.test_fraction=null",)
"""A drafted config keeps no row for testing: all rows are checked."""


def label_issues_command(
    source: Annotated[
        Path | None,
        typer.Argument(
            help=(
                "A config (.yaml), which can also be given as --config, a run folder,"
                " or data as rnncls init takes it."
            ),
            metavar="CONFIG|RUN|FILE",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    folds: Annotated[
        int, typer.Option(min=2, help="Number of folds, each with a model of its own.")
    ] = 5,
    id_: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="A column of the data that names the rows, such as an id.",
            show_default=False,
            metavar="COLUMN",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Also write all rows that are found as CSV.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Also write a self-contained HTML page to go through the rows.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Find rows that are probably mislabelled, and the most similar row of each.

    Each training and validation row is scored by a model that was not trained on it
    (cross-validation). The similar row has another label. Of a data file, all rows are
    checked; of a config or a run, not the test rows. Needs the extra 'clean'.

    Row 1 is the first row after the header; a quoted text of several lines belongs to
    one row.
    """
    source = choose_config(source, config)
    overrides = [*(set_ or []), *([f"device={device}"] if device else [])]
    check_target("--output", output, (".csv",))
    check_page("--html", html, LABEL_ISSUES, HTML)
    note_earlier_rows(source)
    with open_config(source, overrides, _ALL_ROWS) as opened:
        check_outputs(source, opened.config.data, output, html)
        with fast_imports():
            from rnncls.training.label_issues import find_label_issues

        found = find_label_issues(
            opened.config, num_folds=folds, id_column=id_, use_cache=not no_cache
        )
    written = save_outputs(found, source, output, html, id_)
    if source.is_dir() and not set_:
        save_in_run(source, found, id_)
    if json_:
        typer.echo(json.dumps(found.to_dict()))
    else:
        print_with_twins(found, source)
    for path in written:
        typer.echo(f"{path}: written", err=True)


def note_earlier_rows(path: Path) -> None:
    """Note on stderr that rows of the runs that a run continues are not checked."""
    from rnncls.runs.folder import RunFolder

    if RunFolder(path).continuation.is_file():
        typer.echo(
            f"{path}: continues another run, whose rows are not checked: only those of"
            " its own files are",
            err=True,
        )


def check_outputs(
    source: Path, section: "DataSection", output: Path | None, html: Path | None
) -> None:
    """Check that the outputs replace no input, and only earlier outputs.

    Args:
        source: The config, run or data.
        section: The data section of the config.
        output: The CSV file; None: none is written.
        html: The page; None: none is written.

    Raises:
        ConfigError: One of them is the source or its data, or another file.
    """
    inputs = [*find_files([str(source)]), *find_data(section)]
    if html is not None:
        check_output("--html", html, inputs)
    if output is not None:
        from rnncls.training.label_issues import ISSUE_COLUMNS

        check_output("--output", output, inputs)
        check_replaces_table("--output", output, ISSUE_COLUMNS, "label issues")


def save_outputs(
    found: "LabelIssues",
    source: Path,
    output: Path | None,
    html: Path | None,
    id_column: str | None,
) -> list[Path]:
    """Write the CSV file and the page, if they are wanted, and return their paths.

    Raises:
        RunError: A file cannot be written.
    """
    if output is not None:
        from rnncls.training.label_issues import save_issue_table

        save_issue_table(output, found.issues, id_column)
    if html is not None:
        from rnncls.cli.reporting.label_issue_page import save_issue_page

        save_issue_page(html, found, str(source))
    return [path for path in (output, html) if path is not None]


def find_issues_of_run(
    path: Path, num_folds: int, id_column: str | None, *, use_cache: bool
) -> "LabelIssues":
    """Find the rows of a run's data that are probably mislabelled, and save them in it.

    Args:
        path: The run folder.
        num_folds: The number of folds.
        id_column: A column of the data that names the rows; None: none does.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        RnnclsError: The run or its data is wrong, or cleanlab is not installed.
    """
    with fast_imports():
        from rnncls.runs.companions import load_run_config
        from rnncls.training.label_issues import find_label_issues

    note_earlier_rows(path)
    found = find_label_issues(
        load_run_config(path),
        num_folds=num_folds,
        id_column=id_column,
        use_cache=use_cache,
    )
    save_in_run(path, found, id_column)
    return found


def save_in_run(path: Path, found: "LabelIssues", id_column: str | None) -> None:
    """Save the rows in a run folder, so that its report shows them."""
    from rnncls.machine.files import write_json
    from rnncls.runs.folder import RunFolder
    from rnncls.training.label_issues import save_issue_table

    folder = RunFolder(path)
    if folder.is_run():
        write_json(folder.label_issues, found.to_dict())
        save_issue_table(folder.label_issue_table, found.issues, id_column)


def print_issues(issues: "list[LabelIssue]") -> None:
    """Print the training rows whose label is least probable."""
    from rnncls.cli.reporting.evaluation_tables import label_issue_table

    title = (
        "Training and validation rows that are probably mislabelled"
        f" ({len(issues):,} found; test rows were not checked; all are in"
        " label-issues.csv in the run folder)"
    )
    if not issues:
        typer.echo(
            "No training or validation row is probably mislabelled (0 found; test rows"
            " were not checked)"
        )
        return
    print_tables([title], [label_issue_table(issues[:NUM_PRINTED_ISSUES])], fit=True)


def print_with_twins(found: "LabelIssues", source: Path) -> None:
    """Print the rows whose label is least probable, each with its twin."""
    from rnncls.cli.reporting.label_issue_page import issue_table

    checked = f"{source}: {found.num_rows:,} rows checked"
    if not found.issues:
        typer.echo(f"{checked}; no row is probably mislabelled")
        return
    shown = found.issues[:NUM_PRINTED_ISSUES]
    title = (
        f"{checked}; {len(found.issues):,} are probably mislabelled. The first"
        f" {len(shown):,}, each above the most similar row with another label:"
    )
    print_tables([title], [issue_table(shown)], fit=True)
