"""`rnncls report`: what `rnncls eval` finds, and how the run was trained, as one page
with pictures.
"""

from pathlib import Path
from typing import Annotated

import typer

from rnncls.cli.eval import ISSUES, DataOption, SplitName, SplitOption, check_source
from rnncls.cli.options import DeviceOption, NoCacheOption, RunArgument
from rnncls.machine.imports import fast_imports


def report_command(
    run: RunArgument = None,
    split: SplitOption = None,
    data: DataOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The page; default: report.html in the run folder.", show_default=False
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Write the pictures into this folder too, as PNG.", show_default=False
        ),
    ] = None,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Write one self-contained page on a run: scores, calibration, errors and learning
    curves, with pictures.
    """
    with fast_imports():
        from rnncls.runs.folder import find_run

    check_source(split, data)
    path = find_run(run)
    target = output or path / "report.html"
    report_run(
        path,
        target,
        split=split or "test",
        data=data,
        pictures=pictures,
        device=device,
        use_cache=not no_cache,
    )
    typer.echo(str(target))


def report_run(
    path: Path,
    output: Path,
    *,
    split: SplitName = "test",
    data: Path | None = None,
    pictures: Path | None = None,
    device: str | None = None,
    use_cache: bool = True,
) -> None:
    """Write the report of a run folder.

    Args:
        path: The run folder.
        output: The page.
        split: Which rows of the run's own data.
        data: Another labelled file instead.
        pictures: A folder for the pictures, which is made where it is missing.
        device: Instead of the config's.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        RnnclsError: The run, the data or the device is wrong, or a file cannot be
            written.
    """
    from rnncls.evaluation.run_evaluation import judge
    from rnncls.machine.files import make_folder, read_json, write_atomic
    from rnncls.reporting.evaluation_page import Report, save_report
    from rnncls.runs.folder import RunFolder
    from rnncls.runs.metric_rows import read_rows

    judgement = judge(path, split=split, data=data, device=device, use_cache=use_cache)
    rows = (
        read_rows(RunFolder(path).metrics) if RunFolder(path).metrics.exists() else []
    )
    summary = (
        read_json(RunFolder(path).summary) if RunFolder(path).summary.exists() else {}
    )
    issues = (
        read_json(path / ISSUES)["label_issues"] if (path / ISSUES).exists() else []
    )
    report = Report(
        judgement, judgement.scores(), judgement.diagnose(), rows, summary, issues
    )
    drawn = report.pictures()
    save_report(output, report, drawn)
    if pictures is not None:
        make_folder(pictures)
        for name, picture in drawn.items():
            write_atomic(pictures / f"{name}.png", picture.png)
