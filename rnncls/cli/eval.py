"""`rnncls eval`: how good a run is, on rows that it did not learn from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rnncls.cli.options import DeviceOption, JsonOption, NoCacheOption, complete_runs
from rnncls.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rnncls.metrics import Scores

SplitName = Literal["train", "valid", "test"]


def eval_command(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="The run folder; default: the newest finished run.", show_default=False, autocompletion=complete_runs
        ),
    ] = None,
    split: Annotated[
        SplitName | None, typer.Option(help="Which rows of the run's own data; default: test.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Another labelled file, with the run's columns.", show_default=False)
    ] = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Print accuracy, macro-F1, loss, scores per class and the confusion matrix; keep them in the run folder."""
    from rnncls.checkpoint import find_run
    from rnncls.runtime import collect_again
    from rnncls.storage import write_json

    collect_again()
    if split and data:
        raise ConfigError("--split names rows of the run's own data, --data another file: give one of them")
    path = find_run(run)
    scores, origin = evaluate_run(path, split=split or "test", data=data, device=device, use_cache=not no_cache)
    result = {**scores.to_dict(), "data": origin, "run": str(path)}
    if json_:
        typer.echo(json.dumps(result))
    else:
        print_scores(scores, f"{path.name} on {origin['path']}")
    write_json(path / f"eval-{f'file-{data.stem}' if data else split or 'test'}.json", result)


def print_scores(scores: "Scores", origin: str) -> None:
    """Print the scores over all classes, those of each class and the confusion matrix."""
    from rich.console import Console

    from rnncls.report import class_table, confusion_table, score_lines

    console = Console()
    for line in score_lines(scores, origin):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    tables = (class_table(scores), confusion_table(scores))
    # Squeezed into a narrow screen, a table of many classes loses its figures.
    unlimited = console.options.update(max_width=1_000_000)
    console.width = max(console.width, *(console.measure(table, options=unlimited).maximum for table in tables))
    console.print(*tables)


def evaluate_run(
    path: Path,
    *,
    split: SplitName = "test",
    data: Path | None = None,
    device: str | None = None,
    use_cache: bool = True,
) -> "tuple[Scores, dict[str, Any]]":
    """Return the scores of a run folder, and the file, checksum, split and row count that they were measured on.

    Args:
        path: The run folder.
        split: Which rows of the run's own data.
        data: Another labelled file instead.
        device: Instead of the config's.
        use_cache: Keep and take tokenised files (see rnncls.cache).

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
    rows, origin = load_split(run.config, split, run.vocab, run.label_names, data, use_cache=use_cache)
    if data is None and (split != "test" or run.config.data.test_fraction is not None):
        _check_same_rows(path, origin)
    confusion, loss = evaluate(run.model.to(target), rows)
    return score(confusion, loss, run.label_names), origin


def _check_same_rows(path: Path, origin: dict[str, Any]) -> None:
    """See that a file from which the run's own rows are drawn is still the one that it was trained on."""
    from rnncls.checkpoint import SUMMARY
    from rnncls.storage import read_json

    files = read_json(path / SUMMARY)["data"]["files"].values() if (path / SUMMARY).exists() else []
    if files and origin["sha256"] not in {file["sha256"] for file in files}:
        raise DataError(
            f"{origin['path']}: has changed since {path} was trained: its rows cannot be told apart any more: "
            "restore it, or name a file with --data"
        )
