"""`rnncls eval`: how good a run is, on rows that it did not learn from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.options import DeviceOption, JsonOption, NoCacheOption, RunArgument
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.evaluation.metrics import Scores
    from rnncls.evaluation.run_evaluation import Diagnosis
    from rnncls.training.label_issues import LabelIssue

SplitName = Literal["train", "valid", "test"]
SplitOption = Annotated[
    SplitName | None,
    typer.Option(
        help="Which rows of the run's own data; default: test.", show_default=False
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="Another labelled file, with the run's columns.", show_default=False
    ),
]


def eval_command(
    run: RunArgument = None,
    split: SplitOption = None,
    data: DataOption = None,
    label_issues: Annotated[
        bool,
        typer.Option(
            "--label-issues",
            help=(
                "Find training rows that are likely mislabelled too: as many trainings"
                " as --folds says; extra clean."
            ),
        ),
    ] = False,
    folds: Annotated[
        int, typer.Option(min=2, help="Parts of the training rows for --label-issues.")
    ] = 5,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Print how good a run is, how far its probabilities can be trusted and where it
    errs; keep it in the run.
    """
    with fast_imports():
        from rnncls.evaluation.run_evaluation import judge
        from rnncls.machine.files import write_json
        from rnncls.runs.folder import find_run

    check_source(split, data)
    path = find_run(run)
    judgement = judge(
        path, split=split or "test", data=data, device=device, use_cache=not no_cache
    )
    scores, diagnosis = judgement.scores(), judgement.diagnose()
    result = {
        **scores.to_dict(),
        **diagnosis.to_dict(),
        "data": judgement.origin,
        "run": str(path),
    }
    issues = []
    if label_issues:
        from rnncls.training.label_issues import find_label_issues

        issues = find_label_issues(
            judgement.run, num_folds=folds, use_cache=not no_cache
        )
        result["label_issues"] = [asdict(issue) for issue in issues]
        write_json(
            path / ISSUES, {"num_folds": folds, "label_issues": result["label_issues"]}
        )
    if json_:
        typer.echo(json.dumps(result))
    else:
        print_scores(scores, diagnosis, f"{path.name} on {judgement.origin['path']}")
        if label_issues:
            print_issues(issues)
    write_json(
        path / f"eval-{f'file-{data.stem}' if data else split or 'test'}.json", result
    )


def check_source(split: SplitName | None, data: Path | None) -> None:
    """See that not both are given."""
    if split and data:
        raise ConfigError(
            "--split names rows of the run's own data, --data another file: give one of"
            " them"
        )


def print_scores(scores: "Scores", diagnosis: "Diagnosis", origin: str) -> None:
    """Print the scores over all classes, those of each class, and what they do not say."""
    from rnncls.reporting.evaluation_tables import (
        calibration_lines,
        class_table,
        confusion_table,
        coverage_table,
        mistake_table,
        score_lines,
        slice_table,
    )

    tables = [
        class_table(scores),
        confusion_table(scores),
        slice_table("By number of tokens", diagnosis.by_length, "{:,.0f}"),
        slice_table("By share of unknown words", diagnosis.by_unknown_share, "{:.1%}"),
        coverage_table(diagnosis.coverage),
    ]
    print_tables([*score_lines(scores, origin), *calibration_lines(diagnosis)], tables)
    if diagnosis.mistakes:
        print_tables([], [mistake_table(diagnosis.mistakes[:SHOWN_MISTAKES])], fit=True)


def print_issues(issues: "list[LabelIssue]") -> None:
    """Print the training rows whose label is least probable."""
    from rnncls.reporting.evaluation_tables import text_table

    rows = [
        [f"{each.row:,}", each.label, f"{each.prob:.4f}", each.suggested, each.text]
        for each in issues
    ]
    title = (
        f"Training rows that are likely mislabelled ({len(rows)} found; {ISSUES} in the"
        " run folder has them)"
    )
    print_tables(
        [title],
        [
            text_table(
                "", ["row", "label", "prob", "suggested", "text"], rows[:SHOWN_ISSUES]
            )
        ],
        fit=True,
    )


SHOWN_MISTAKES, SHOWN_ISSUES = 5, 10
"""Of the surest mistakes and the likeliest wrong labels; --json and the report have
more."""
ISSUES = "label-issues.json"
"""The file of a run folder that keeps them."""
