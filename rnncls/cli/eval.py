"""`rnncls eval`: evaluate a run on labelled texts outside its training set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.label_issues import find_issues_of_run, print_issues
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    NoCacheOption,
    RunArgument,
    RunOption,
    TextColumnOption,
    choose_run,
)
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.evaluation.run_evaluation import EvaluationResult
    from rnncls.runs.run import Run

NUM_PRINTED_MISTAKES = 5
"""Errors in the terminal; --json and the report have more."""

SplitName = Literal["train", "valid", "test"]
SplitOption = Annotated[
    SplitName | None,
    typer.Option(
        help="The split of the run's own data; default: test.", show_default=False
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="A labelled file to use instead, with the same columns as the run's data.",
        show_default=False,
    ),
]
LabelColumnOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        help="Column of the label in --data. Default: that of the run.",
        show_default=False,
        metavar="COLUMN",
    ),
]
IdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        help="A column of the data that names the rows that are listed, such as an id.",
        show_default=False,
        metavar="COLUMN",
    ),
]
OutsideOption = Annotated[
    Path | None,
    typer.Option(
        help=(
            "A file of texts that belong to none of the classes, with the same text"
            " columns as the labelled texts: also report how well the run tells them"
            " from these."
        ),
        show_default=False,
        metavar="FILE",
    ),
]
UnknownLabelsOption = Annotated[
    Literal["error", "skip", "wrong"],
    typer.Option(
        help=(
            "Rows whose label is not a class of the run: report them as an error, skip"
            " them, or count them as wrong."
        ),
    ),
]


def eval_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: SplitOption = None,
    data: DataOption = None,
    text: TextColumnOption = None,
    label: LabelColumnOption = None,
    unknown_labels: UnknownLabelsOption = "error",
    outside: OutsideOption = None,
    label_issues: Annotated[
        bool,
        typer.Option(
            "--label-issues",
            help=(
                "Also find training and validation rows that are probably mislabelled;"
                " test rows are not checked. This trains as many models as --folds"
                " says and needs the extra 'clean'."
            ),
        ),
    ] = False,
    folds: Annotated[
        int, typer.Option(min=2, help="Number of folds for --label-issues.")
    ] = 5,
    id_: IdOption = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Evaluate a run: scores, calibration and errors. Saves the results in the run.

    Row 1 is the first row after the header; a quoted text of several lines belongs to
    one row.
    """
    with fast_imports():
        from rnncls.cli.label_eval import print_label_result
        from rnncls.evaluation.confusion import save_confusion
        from rnncls.evaluation.run_evaluation import EvaluationResult, evaluate_run
        from rnncls.evaluation.summary import summarize_evaluation
        from rnncls.machine.files import write_json
        from rnncls.runs.folder import RunFolder
        from rnncls.runs.lock import is_being_trained

    check_source(split, data)
    path = choose_run(run_folder, run)
    is_in_training = is_being_trained(path)
    evaluation = evaluate_run(
        load_run_with_columns(path, data, text or [], label),
        split=split or "test",
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=not no_cache,
    )
    result = summarize_evaluation(evaluation, id_, outside, prefix="--")
    values = result.to_dict()
    issues = None
    if label_issues:
        issues = find_issues_of_run(path, folds, id_, use_cache=not no_cache)
        values["label_issues"] = issues.to_dict()["label_issues"]
    source = source_name(split, data)
    # Before anything is printed: a closed pipe ends the command.
    folder = RunFolder(path)
    if is_in_training or is_being_trained(path):
        typer.echo(f"{path}: is being trained: the result is not saved there", err=True)
    else:
        write_json(folder.evaluation(source), values)
        if isinstance(result, EvaluationResult):
            save_confusion(folder.confusion(source), result.scores)
    if json_:
        typer.echo(json.dumps(values))
        return
    if isinstance(result, EvaluationResult):
        print_result(result)
    else:
        print_label_result(result)
    if issues is not None:
        print_issues(issues.issues)


def source_name(split: SplitName | None, data: Path | None) -> str:
    """Return what the files of an evaluation are named after: the split or the file.

    A pattern of files has the name of their folder if nothing else is left of it.
    """
    if data is None:
        return split or "test"
    name = data.stem
    if set("*?[]") & set(data.name):
        first = data.name.split(".")[0]
        name = "".join(letter for letter in first if letter not in "*?[]").strip("-_")
    path = data.resolve()
    folder = path if data.is_dir() else path.parent
    return f"file-{name or folder.name}"


def check_source(split: SplitName | None, data: Path | None) -> None:
    """Check that at most one of --split and --data is given.

    Raises:
        ConfigError: Both options are given.
    """
    if split and data:
        raise ConfigError(
            "--split selects rows of the run's own data, --data another file: give one"
            " of them"
        )


def load_run_with_columns(
    path: Path, data: Path | None, text: list[str], label: str | None
) -> "Run":
    """Load a run whose config names the columns of --data.

    Args:
        path: The run folder.
        data: The value of --data; None: rows of the run's own data.
        text: The columns of the text; empty: those of the run.
        label: The column of the label; None: that of the run.

    Raises:
        ConfigError: The columns are not those of a file, or not different ones.
        RunError: The run is damaged.
    """
    from rnncls.evaluation.columns import name_columns
    from rnncls.runs.run import load_run

    run = load_run(path)
    return name_columns(run, data, text, label, prefix="--")


def print_result(result: "EvaluationResult") -> None:
    """Print all scores, tables of the classes and slices, and some errors."""
    from rnncls.cli.reporting.class_groups import group_lines
    from rnncls.cli.reporting.evaluation_notes import row_notes
    from rnncls.cli.reporting.evaluation_tables import (
        calibration_lines,
        class_tables,
        coverage_table,
        describe_errors,
        mistake_table,
        part_tables,
        score_lines,
        slice_table,
    )
    from rnncls.cli.reporting.scope_tables import fit_lines, outside_lines
    from rnncls.runs.companions import load_run_config

    title = f"{result.run_path.name} on {result.origin['path']}"
    first_line, *figures = score_lines(result.scores, title)
    lines = [first_line, *row_notes(result.origin), *figures]
    lines += group_lines([group.to_dict() for group in result.class_groups])
    reason = explain_no_calibration(result.run_path)
    lines += calibration_lines(result.calibration, reason)
    lines += fit_lines(result.fits) + outside_lines(result.outside)
    tables = [
        *part_tables(result.parts),
        *class_tables(result.scores),
        slice_table("By number of tokens", result.by_length, "{:,.0f}"),
        slice_table("By share of unknown words", result.by_unknown_share, "{:.1%}"),
        coverage_table(result.coverage),
    ]
    print_tables(lines, tables)
    if result.mistakes:
        shown = result.mistakes[:NUM_PRINTED_MISTAKES]
        own_texts = load_run_config(result.run_path).data.text
        line = describe_errors(result, len(shown), own_texts)
        print_tables([line], [mistake_table(shown)], fit=True)


def explain_no_calibration(run_path: Path) -> str:
    """Return why a run has no temperature of its own; empty if it may have one."""
    from rnncls.runs.companions import load_run_config
    from rnncls.runs.folder import RunFolder

    if not RunFolder(run_path).summary.exists():
        return "the training has not finished"
    if not load_run_config(run_path).train.calibrate:
        return "train.calibrate: false"
    return ""
