"""`rnncls report`: write an evaluation of a run as a page with plots."""

from pathlib import Path
from typing import Annotated

import typer

from rnncls.cli.eval import (
    DataOption,
    IdOption,
    SplitOption,
    UnknownLabelsOption,
    check_source,
    source_name,
)
from rnncls.cli.options import (
    DeviceOption,
    NoCacheOption,
    RunArgument,
    RunOption,
    choose_run,
)
from rnncls.cli.outputs import HTML, check_target
from rnncls.machine.imports import fast_imports


def report_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: SplitOption = None,
    data: DataOption = None,
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
        from rnncls.cli.reporting.evaluation_page import (
            load_history,
            plot_pictures,
            save_pictures,
            save_report,
        )
        from rnncls.evaluation.confusion import save_confusion
        from rnncls.evaluation.run_evaluation import evaluate_run, summarize
        from rnncls.runs.folder import RunFolder

    check_source(split, data)
    check_target("--output", output, (*HTML, ""))
    path = choose_run(run_folder, run)
    evaluation = evaluate_run(
        path,
        split=split or "test",
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=not no_cache,
    )
    result, history = summarize(evaluation, id_), load_history(path)
    drawn = plot_pictures(evaluation, result, history)
    folder, source = RunFolder(path), source_name(split, data)
    target = output or folder.report(source)
    save_confusion(folder.confusion(source), result.scores)
    save_report(target, result, history, evaluation.run.config.model_dump(), drawn)
    if pictures is not None:
        save_pictures(pictures, drawn)
    typer.echo(str(target))
