"""`rnncls crossval`: score a config by cross-validation, for data with few rows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls.cli.options import (
    ConfigArgument,
    ConfigOption,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    SetOption,
    choose_config,
)
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.training.cross_validation import CrossValidation

SCORE_TITLES = {
    "accuracy": "accuracy",
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "loss": "loss",
}


def crossval_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    folds: Annotated[
        int, typer.Option(min=2, help="Number of folds of the training rows.")
    ] = 5,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write; default: crossval/CONFIG-DATE-TIME.",
            show_default=False,
        ),
    ] = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Cross-validate: score each row with a model that was not trained on it.

    The test file is not read.
    """
    from rnncls.config.loading import load_config
    from rnncls.config.yaml_format import dump_config

    config = choose_config(config_file, config)
    device_override = [f"device={device}"] if device else []
    checked = load_config(config, [*(set_ or []), *device_override])

    with fast_imports():
        from rnncls.cli.reporting.evaluation_tables import (
            class_tables,
            score_lines,
        )
        from rnncls.cli.reporting.label_tables import label_score_lines, label_tables
        from rnncls.runs.folder import RunFolder, claim_new_folder, release_if_empty
        from rnncls.training.cross_validation import cross_validate
        from rnncls.training.cross_validation_files import save_cross_validation

    if out is not None:
        RunFolder(out).check_is_free("choose another folder")
    path = out or claim_new_folder(config.stem, Path("crossval"))
    try:
        validation = cross_validate(checked, folds, use_cache=not no_cache)
    except BaseException:
        if out is None:
            release_if_empty(path)
        raise
    result = save_cross_validation(validation, dump_config(checked), path)
    if json_:
        typer.echo(json.dumps(result))
        return
    title = f"{path}: {folds} folds of {validation.source['path']}"
    if validation.has_several_labels:
        label_scores = validation.label_scores()
        lines = label_score_lines(label_scores, title)
        print_tables(lines, label_tables(label_scores))
    else:
        scores = validation.scores()
        print_tables(score_lines(scores, title), class_tables(scores))
    print_folds(validation)


def print_folds(validation: "CrossValidation") -> None:
    """Print the scores of each fold, their mean and their standard deviation."""
    from rich.console import Console
    from rich.table import Table

    table = Table("fold", title="Folds", title_justify="left")
    score_names = [
        title
        for name, title in SCORE_TITLES.items()
        if name in validation.folds[0].scores
    ]
    for name in ("rows", *score_names, "best epoch", "seconds"):
        table.add_column(name, justify="right")
    for fold in validation.folds:
        number, num_rows = str(fold.number), f"{len(fold.rows):,}"
        scores = score_cells(fold.scores)
        table.add_row(
            number, num_rows, *scores, str(fold.best_epoch), f"{fold.train_s:.0f}"
        )
    table.add_section()
    means, stds = {}, {}
    for name, (mean, std) in validation.mean_and_std().items():
        means[name], stds[name] = mean, std
    table.add_row("mean", "", *score_cells(means))
    table.add_row("sd", "", *score_cells(stds))
    Console().print(table)


def score_cells(scores: dict[str, float]) -> list[str]:
    """Return the scores of a fold, those of them that it has, as cells of a row."""
    return [
        f"{scores[name]:.4f}" if name == "loss" else f"{scores[name]:.2%}"
        for name in SCORE_TITLES
        if name in scores
    ]
