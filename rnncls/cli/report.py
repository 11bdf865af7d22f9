"""`rnncls report`: write an evaluation of a run as a page with plots."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls import ConfigError
from rnncls.cli.eval import (
    DataOption,
    IdOption,
    LabelColumnOption,
    SplitOption,
    UnknownLabelsOption,
    check_source,
    load_run_with_columns,
    source_name,
)
from rnncls.cli.options import (
    DeviceOption,
    NoCacheOption,
    RunArgument,
    RunOption,
    TextColumnOption,
    choose_run,
)
from rnncls.cli.replaced_pages import REPORT, check_page, check_pictures
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.cli.reporting.evaluation_page import Picture
    from rnncls.evaluation.run_evaluation import Evaluation

PICTURE_NAMES = ("confusion", "reliability", "coverage", "slices", "labels", "curves")
"""All pictures that a report may have: their files without the ending, their kinds."""


def report_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: SplitOption = None,
    data: DataOption = None,
    text: TextColumnOption = None,
    label: LabelColumnOption = None,
    unknown_labels: UnknownLabelsOption = "error",
    id_: IdOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help=(
                "The page to write; default: report.html in the run folder, or"
                " report-SPLIT.html for other rows than the test split."
            ),
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Also save the plots as PNG files in this folder.", show_default=False
        ),
    ] = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Write a self-contained page on a run: scores, calibration, errors and plots."""
    with fast_imports():
        from rnncls.cli.reporting.evaluation_page import save_pictures
        from rnncls.evaluation.run_evaluation import evaluate_run
        from rnncls.runs.folder import RunFolder
        from rnncls.runs.lock import is_being_trained

    check_source(split, data)
    check_page("--output", output, REPORT)
    check_pictures("--pictures", pictures, PICTURE_NAMES)
    path = choose_run(run_folder, run)
    if output is None and is_being_trained(path):
        raise ConfigError(
            f"{path}: is being trained, and at its end would delete a report of earlier"
            " weights: wait for it, or write the report elsewhere with --output"
        )
    evaluation = evaluate_run(
        load_run_with_columns(path, data, text or [], label),
        split=split or "test",
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=not no_cache,
    )
    source = source_name(split, data)
    target = output or RunFolder(path).report(source)
    if evaluation.run.classifier.has_several_labels:
        drawn = write_label_report(evaluation, target, id_)
    else:
        drawn = write_report(evaluation, target, source, id_)
    if pictures is not None:
        save_pictures(pictures, drawn)
    typer.echo(str(target))


def write_report(
    evaluation: "Evaluation", target: Path, source: str, id_column: str | None
) -> "dict[str, Picture]":
    """Write the report of a run, and return its pictures by name.

    Args:
        evaluation: The evaluation of the run.
        target: The page to write.
        source: What the file of the confusion matrix is named after: split or file.
        id_column: A column of the file that names the rows of the errors.

    Raises:
        RnnclsError: A text or an id cannot be read, or a file not be written.
    """
    from rnncls.cli.reporting.evaluation_page import (
        load_history,
        plot_pictures,
        save_report,
    )
    from rnncls.evaluation.confusion import save_confusion
    from rnncls.evaluation.outside import load_outside
    from rnncls.evaluation.run_evaluation import summarize
    from rnncls.runs.companions import load_run_config
    from rnncls.runs.folder import RunFolder

    path = evaluation.run.path
    folder, history = RunFolder(path), load_history(path)
    outside = load_outside(folder.evaluation(source), evaluation.origin["sha256"])
    result = replace(summarize(evaluation, id_column), outside=outside)
    pictures = plot_pictures(evaluation, result, history)
    save_confusion(folder.confusion(source), result.scores)
    settings = load_run_config(path).model_dump()
    save_report(target, result, history, settings, pictures)
    return pictures


def write_label_report(
    evaluation: "Evaluation", target: Path, id_column: str | None
) -> "dict[str, Picture]":
    """Write the report of a run with several labels a text; see `write_report`."""
    from rnncls.cli.reporting.evaluation_page import load_history
    from rnncls.cli.reporting.label_page import plot_label_pictures, save_label_report
    from rnncls.evaluation.label_evaluation import summarize_labels
    from rnncls.runs.companions import load_run_config

    path = evaluation.run.path
    result, history = summarize_labels(evaluation, id_column), load_history(path)
    pictures = plot_label_pictures(result, history)
    settings = load_run_config(path).model_dump()
    save_label_report(target, result, history, settings, pictures)
    return pictures
