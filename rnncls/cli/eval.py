"""`rnncls eval`: how good a run is, on rows that it did not learn from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rnncls.cli.options import DeviceOption, JsonOption

if TYPE_CHECKING:
    from rnncls.metrics import Scores

SplitName = Literal["train", "valid", "test"]


def eval_command(
    run: Annotated[
        Path | None,
        typer.Argument(help="The run folder; default: the newest finished run.", show_default=False),
    ] = None,
    split: Annotated[SplitName, typer.Option(help="Which rows of the run's own data.")] = "test",
    data: Annotated[
        Path | None, typer.Option(help="Another labelled file, with the run's columns.", show_default=False)
    ] = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
) -> None:
    """Print accuracy, macro-F1, loss, scores per class and the confusion matrix; keep them in the run folder."""
    from rnncls.checkpoint import find_run, write_json

    path = find_run(run)
    scores, origin = evaluate_run(path, split=split, data=data, device=device)
    result = {**scores.to_dict(), "data": origin, "run": str(path)}
    write_json(path / f"eval-{data.stem if data else split}.json", result)
    if json_:
        typer.echo(json.dumps(result))
        return
    from rich.console import Console

    from rnncls.report import class_table, confusion_table, score_lines

    console = Console()
    for line in score_lines(scores, f"{path.name} on {origin['path']}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    tables = (class_table(scores), confusion_table(scores))
    # Squeezed into a narrow screen, a table of many classes loses its figures.
    unlimited = console.options.update(max_width=1_000_000)
    console.width = max(console.width, *(console.measure(table, options=unlimited).maximum for table in tables))
    console.print(*tables)


def evaluate_run(
    path: Path, *, split: SplitName = "test", data: Path | None = None, device: str | None = None
) -> "tuple[Scores, dict[str, Any]]":
    """Return the scores of a run folder, and the file, checksum, split and row count that they were measured on.

    Args:
        path: The run folder.
        split: Which rows of the run's own data.
        data: Another labelled file instead.
        device: Instead of the config's.

    Raises:
        RnnclsError: The run, the data or the device is wrong.
    """
    from rnncls.checkpoint import load_run
    from rnncls.corpus import load_split
    from rnncls.evaluator import evaluate
    from rnncls.metrics import score
    from rnncls.runtime import resolve_device

    run = load_run(path)
    target = resolve_device(device or run.config.device)
    rows, origin = load_split(run.config, split, run.vocab, run.label_names, data)
    confusion, loss = evaluate(run.model.to(target), rows)
    return score(confusion, loss, run.label_names), origin
