"""Evaluation of a run with several labels a text.

Shapes: N texts, C labels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from rnncls.data.splits import Split
from rnncls.data.unknown_labels import UnknownLabels
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.label_metrics import MultilabelScores, score_labels
from rnncls.evaluation.loading import load_rows
from rnncls.nn.decisions import to_label_probs
from rnncls.runs.run import load_run


@dataclass(frozen=True)
class LabelEvaluation:
    """The scores of a run with several labels a text.

    Attributes:
        scores: All scores.
        origin: The file, its checksum, the split and the number of rows.
        run_path: The run folder.
        temperature: The logits are divided by this number; 1 means no calibration.
    """

    scores: MultilabelScores
    origin: dict[str, Any]
    run_path: Path
    temperature: float

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists, dictionaries and numbers."""
        values = self.scores.to_dict()
        values["temperature"] = self.temperature
        values["data"] = self.origin
        values["run"] = str(self.run_path)
        return values


def evaluate_label_sets_of_run(
    path: Path,
    *,
    split: Split = "test",
    data: Path | None = None,
    unknown_labels: UnknownLabels = "error",
    device: str | None = None,
    use_cache: bool = True,
) -> LabelEvaluation:
    """Evaluate a run with several labels a text.

    Args:
        path: The run folder.
        split: Which split of the run's own data to evaluate.
        data: A labelled file to evaluate instead.
        unknown_labels: What to do with unknown labels; only `error` is supported.
        device: The device of the model; default: the config's.
        use_cache: Whether to read and write the cache of tokenised files.

    Raises:
        RnnclsError: The run, the data or the device is wrong.
    """
    run = load_run(path, may_have_several_labels=True)
    rows, origin = load_rows(
        run,
        split=split,
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=use_cache,
    )
    classifier = run.classifier
    logits = compute_logits(classifier.model, rows.texts).double()  # [N, C]
    targets = torch.from_numpy(rows.labels).double()  # [N, C]
    loss = F.binary_cross_entropy_with_logits(logits, targets).item()
    scores = score_labels(
        rows.labels,
        to_label_probs(logits).numpy(),
        np.array(classifier.thresholds),
        loss,
        classifier.label_names,
    )
    return LabelEvaluation(scores, origin, path, classifier.temperature)
