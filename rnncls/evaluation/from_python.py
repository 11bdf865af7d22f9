"""Evaluation of a run for a Python program: see `rnncls.evaluate`."""

import os
from collections.abc import Sequence
from typing import Any, get_args

import torch

from rnncls import ConfigError
from rnncls.config.arguments import (
    check_choice,
    check_optional_path,
    check_strings,
)
from rnncls.data.splits import Split
from rnncls.data.unknown_labels import UnknownLabels
from rnncls.evaluation.columns import name_columns
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.evaluation.summary import summarize_evaluation
from rnncls.machine.threads import compute_as_worker
from rnncls.runs.folder import find_run
from rnncls.runs.run import load_run


def evaluate_from_python(  # noqa: PLR0913 - as `rnncls.evaluate`
    run: str | os.PathLike[str] | None,
    *,
    split: Split | None,
    data: str | os.PathLike[str] | None,
    text: str | Sequence[str] | None,
    label: str | None,
    unknown_labels: UnknownLabels,
    outside: str | os.PathLike[str] | None,
    device: str | None,
) -> dict[str, Any]:
    """Return what `rnncls eval --json` prints; write no file.

    For the arguments see `rnncls.evaluate`.

    Raises:
        RnnclsError: An argument, the run, the data or the device is wrong.
    """
    run_path = check_optional_path("run", run, "a run folder")
    file = check_optional_path("data", data, "a labelled file")
    outside_file = check_optional_path("outside", outside, "a file of texts")
    if split is not None:
        check_choice("split", split, get_args(Split))
    check_choice("unknown_labels", unknown_labels, get_args(UnknownLabels))
    if label is not None and not isinstance(label, str):
        raise ConfigError(f"label: expected the name of a column, found {label!r}")
    columns = [text] if isinstance(text, str) else text or []
    texts = check_strings("text", columns, "a column or a list of columns")
    if split is not None and data is not None:
        raise ConfigError(
            "split selects rows of the run's own data, data another file: give one of"
            " them"
        )
    with compute_as_worker(torch.device("cpu")):
        loaded = load_run(find_run(run_path))
        evaluation = evaluate_run(
            name_columns(loaded, file, texts, label, prefix=""),
            split=split or "test",
            data=file,
            unknown_labels=unknown_labels,
            device=device,
        )
        return summarize_evaluation(evaluation, outside=outside_file).to_dict()
