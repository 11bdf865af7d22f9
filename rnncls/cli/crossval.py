"""`rnncls crossval`: how good a config is, where there are too few rows to keep some
for a test.
"""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncls.cli.options import (
    ConfigOption,
    DeviceOption,
    JsonOption,
    NoCacheOption,
    SetOption,
)
from rnncls.cli.screen import print_tables
from rnncls.cli.train import new_run_path
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.config.sections import Config
    from rnncls.training.cross_validation import CrossValidation

SCORES, PREDICTIONS = "crossval.json", "predictions.csv"


def crossval_command(
    config: ConfigOption,
    set_: SetOption = None,
    folds: Annotated[
        int, typer.Option(min=2, help="Into how many parts the training rows fall.")
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
    """Judge each training row by a model that has not seen it; the test file stays
    closed.
    """
    from rnncls.config.loading import load_config

    checked = load_config(
        config, [*(set_ or []), *([f"device={device}"] if device else [])]
    )

    with fast_imports():
        from rnncls.reporting.evaluation_tables import (
            class_table,
            confusion_table,
            score_lines,
        )
        from rnncls.runs.folder import RunFolder
        from rnncls.training.cross_validation import cross_validate

    path = out or new_run_path(config, Path("crossval"))
    RunFolder(path).check_is_free()
    found = cross_validate(checked, folds, use_cache=not no_cache)
    result = save(found, checked, path)
    if json_:
        typer.echo(json.dumps(result))
        return
    scores = found.scores()
    origin = f"{path}: {folds} folds of {found.source['path']}"
    print_tables(
        score_lines(scores, origin), [class_table(scores), confusion_table(scores)]
    )
    print_folds(found)


def print_folds(found: "CrossValidation") -> None:
    """Print the scores of each fold, their mean and their standard deviation."""
    from rich.console import Console
    from rich.table import Table

    table = Table("fold", title="Folds", title_justify="left")
    for name in ("rows", "accuracy", "macro-F1", "loss", "best epoch", "seconds"):
        table.add_column(name, justify="right")
    for fold in found.folds:
        rest = (str(fold.best_epoch), f"{fold.train_s:.0f}")
        table.add_row(
            str(fold.number), f"{len(fold.rows):,}", *cells(fold.scores), *rest
        )
    table.add_section()
    spread = found.spread()
    table.add_row(
        "mean", "", *cells({name: mean for name, (mean, _) in spread.items()})
    )
    table.add_row("sd", "", *cells({name: sd for name, (_, sd) in spread.items()}))
    Console().print(table)


def cells(scores: "dict[str, float]") -> tuple[str, str, str]:
    """Return a model's scores, or what is said of those of several, as they stand in a
    table.
    """
    return (
        f"{scores['accuracy']:.2%}",
        f"{scores['macro_f1']:.2%}",
        f"{scores['loss']:.4f}",
    )


def save(found: "CrossValidation", config: "Config", path: Path) -> dict[str, Any]:
    """Write the scores and the predictions of all rows into a folder; return the
    scores.
    """
    from rnncls.config.yaml_format import dump_config
    from rnncls.machine.files import write_atomic, write_json

    result = {
        **found.scores().to_dict(),
        "spread": {
            name: {"mean": mean, "sd": sd}
            for name, (mean, sd) in found.spread().items()
        },
        "folds": [
            {
                **fold.scores,
                "num_rows": len(fold.rows),
                "best_epoch": fold.best_epoch,
                "train_s": fold.train_s,
            }
            for fold in found.folds
        ],
        "data": found.source,
    }
    path.mkdir(parents=True, exist_ok=True)
    write_atomic(path / "config.yaml", dump_config(config).encode())
    write_atomic(
        path / PREDICTIONS, predictions_csv(found).encode("utf-8", "backslashreplace")
    )
    write_json(path / SCORES, result)
    return result


def predictions_csv(found: "CrossValidation") -> str:
    """Return a line of CSV a row of the training file: its number from 1, fold, label,
    prediction and probabilities.
    """
    import numpy as np

    probs = found.probs()
    folds = np.empty(len(found.rows), dtype=np.int64)
    for fold in found.folds:
        folds[np.searchsorted(found.rows, fold.rows)] = fold.number
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            "row",
            "fold",
            "label",
            "predicted",
            *(f"prob {name}" for name in found.label_names),
        ]
    )
    for row, fold_number, label, own in zip(
        found.rows + 1, folds, found.labels, probs, strict=True
    ):
        names = (found.label_names[label], found.label_names[own.argmax()])
        writer.writerow([row, fold_number, *names, *(f"{prob:.6f}" for prob in own)])
    return stream.getvalue()
