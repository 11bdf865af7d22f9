"""Which runtime predicts: NumPy for few texts, torch for many and for other devices.

Importing torch takes longer than predicting a thousand texts in NumPy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rnncls.config.sections import DataSection
from rnncls.inference.light.loading import load_light
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.prediction import Prediction
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.inference.predictor import Predictor

MAX_LIGHT_TEXTS = 1000
"""More texts than these are predicted by torch."""


@dataclass(frozen=True)
class PredictOptions:
    """What a user asks of predictions.

    Attributes:
        device: The device to compute on; None: the one in the run's config.
        attention: Whether to return attention weights.
        min_confidence: Below this probability there is no answer.
        threshold: The threshold of all labels; None: those of the run.
    """

    device: str | None = None
    attention: bool = False
    min_confidence: float = 0.0
    threshold: float | None = None


class RunPredictor:
    """The predictions of a run, by the runtime that is faster for them.

    Both runtimes give the same probabilities up to rounding.

    Attributes:
        data: Where the run's training texts are found.
    """

    def __init__(self, path: Path, options: PredictOptions) -> None:
        """Load a run; torch is imported only if no text can be predicted without it.

        Raises:
            RunError: A file of the run is missing or damaged.
            ConfigError: Attention weights were requested of a model without attention;
                or a threshold for a run with one label a text.
            DeviceError: This machine lacks the requested device.
        """
        self._options = options
        self._light: LightPredictor | None = None
        self._full: Predictor | None = None
        classifier = load_light(path, options.device)
        if classifier is None:
            self._full, self.data = load_full(path, options)
            return
        self.data = classifier.data
        self._light = LightPredictor(
            classifier,
            attention=options.attention,
            min_confidence=options.min_confidence,
            threshold=options.threshold,
        )

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions for all texts in their order, one window at a time.

        One runtime predicts all of them.
        """
        if self._light is None:
            yield from self._choose(0).stream(chunks)
            return
        remaining = iter(chunks)
        first: list[list[str]] = []
        num_texts = 0
        for chunk in remaining:
            first.append(chunk)
            num_texts += len(chunk)
            if num_texts > MAX_LIGHT_TEXTS:
                break
        yield from self._choose(num_texts).stream(chain(first, remaining))

    def stream_live(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions for each chunk before the next chunk is read.

        The first texts are predicted without torch.
        """
        num_texts = 0
        for chunk in chunks:
            num_texts += len(chunk)
            yield from self._choose(num_texts).stream([chunk])

    def _choose(self, num_texts: int) -> "LightPredictor | Predictor":
        """Return the predictor for that many texts."""
        if self._light is not None and num_texts <= MAX_LIGHT_TEXTS:
            return self._light
        if self._full is None:
            self._full = self._build_full()
        return self._full

    def _build_full(self) -> "Predictor":
        """Return the predictor in torch of the classifier that has been loaded.

        The run folder is not read again: it may have been trained further.
        """
        with fast_imports():
            import torch

            from rnncls.inference.predictor import Predictor
            from rnncls.runs.classifier import build_classifier

        assert self._light is not None
        return Predictor(
            build_classifier(self._light.classifier),
            torch.device("cpu"),
            attention=self._options.attention,
            min_confidence=self._options.min_confidence,
            threshold=self._options.threshold,
        )


def load_full(path: Path, options: PredictOptions) -> "tuple[Predictor, DataSection]":
    """Load a run in torch; return its predictor and the data section of its config.

    Raises:
        RunError: A file of the run is missing or damaged.
        ConfigError: Attention weights were requested of a model without attention.
        DeviceError: This machine lacks the requested device.
    """
    with fast_imports():
        from rnncls.inference.predictor import Predictor
        from rnncls.machine.device import resolve_run_device
        from rnncls.machine.processes import init_process_group
        from rnncls.runs.run import load_run

    run = load_run(path)
    device = resolve_run_device(options.device, run.config.device)
    predictor = Predictor(
        run.classifier,
        init_process_group().local_device(device),
        attention=options.attention,
        min_confidence=options.min_confidence,
        threshold=options.threshold,
    )
    return predictor, run.config.data
