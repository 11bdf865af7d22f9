"""Predictions of a classifier in NumPy arrays: by NumPy for few texts, else by torch.

Importing it does not import torch.
"""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.light.support import find_unsupported
from rnncls.inference.prediction import Prediction
from rnncls.inference.runtime import MAX_LIGHT_TEXTS
from rnncls.machine.accelerators import is_surely_cpu
from rnncls.runs.portable import PortableClassifier

if TYPE_CHECKING:
    import torch

    from rnncls.inference.predictor import Predictor


class PortablePredictor:
    """A classifier that imports torch when it is needed, and that can be pickled.

    Several threads may use it.
    """

    def __init__(
        self,
        classifier: PortableClassifier,
        device: str | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        """Choose the device.

        Args:
            classifier: The classifier.
            device: As `rnncls.load` takes it.
            min_confidence: Below this probability a prediction has no answer.

        Raises:
            DeviceError: This machine lacks the requested device.
        """
        self.classifier = classifier
        self._device = device
        self._min_confidence = min_confidence
        if device is not None and device != "cpu":
            self._resolve_device()

    @property
    def label_names(self) -> list[str]:
        """The classes, in the order of the probabilities."""
        return self.classifier.label_names

    def predict(self, texts: list[str], num_before: int = 0) -> list[Prediction]:
        """Return one prediction per text, in the order of the texts.

        Args:
            texts: The texts.
            num_before: How many texts of the same stream were predicted before.
        """
        num_texts = num_before + len(texts)
        if self.light is not None and num_texts <= MAX_LIGHT_TEXTS:
            return self.light.predict(texts)
        return self.full.predict(texts)

    @cached_property
    def light(self) -> LightPredictor | None:
        """The network in NumPy; None if only torch can compute it."""
        classifier = self.classifier
        is_supported = find_unsupported(classifier.text, classifier.model) is None
        if is_supported and is_surely_cpu(self._device or classifier.device):
            return LightPredictor(classifier, min_confidence=self._min_confidence)
        return None

    @cached_property
    def full(self) -> "Predictor":
        """The network in torch."""
        from rnncls.inference.predictor import Predictor
        from rnncls.runs.classifier import build_classifier

        return Predictor(
            build_classifier(self.classifier),
            self._resolve_device(),
            min_confidence=self._min_confidence,
        )

    def _resolve_device(self) -> "torch.device":
        from rnncls.machine.device import resolve_run_device

        return resolve_run_device(self._device, self.classifier.device)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle: the arrays.

        The device becomes that of the run, which is replaced where a machine lacks it.
        """
        state = self.__dict__.copy()
        state.pop("light", None)
        state.pop("full", None)
        if self._device is not None:
            state["classifier"] = replace(self.classifier, device=self._device)
            state["_device"] = None
        return state
