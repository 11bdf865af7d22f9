"""Predictions of a run that is held in memory: by NumPy for few texts, else by torch.

Importing it does not import torch.
"""

import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnncls.inference.labelling import find_thresholds
from rnncls.inference.light.loading import load_weights_and_config
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.light.support import find_unsupported
from rnncls.inference.prediction import Prediction
from rnncls.inference.runtime import MAX_LIGHT_TEXTS
from rnncls.machine.accelerators import is_surely_cpu
from rnncls.nn.scope import ScopeRule
from rnncls.runs.portable import PortableClassifier, build_portable

if TYPE_CHECKING:
    import torch

    from rnncls.inference.predictor import Predictor
    from rnncls.runs.classifier import Classifier


class PicklablePredictor:
    """A classifier that imports torch when it is needed, and that can be pickled.

    Several threads may use it.
    """

    def __init__(
        self,
        classifier: "PortableClassifier | Classifier",
        configured_device: str,
        device: str | None = None,
        min_confidence: float = 0.0,
        threshold: float | None = None,
    ) -> None:
        """Choose the device.

        Args:
            classifier: The classifier; in torch, if NumPy cannot compute it.
            configured_device: The device in the config of the run.
            device: The device that the user asks for, or None.
            min_confidence: Below this probability a prediction has no answer.
            threshold: The threshold of all labels; None: those of the run.

        Raises:
            DeviceError: This machine lacks the requested device.
            ConfigError: `threshold` is for several labels a text.
        """
        self._classifier = classifier
        self._configured_device = configured_device
        self._device = device
        self._min_confidence = min_confidence
        self._threshold = threshold
        find_thresholds(  # raises an error now, not at the first text
            classifier.label_names, classifier.thresholds, threshold
        )
        if device is not None and device != "cpu":
            self._resolve_device()

    @property
    def label_names(self) -> list[str]:
        """The classes, in the order of the probabilities."""
        return self._classifier.label_names

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self._classifier.has_several_labels

    @property
    def scope_rule(self) -> ScopeRule | None:
        """By which a text fits a class, or none; None: the run cannot tell."""
        return self._classifier.scope_rule

    def predict(self, texts: list[str], num_before: int = 0) -> list[Prediction]:
        """Return one prediction per text, in the order of the texts.

        Args:
            texts: The texts.
            num_before: How many texts of the same stream were predicted before.
        """
        num_texts = num_before + len(texts)
        if num_texts <= MAX_LIGHT_TEXTS and self.light is not None:
            return self.light.predict(texts)
        return self.full.predict(texts)

    @cached_property
    def light(self) -> LightPredictor | None:
        """The network in NumPy; None if torch computes all texts."""
        if not isinstance(self._classifier, PortableClassifier):
            return None
        if not is_surely_cpu(self._device or self._configured_device):
            return None
        return LightPredictor(
            self._classifier,
            min_confidence=self._min_confidence,
            threshold=self._threshold,
        )

    @cached_property
    def full(self) -> "Predictor":
        """The network in torch."""
        from rnncls.inference.predictor import Predictor
        from rnncls.runs.classifier import build_classifier

        classifier = self._classifier
        if isinstance(classifier, PortableClassifier):
            classifier = build_classifier(classifier)
        device = self._resolve_device()
        return Predictor(
            classifier,
            device,
            min_confidence=self._min_confidence,
            threshold=self._threshold,
        )

    def _resolve_device(self) -> "torch.device":
        from rnncls.machine.device import resolve_run_device

        return resolve_run_device(self._device, self._configured_device)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle: the weights on the CPU.

        The requested device is no longer requested: where a machine lacks it, another
        is used.
        """
        state = self.__dict__.copy()
        state.pop("light", None)
        state.pop("full", None)
        state["_configured_device"] = self._device or self._configured_device
        state["_device"] = None
        classifier = self._classifier
        if not isinstance(classifier, PortableClassifier):
            model = copy.deepcopy(classifier.model).cpu()
            state["_classifier"] = replace(classifier, model=model)
        return state


def load_predictor(
    path: Path,
    device: str | None = None,
    min_confidence: float = 0.0,
    threshold: float | None = None,
) -> PicklablePredictor:
    """Load and verify a run, with torch only if NumPy cannot compute it.

    Args:
        path: The run folder.
        device: The device that the user asks for; None: the one in the run's config.
        min_confidence: Below this probability a prediction has no answer.
        threshold: The threshold of all labels; None: those of the run.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
        DeviceError: This machine lacks the requested device.
        ConfigError: `threshold` is for several labels a text.
    """
    weights, config = load_weights_and_config(path)
    classifier: PortableClassifier | Classifier
    if find_unsupported(config.text, config.model) is None:
        classifier = build_portable(
            path, weights, config.text, config.model, config.data
        )
    else:
        from rnncls.runs.run import load_run

        classifier = load_run(path).classifier
    return PicklablePredictor(
        classifier, config.device, device, min_confidence, threshold
    )
