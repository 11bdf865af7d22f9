"""`rnncls eval` of a run with several labels a text."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.data.unknown_labels import UnknownLabels


def eval_label_sets(
    path: Path,
    split: Literal["train", "valid", "test"] | None,
    data: Path | None,
    unsupported: list[str],
    unknown_labels: "UnknownLabels",
    *,
    as_json: bool,
    device: str | None,
    use_cache: bool,
) -> None:
    """Evaluate a run with several labels a text; save and print the scores.

    Args:
        path: The run folder.
        split: The split of the run's own data; None: the test rows.
        data: A labelled file to evaluate instead.
        unsupported: The options that were given and are not supported.
        unknown_labels: What to do with unknown labels.
        as_json: Whether to print JSON.
        device: The device to compute on; None: the config's.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        RnnclsError: The run, the data or the device is wrong, or an option is not
            supported.
    """
    with fast_imports():
        from rnncls.cli.reporting.label_tables import label_table, score_lines
        from rnncls.evaluation.label_evaluation import evaluate_label_sets_of_run
        from rnncls.machine.files import write_json
        from rnncls.runs.folder import RunFolder

    if unsupported:
        raise ConfigError(
            f"{unsupported[0]}: {path} has several labels a text, for which it is not"
            " supported yet: leave it out"
        )
    evaluation = evaluate_label_sets_of_run(
        path,
        split=split or "test",
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=use_cache,
    )
    values = evaluation.to_dict()
    source = f"file-{data.stem}" if data else split or "test"
    write_json(RunFolder(path).evaluation(source), values)
    if as_json:
        typer.echo(json.dumps(values))
        return
    print_tables(score_lines(evaluation), [label_table(evaluation)])
