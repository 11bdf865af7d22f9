"""The classifier that `rnncls.load` returns to a Python program.

Importing it does not import torch.

Shapes: N texts, C classes.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.config.arguments import (
    check_count,
    check_optional_path,
    check_probability,
)
from rnncls.inference.onnx_predictor import OnnxPredictor, load_onnx_predictor
from rnncls.inference.picklable_predictor import PicklablePredictor, load_predictor
from rnncls.inference.prediction import Prediction
from rnncls.inference.texts import check_texts
from rnncls.runs.folder import find_run

if TYPE_CHECKING:
    from rnncls.inference.insight.explanation import Explanation


class Column(Protocol):
    """A one-dimensional array of NumPy, or a Series of pandas or Polars."""

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
        classes_: An array of C strings: the classes, in the order of the
            probabilities.
    """

    def __init__(self, predictor: PicklablePredictor | OnnxPredictor) -> None:
        """Take what predicts: a run or an ONNX file."""
        self.classes_ = np.array(predictor.label_names)
        self._predictor = predictor

    def __repr__(self) -> str:
        """Return the classes."""
        classes = ", ".join(self.classes_)
        return f"<rnncls classifier of {len(self.classes_)} classes: {classes}>"

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self._predictor.has_several_labels

    @property
    def tells_fits(self) -> bool:
        """Whether predictions say if a text fits one of the classes."""
        return self._predictor.scope_rule is not None

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
            `label`, `prob`, `probs`, `top(k)` and `answer`; for a run with several
            labels a text `labels`, those that reach their threshold, and `thresholds`.
            `fits` says whether the text fits one of the classes; None: the run cannot
            tell.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        predictions = self._predictor.predict(check_texts(texts))
        return predictions[0] if isinstance(texts, str) else predictions

    def predict(self, texts: str | Texts) -> npt.NDArray[Any]:
        """Return the label of each text, as classifiers of scikit-learn do.

        A single string is one text, and gives an array of one label.

        Returns:
            An array of N strings, one for each text. For a run with several labels a
            text, an int64 array with a row for each of the N texts and a column for
            each of the C labels, in the order of `classes_`: 1 if the text has the
            label, else 0.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        if self.has_several_labels:
            return self._predict_indicators(check_texts(texts))
        labels = self.predict_proba(texts).argmax(axis=1)  # [N]
        predicted: npt.NDArray[np.str_] = self.classes_[labels]
        return predicted

    def _predict_indicators(self, texts: list[str]) -> npt.NDArray[np.int64]:
        """Return 1 for the labels of each text, else 0. [N, C] int64."""
        columns = {name: column for column, name in enumerate(self.classes_)}
        indicators = np.zeros((len(texts), len(columns)), np.int64)  # [N, C]
        for row, prediction in zip(
            indicators, self._predictor.predict(texts), strict=True
        ):
            row[[columns[name] for name in prediction.reached]] = 1
        return indicators

    def predict_proba(self, texts: str | Texts) -> npt.NDArray[np.float32]:
        """Return the probability of each class for each text.

        Returns:
            A float32 array with a row for each of the N texts and a column for each of
            the C classes, in the order of `classes_`.

        Raises:
            TypeError: An item is not a string. The message has its position.
        """
        predictions = self._predictor.predict(check_texts(texts))
        probs = np.empty((len(predictions), len(self.classes_)), np.float32)  # [N, C]
        for row, prediction in zip(probs, predictions, strict=True):
            row[:] = list(prediction.probs.values())
        return probs

    def stream(
        self, lines: Iterable[str], *, batch_size: int = 4096
    ) -> Iterator[Prediction]:
        """Yield the prediction for each line, in constant memory.

        Args:
            lines: The texts, such as an open file. A line end at the end of a text does
                not matter.
            batch_size: How many lines are read before their predictions are yielded. 1:
                each line is answered before the next one is read.

        Raises:
            TypeError: An item is not a string. The message has its position.
            ConfigError: `batch_size` is below 1.
        """
        check_count("batch_size", batch_size)
        return self._stream(lines, batch_size)

    def _stream(self, lines: Iterable[str], batch_size: int) -> Iterator[Prediction]:
        """Yield the prediction for each line; see `stream`."""
        remaining = iter([lines] if isinstance(lines, str) else lines)
        for start in count(step=batch_size):
            batch = list(islice(remaining, batch_size))
            if not batch:
                return
            texts = check_texts(batch, start)
            if isinstance(self._predictor, OnnxPredictor):
                yield from self._predictor.predict(texts)
            else:
                yield from self._predictor.predict(texts, num_before=start)

    def explain(self, text: str, label: str | None = None) -> "Explanation":
        """Explain a prediction by Integrated Gradients and occlusion. Imports torch.

        A contribution is what a token adds to the logit of the class, its score before
        it becomes a probability: positive if the token speaks for the class. Occlusion
        replaces one token at a time by `<unk>`, and measures how much the logit drops.

        Args:
            text: The text.
            label: The class to explain; None: the most probable one.

        Returns:
            The contribution of each token (`tokens`), and a summary (`meaning()`).

        Raises:
            TypeError: The text is not a string.
            ConfigError: There is no such class, or the classifier is an ONNX file.
        """
        from rnncls.inference.insight.explanation import explain
        from rnncls.machine.threads import borrow_thread

        if not isinstance(text, str):
            raise TypeError(f"text: expected a string, found {type(text).__name__}")
        if label is not None and label not in self.classes_.tolist():
            classes = ", ".join(self.classes_)
            raise ConfigError(f"label: the run has no label {label!r}, only {classes}")
        if isinstance(self._predictor, OnnxPredictor):
            raise ConfigError(
                "an ONNX file cannot explain: load the run folder that it was made of"
            )
        predictor = self._predictor.full
        with borrow_thread(predictor.device):
            return explain(predictor.classifier, text, label)


def load_classifier(
    run: str | os.PathLike[str] | None,
    *,
    device: str | None = None,
    min_confidence: float = 0.0,
    threshold: float | None = None,
) -> LoadedClassifier:
    """Load a run; see `rnncls.load`.

    Raises:
        RunError: The path is not that of a run or of an ONNX file, or a file is
            damaged.
        DeviceError: This machine lacks the requested device.
        ConfigError: An ONNX file, which needs the CPU and ONNX Runtime, lacks them; or
            an argument has a wrong value, or does not fit the number of labels of a
            text.
    """
    path = check_optional_path("run", run, "a run folder or an .onnx file")
    check_probability("min_confidence", min_confidence)
    if threshold is not None:
        check_probability("threshold", threshold)
    if path is not None and path.suffix.lower() == ".onnx":
        if device not in {None, "auto", "cpu"}:
            raise ConfigError(f"device: {path} runs on the cpu, not on {device}")
        file = load_onnx_predictor(
            path, min_confidence=min_confidence, threshold=threshold
        )
        return LoadedClassifier(file)
    predictor = load_predictor(find_run(path), device, min_confidence, threshold)
    return LoadedClassifier(predictor)
