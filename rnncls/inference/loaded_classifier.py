"""The classifier that `rnncls.load` returns to a Python program.

Importing it does not import torch.

Shapes: N texts, C classes.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from rnncls.inference.prediction import Prediction
from rnncls.inference.texts import check_texts
from rnncls.runs.folder import find_run
from rnncls.runs.portable import PortableClassifier, load_portable

if TYPE_CHECKING:
    from rnncls.inference.insight.explanation import Explanation
    from rnncls.inference.predictor import Predictor


class Column(Protocol):
    """A column of a table: an array, or a Series of pandas or Polars."""

    __array__: Callable[..., Any]

    def __iter__(self) -> Iterator[Any]:
        """Return the texts one after another."""


Texts = list[str] | tuple[str, ...] | Iterator[str] | Column
"""Several texts: everything iterable, but a single string is one text."""


class LoadedClassifier:
    """A trained classifier. Several threads may use it, and it can be pickled.

    Pickled, it holds the weights: it needs neither the run folder nor the device of the
    machine that loaded it.

    Attributes:
        classes_: [C] str, the classes in the order of the probabilities.
    """

    def __init__(
        self,
        portable: PortableClassifier,
        *,
        device: str | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        """Choose the device.

        Args:
            portable: The weights, the words and the classes.
            device: As `rnncls.load` takes it.
            min_confidence: Below this probability a prediction has no answer.

        Raises:
            DeviceError: This machine lacks the requested device.
        """
        self.classes_ = np.array(portable.label_names)
        self._min_confidence = min_confidence
        self._portable = portable
        self._device = device
        if device is not None:
            self._check_device()

    def __repr__(self) -> str:
        """Return the cell and the classes."""
        cell, classes = self._portable.model.cell, ", ".join(self.classes_)
        return f"<rnncls classifier: {cell}, {len(self.classes_)} classes: {classes}>"

    @overload
    def __call__(self, texts: str) -> Prediction: ...

    @overload
    def __call__(self, texts: Texts) -> list[Prediction]: ...

    def __call__(self, texts: str | Texts) -> Prediction | list[Prediction]:
        """Classify one text or several.

        Args:
            texts: One text, or a list, tuple, generator, array or Series of texts.

        Returns:
            The prediction of one text; of several, one for each, in their order. It has
            `label`, `prob`, `probs`, `top(k)` and `answer`.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        predictions = self._classify(check_texts(texts))
        return predictions[0] if isinstance(texts, str) else predictions

    def predict(self, texts: str | Texts) -> npt.NDArray[np.str_]:
        """Return the label of each text, as classifiers of scikit-learn do.

        A single string is one text, and gives an array of one label.

        Returns:
            [N] str.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        labels = self.predict_proba(texts).argmax(axis=1)  # [N]
        predicted: npt.NDArray[np.str_] = self.classes_[labels]
        return predicted

    def predict_proba(self, texts: str | Texts) -> npt.NDArray[np.float32]:
        """Return the probability of each class for each text.

        The columns are in the order of `classes_`.

        Returns:
            [N, C] float32.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        predictions = self._classify(check_texts(texts))
        probs = np.empty((len(predictions), len(self.classes_)), np.float32)  # [N, C]
        for row, prediction in zip(probs, predictions, strict=True):
            row[:] = list(prediction.probs.values())
        return probs

    def stream(
        self, lines: Iterable[str], *, batch_size: int = 1000
    ) -> Iterator[Prediction]:
        """Yield the prediction for each line, in constant memory.

        Args:
            lines: The texts, such as an open file. A line end at the end of a text does
                not matter.
            batch_size: How many lines are read before their predictions are yielded. 1:
                each line is answered before the next one is read.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        remaining = iter([lines] if isinstance(lines, str) else lines)
        for start in count(step=batch_size):
            batch = list(islice(remaining, batch_size))
            if not batch:
                return
            yield from self._classify(check_texts(batch, start))

    def explain(self, text: str, label: str | None = None) -> "Explanation":
        """Explain a prediction by Integrated Gradients and occlusion. Imports torch.

        Args:
            text: The text.
            label: The class to explain; None: the predicted one.

        Returns:
            The contribution of each token (`tokens`), and a summary (`meaning()`).

        Raises:
            TypeError: The text is not a string.
            ConfigError: There is no such class.
        """
        from rnncls.inference.insight.explanation import explain
        from rnncls.machine.threads import borrow_thread

        if not isinstance(text, str):
            raise TypeError(f"text: expected a string, found {type(text).__name__}")
        predictor = self._predictor
        with borrow_thread(predictor.device):
            return explain(predictor.classifier, text, label)

    def _classify(self, texts: list[str]) -> list[Prediction]:
        return self._predictor.predict(texts)

    def _check_device(self) -> None:
        """Raise an error if this machine lacks the requested device."""
        from rnncls.machine.device import resolve_run_device

        resolve_run_device(self._device, self._portable.device)

    @cached_property
    def _predictor(self) -> "Predictor":
        """The network in torch."""
        from rnncls.inference.predictor import Predictor
        from rnncls.machine.device import resolve_run_device
        from rnncls.runs.run import build_classifier

        return Predictor(
            build_classifier(self._portable),
            resolve_run_device(self._device, self._portable.device),
            min_confidence=self._min_confidence,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle: arrays, and the device only as a wish."""
        state = self.__dict__.copy()
        state.pop("_predictor", None)
        if self._device is not None:
            state["_portable"] = replace(self._portable, device=self._device)
            state["_device"] = None
        return state


def load_classifier(
    path: str | os.PathLike[str] | None,
    *,
    device: str | None = None,
    min_confidence: float = 0.0,
) -> LoadedClassifier:
    """Load a run; see `rnncls.load`.

    Raises:
        RunError: The folder is not a run, or one of its files is damaged.
        DeviceError: This machine lacks the requested device.
    """
    folder = find_run(None if path is None else Path(path))
    portable = load_portable(folder)
    return LoadedClassifier(portable, device=device, min_confidence=min_confidence)
