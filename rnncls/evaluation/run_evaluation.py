"""What a run says of labelled texts that it did not learn from, and what there is to
see
in that.

Shapes: N texts, C classes.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls import DataError
from rnncls.data.datasets import columns_of
from rnncls.data.loading import EncodedSplit, load_split
from rnncls.data.readers import find_texts
from rnncls.data.splits import Split
from rnncls.evaluation import calibration
from rnncls.evaluation import error_slices as error_analysis
from rnncls.evaluation.calibration import Bin, Coverage
from rnncls.evaluation.error_slices import Slice
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import Scores, count_confusion, score
from rnncls.machine.device import resolve_device
from rnncls.runs.data_check import load_data_fingerprint
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import Run, load_run

NUM_MISTAKES = 20
"""The most confident mistakes that are kept."""


@dataclass(frozen=True)
class Mistake:
    """A text judged wrong.

    Attributes:
        row: Its row in its file, from 1.
        label: What the file says.
        predicted: What the run says.
        prob: How probable that is to the run.
        text: The text.
    """

    row: int
    label: str
    predicted: str
    prob: float
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """What the scores do not say.

    Attributes:
        temperature: What the logits were divided by; 1: by nothing.
        ece: Expected calibration error of the probabilities, over 15 bins of equal
            width.
        raw_ece: The same before they were calibrated.
        raw_loss: The loss in nats before they were calibrated.
        reliability: The bins that the error is a mean over.
        raw_reliability: Those before the probabilities were calibrated.
        by_length: Accuracy by number of tokens.
        by_unknown_share: Accuracy by the share of tokens that the vocabulary lacks.
        coverage: Accuracy of the most confident texts alone.
        mistakes: Those that the run is surest of, the surest first.
    """

    temperature: float
    ece: float
    raw_ece: float
    raw_loss: float
    reliability: list[Bin]
    raw_reliability: list[Bin]
    by_length: list[Slice]
    by_unknown_share: list[Slice]
    coverage: list[Coverage]
    mistakes: list[Mistake]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain lists, dictionaries and numbers."""
        return asdict(self)


@dataclass(frozen=True)
class Judgement:
    """The logits of N labelled texts, by a run.

    Attributes:
        run: The run.
        split: The texts and their labels.
        origin: The file, its checksum, the split and the row count.
        logits: [N, C] float32 on the CPU, calibrated.
    """

    run: Run
    split: EncodedSplit
    origin: dict[str, Any]
    logits: torch.Tensor

    @cached_property
    def predictions(self) -> npt.NDArray[np.int64]:
        """The most probable class of each text. [N]."""
        found: npt.NDArray[np.int64] = self.logits.argmax(dim=1).numpy()
        return found

    @cached_property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """Whether that is its label. [N]."""
        found: npt.NDArray[np.bool_] = self.predictions == self.split.labels
        return found

    @cached_property
    def confidences(self) -> npt.NDArray[np.float64]:
        """How probable it is. [N]."""
        return _confidences(self.logits)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How often class i was predicted as class j. [C, C]."""
        return count_confusion(
            self.split.labels, self.predictions, self.logits.shape[1]
        )

    def scores(self) -> Scores:
        """Return the scores, with their intervals."""
        return score(
            self.confusion, self._loss(self.logits), self.run.classifier.label_names
        )

    def diagnose(self) -> Diagnosis:
        """Return what the scores do not say.

        Raises:
            DataError: The texts of the mistakes cannot be read again.
        """
        raw = self.logits * self.run.classifier.temperature
        bins = calibration.find_bins(self.confidences, self.is_right)
        raw_bins = calibration.find_bins(_confidences(raw), self.is_right)
        lengths = self.split.texts.lengths.astype(np.float64)
        return Diagnosis(
            temperature=self.run.classifier.temperature,
            ece=calibration.expected_calibration_error(bins),
            raw_ece=calibration.expected_calibration_error(raw_bins),
            raw_loss=self._loss(raw),
            reliability=bins,
            raw_reliability=raw_bins,
            by_length=error_analysis.find_slices(lengths, self.is_right),
            by_unknown_share=error_analysis.find_slices(
                error_analysis.unknown_shares(self.split.texts), self.is_right
            ),
            coverage=calibration.find_coverages(self.confidences, self.is_right),
            mistakes=self._find_mistakes(),
        )

    def read_texts(self, numbers: npt.NDArray[np.int64]) -> list[str]:
        """Return the texts with these numbers, as they stand in their file.

        Raises:
            DataError: The file cannot be read.
        """
        assert self.split.rows is not None
        columns = replace(columns_of(self.run.config.data), label=None)
        return find_texts(
            Path(self.origin["path"]), columns, self.split.rows[numbers].tolist()
        )

    def _loss(self, logits: torch.Tensor) -> float:
        return F.cross_entropy(
            logits.double(), torch.from_numpy(self.split.labels)
        ).item()

    def _find_mistakes(self) -> list[Mistake]:
        numbers = error_analysis.surest_mistakes(
            self.confidences, self.is_right, NUM_MISTAKES
        )
        assert self.split.rows is not None
        names = self.run.classifier.label_names
        return [
            Mistake(
                row=int(self.split.rows[number]) + 1,
                label=names[self.split.labels[number]],
                predicted=names[self.predictions[number]],
                prob=float(self.confidences[number]),
                text=text,
            )
            for number, text in zip(numbers, self.read_texts(numbers), strict=True)
        ]


def judge(
    path: Path,
    *,
    split: Split = "test",
    data: Path | None = None,
    device: str | None = None,
    use_cache: bool = True,
) -> Judgement:
    """Let a run judge labelled texts; the arguments and errors are those of
    `open_rows`.
    """
    run, rows, origin = open_rows(
        path, split=split, data=data, device=device, use_cache=use_cache
    )
    return Judgement(
        run, rows, origin, compute_logits(run.classifier.model, rows.texts)
    )


def open_rows(
    path: Path,
    *,
    split: Split = "test",
    data: Path | None = None,
    device: str | None = None,
    use_cache: bool = True,
) -> tuple[Run, EncodedSplit, dict[str, Any]]:
    """Return a run with its model on the device, labelled rows encoded for it, and
    where
    these come from.

    Args:
        path: The run folder.
        split: Which rows of the run's own data.
        data: Another labelled file instead.
        device: Instead of the config's.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        RnnclsError: The run, the data or the device is wrong.
    """
    run = load_run(path)
    run.classifier.model.to(resolve_device(device or run.config.device))
    rows, origin = load_split(
        run.config,
        split,
        run.classifier.vocab,
        run.classifier.label_names,
        data,
        use_cache=use_cache,
    )
    if data is None and (split != "test" or run.config.data.test_fraction is not None):
        _check_same_rows(path, origin)
    return run, rows, origin


def _check_same_rows(path: Path, origin: dict[str, Any]) -> None:
    """See that a file from which the run's own rows are drawn is still the one that it
    was trained on.
    """
    if (
        RunFolder(path).summary.exists()
        and origin["sha256"] not in load_data_fingerprint(path)[0].values()
    ):
        raise DataError(
            f"{origin['path']}: has changed since {path} was trained: its rows cannot"
            " be told apart any more: restore it, or name a file with --data"
        )


def _confidences(logits: torch.Tensor) -> npt.NDArray[np.float64]:
    """Return the probability of each text's most probable class. [N, C] -> [N]."""
    found: npt.NDArray[np.float64] = logits.double().softmax(dim=1).amax(dim=1).numpy()
    return found
