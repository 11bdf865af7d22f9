"""Evaluation of a run for a Python program: see `rnncls.evaluate`."""

from pathlib import Path
from typing import Any

import torch

from rnncls import ConfigError
from rnncls.data.splits import Split
from rnncls.data.unknown_labels import UnknownLabels
from rnncls.evaluation.label_evaluation import summarize_labels
from rnncls.evaluation.run_evaluation import evaluate_loaded_run, summarize
from rnncls.machine.threads import compute_as_worker
from rnncls.runs.folder import find_run
from rnncls.runs.run import load_run


def evaluate_from_python(
    run: Path | None,
    *,
    split: Split | None,
    data: Path | None,
    unknown_labels: UnknownLabels,
    device: str | None,
) -> dict[str, Any]:
    """Return what `rnncls eval --json` prints; write no file.

    For the arguments see `rnncls.evaluate`.

    Raises:
        RnnclsError: The run, the data or the device is wrong.
    """
    if split is not None and data is not None:
        raise ConfigError(
            "split selects rows of the run's own data, data another file: give one of"
            " them"
        )
    with compute_as_worker(torch.device("cpu")):
        evaluation = evaluate_loaded_run(
            load_run(find_run(run)),
            split=split or "test",
            data=data,
            unknown_labels=unknown_labels,
            device=device,
        )
        if evaluation.run.classifier.has_several_labels:
            return summarize_labels(evaluation).to_dict()
        return summarize(evaluation).to_dict()
